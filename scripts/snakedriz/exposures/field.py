"""Where and when a visit was observed: outlines of the chips on the sky, mid-times of the exposures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from astropy.io import fits

from snakedriz.artefacts.inventory import ExposureRecord, Inventory
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.geometry import chip_corners


def chip_outline(exposure: fits.HDUList, chip: int) -> np.ndarray:
    """Return the outer corners of a chip's outermost pixels, shape (4, 2): RA and Dec in deg (ICRS), in order."""
    from stwcs.wcsutil import HSTWCS

    ny, nx = exposure["SCI", chip].shape
    return HSTWCS(exposure, ext=("SCI", chip)).all_pix2world(chip_corners(nx, ny), 0)


def outlines(skeletons: Mapping[ExposureKey, fits.HDUList]) -> list[np.ndarray]:
    """Return the outline of every chip of every exposure, as `chip_outline` gives it."""
    return [
        chip_outline(skeleton, chip)
        for _, skeleton in sorted(skeletons.items())
        for chip in science_extensions(skeleton)
    ]


def epoch(exposure: ExposureRecord) -> float:
    """Return the mid-time of an exposure as a Julian year: 2000 + (MJD - 51544.5) / 365.25.

    Raises
    ------
    SnakedrizError
        If its headers do not say when it was taken.
    """
    if exposure.expstart is None or exposure.expend is None:
        raise SnakedrizError(f"{exposure.rootname}: EXPSTART or EXPEND is not set", "set them in its primary header")
    return 2000.0 + ((exposure.expstart + exposure.expend) / 2 - 51544.5) / 365.25


def epochs(inventories: Iterable[Inventory]) -> dict[str, float]:
    """Return the mid-time (Julian year) of every exposure in use, by rootname, sorted."""
    used = {exposure.rootname: exposure for inventory in inventories for exposure in inventory.used}
    return {rootname: epoch(used[rootname]) for rootname in sorted(used)}
