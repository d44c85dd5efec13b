"""The guide-star service's reply for a simulated visit: how far its guide star moved into Gaia's frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from snakedriz.simulate.scene import sky_offset

GUIDE_STAR = (420.0, 540.0)
"""Offset (east, north, arcsec) of the guide star from the target: about the distance of HST's guide sensors."""

TARGET_CATALOGUE = "GSC240"


def offsets_table(
    rootnames: Sequence[str],
    target: tuple[float, float],
    pointing_error: tuple[float, float],
    residual: tuple[float, float],
) -> Table:
    """One row per exposure, the same in all: exposures of a visit share their guide stars.

    stwcs (``astrometry_utils.find_gsc_offset``) takes the offset from the old to the new position of the guide star, as
    (east, north) on the sphere at the star, and adds the same offset to the pointing. What it must add is therefore
    ``residual - pointing_error`` (arcsec; reported minus true). deltaRA and deltaDEC are the differences of the two
    positions' coordinates (deg; deltaRA is not multiplied by cos dec), as in the service's replies.
    """
    old = sky_offset(*target, *GUIDE_STAR)
    new = sky_offset(*old, residual[0] - pointing_error[0], residual[1] - pointing_error[1])
    dra = (new[0] - old[0] + 180.0) % 360.0 - 180.0
    n = len(rootnames)
    table = Table()
    table["rootname"] = np.array(list(rootnames), dtype="U9")
    for name, value in (
        ("deltaRA", dra),
        ("deltaDEC", new[1] - old[1]),
        ("deltaROLL", 0.0),
        ("deltaSCALE", 1.0),
        ("dGSinputRA", old[0]),
        ("dGSinputDEC", old[1]),
        ("dGSoutputRA", new[0]),
        ("dGSoutputDEC", new[1]),
    ):
        table[name] = np.full(n, value)
        if name != "deltaSCALE":
            table[name].unit = "deg"
    table["outputCatalog"] = np.array([TARGET_CATALOGUE] * n, dtype="U9")
    return table
