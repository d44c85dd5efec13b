"""Exposures of several epochs against one catalogue: every source where it would be at the catalogue's mean epoch.

Stars move between exposures. A source that is a catalogue star is moved back by that star's motion from the mean epoch
to the mid-time of its exposure; then all exposures can be tied to each other and held against one list of positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.tangent_plane import Member, Plane
from snakedriz.catalogs.field_catalog import AT_EXPOSURES

Array = NDArray[np.float64]
#: Motions (px) below which nothing is to be done: 0.005 mas in ACS/WFC.
NEGLIGIBLE_PX = 1e-4


def at_exposures(plane: Plane, table: Table) -> dict[str, tuple[Array, Array]]:
    """Return by rootname the positions (n, 2) of the rows at the mid-time of an exposure and their errors per axis, px.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `field_catalog.in_field`; empty for a table without the columns of exposures.
    """
    if not len(table) or AT_EXPOSURES[0] not in table.colnames:
        return {}
    ra, dec, sigma = (np.asarray(table[column], dtype=float) for column in AT_EXPOSURES)
    return {
        root: (plane.from_sky(ra[:, i], dec[:, i]), np.maximum(sigma[:, i] / (1000.0 * plane.scale), 1e-4))
        for i, root in enumerate(table.meta["exposures"])
    }


def to_mean_epoch(
    members: Sequence[Member], ref: Array, moved: Mapping[str, tuple[Array, Array]], settings: Mapping[str, Any]
) -> tuple[list[Member], list[str]]:
    """Move the sources of exposures to the mean epoch of the catalogue.

    Parameters
    ----------
    members : sequence of Member
        Not changed.
    ref : array, shape (n, 2)
        Rows of the catalogue at the mean epoch (px).
    moved : mapping
        From `at_exposures`.
    settings : mapping
        Block `fitting`.

    Returns
    -------
    members : list of Member
        With `start` at the mean epoch and, in `motion`, what was taken off.
    notes : list of str
        Of exposures with too few catalogue stars to do so.
    """
    found, notes = [], []
    for member in members:
        motion = moved[member.rootname][0] - ref if member.rootname in moved else np.zeros_like(ref)
        largest = float(np.hypot(*motion.T).max()) if len(motion) else 0.0
        if largest < NEGLIGIBLE_PX or not len(member.start):
            found.append(member)
            continue
        match = matching.match(
            member.uv,
            ref + motion,
            searchrad=settings["histogram"]["searchrad_px"],
            tolerance=settings["histogram"]["tolerance_px"],
            min_tolerance=settings["min_tolerance_px"],
            max_false_alarm=settings["max_false_alarm"],
        )
        if len(match) < int(settings["required"]["shift"]):
            notes.append(
                f"{member.rootname}: too few catalogue stars ({len(match)}) to allow for their motion between the "
                f"exposures, up to {largest:.3f} px"
            )
            found.append(member)
            continue
        taken = np.zeros_like(member.start)
        taken[match.image] = motion[match.ref]
        found.append(replace(member, start=member.start - taken, motion=taken))
    return found, notes
