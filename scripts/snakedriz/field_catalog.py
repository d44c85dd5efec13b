"""The reference catalogue of a field: read, checked to cover it, cut to it, at the epoch of the exposures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from . import reference
from .services import area


def in_field(
    file: str | Path,
    name: str,
    epoch: float | None,
    polygons: Sequence[ArrayLike],
    margin_arcsec: float,
    epoch_jyear: float,
) -> Table:
    """Read a catalogue, cut it to a field and move it to the epoch of the exposures.

    Parameters
    ----------
    file, name
        As in `reference.load_catalog`.
    epoch : float or None
        Epoch of the positions (Julian year) where the catalogue gives none.
    polygons, margin_arcsec
        As in `reference.cut_to_footprint`; without polygons no exposure is used, and the table is empty.
    epoch_jyear : float
        As in `reference.at_epoch`.

    Raises
    ------
    SnakedrizError
        As `reference.load_catalog` and `services.area.check_covers`.
    """
    table = reference.load_catalog(file, name)
    if epoch is not None:
        table["epoch"][~np.isfinite(table["epoch"])] = epoch
    if not polygons:
        return table[:0]
    area.check_covers(table, file, polygons)
    return reference.at_epoch(reference.cut_to_footprint(table, polygons, margin_arcsec), epoch_jyear)
