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

from snakedriz.alignment import matching
from snakedriz.alignment.tangent_plane import Array, PlacedExposure, PlacedRows, TangentPlane
from snakedriz.catalogs.field_catalog import AT_EXPOSURES

#: Motions (px) below which nothing is to be done: 0.005 mas in ACS/WFC.
NEGLIGIBLE_PX = 1e-4


def at_exposures(plane: TangentPlane, table: Table) -> dict[str, PlacedRows]:
    """Return the rows of a catalogue at the mid-time of each exposure, by rootname.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `field_catalog.in_field`; nothing is returned for a table without the columns of exposures.
    """
    if not len(table) or AT_EXPOSURES[0] not in table.colnames:
        return {}
    columns = [np.asarray(table[column], dtype=float) for column in AT_EXPOSURES]
    return {
        root: PlacedRows.of(plane, *(column[:, i] for column in columns))
        for i, root in enumerate(table.meta["exposures"])
    }


def to_mean_epoch(
    exposures: Sequence[PlacedExposure], ref: Array, moved: Mapping[str, PlacedRows], settings: Mapping[str, Any]
) -> tuple[list[PlacedExposure], list[str]]:
    """Move the sources of exposures to the mean epoch of the catalogue.

    Parameters
    ----------
    exposures : sequence of PlacedExposure
        Not changed.
    ref : array, shape (n, 2)
        Rows of the catalogue at the mean epoch (px).
    moved : mapping
        From `at_exposures`.
    settings : mapping
        Block `fitting`.

    Returns
    -------
    exposures : list of PlacedExposure
        With `start` at the mean epoch and, in `motion`, what was taken off.
    notes : list of str
        Of exposures with too few catalogue stars to do so.
    """
    found, notes = [], []
    for exposure in exposures:
        motion = moved[exposure.rootname].uv - ref if exposure.rootname in moved else np.zeros_like(ref)
        largest = float(np.hypot(*motion.T).max()) if len(motion) else 0.0
        if largest < NEGLIGIBLE_PX or not len(exposure.start):
            found.append(exposure)
            continue
        match = matching.match(exposure.uv, ref + motion, **matching.match_options(settings, "histogram"))
        if len(match) < int(settings["required"]["shift"]):
            notes.append(
                f"{exposure.rootname}: too few catalogue stars ({len(match)}) to allow for their motion between the "
                f"exposures, up to {largest:.3f} px"
            )
            found.append(exposure)
            continue
        taken = np.zeros_like(exposure.start)
        taken[match.image] = motion[match.ref]
        found.append(replace(exposure, start=exposure.start - taken, motion=taken))
    return found, notes
