"""The reference catalogue of a field: read, checked to cover it, cut to it, at the epoch of each exposure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from snakedriz.artefacts.provenance import describe
from snakedriz.catalogs import parquet, reference
from snakedriz.exposures import coverage

#: Columns of shape (rows, exposures): RA, DEC (deg) and sigma (mas) at the mid-time of each of `meta["exposures"]`.
AT_EXPOSURES = ("exposure_RA", "exposure_DEC", "exposure_sigma")

#: How far the fastest star (Barnard's, 10.4 arcsec a year) gets in 50 years.
FASTEST_ARCSEC = 520.0


def in_field(
    file: str | Path,
    name: str,
    options: Mapping[str, Any],
    polygons: Sequence[ArrayLike],
    margin_arcsec: float,
    epochs: Mapping[str, float],
) -> Table:
    """Read a catalogue, cut it to a field and move it to the epochs of the exposures.

    Parameters
    ----------
    file, name
        As in `reference.load_catalog`.
    options : mapping
        Of the catalogue in the configuration: `epoch` (Julian year) of the positions where the catalogue gives none;
        `without_pm` ("keep" or "drop") and `parallax`, as in `reference.at_epoch`.
    polygons, margin_arcsec
        As in `reference.cut_to_footprint`; without polygons no exposure is used, and the table is empty.
    epochs : mapping
        Mid-time (Julian year) of each exposure, by rootname.

    Returns
    -------
    `~astropy.table.Table`
        At the mean of the epochs, with the columns `AT_EXPOSURES` and, in `meta`, `exposures` (rootnames) and `epochs`;
        `source`, what `artefacts.provenance.describe` says of the file.

    Raises
    ------
    SnakedrizError
        As `reference.load_catalog` and `coverage.check_covers`.
    """
    box = parquet.around(polygons, margin_arcsec + FASTEST_ARCSEC) if polygons else None
    table = reference.load_catalog(file, name, box)
    table.meta["source"] = describe(file, table.meta).to_json()
    if options.get("epoch") is not None:
        table["epoch"][~np.isfinite(table["epoch"])] = options["epoch"]
    if not polygons:
        return table[:0]
    coverage.check_covers(table, file, polygons)
    years = list(epochs.values())
    policy, parallax = str(options.get("without_pm") or "keep"), bool(options.get("parallax"))
    table = reference.cut_to_footprint(table, polygons, margin_arcsec + _farthest(table, years))
    mean = reference.at_epoch(table, float(np.mean(years)), policy, parallax)
    mean["row"] = np.flatnonzero(reference.with_motion(table)) if len(mean) < len(table) else np.arange(len(table))
    mean = reference.cut_to_footprint(mean, polygons, margin_arcsec)
    rows = np.asarray(mean["row"], dtype=int)
    mean.remove_column("row")
    mean.meta.update(exposures=list(epochs), epochs=[float(epochs[root]) for root in epochs])
    if not len(mean):
        return mean  # astropy cannot read a column of vectors without rows back from ECSV
    kept = table[rows]
    each = {root: reference.at_epoch(kept, epoch, parallax=parallax) for root, epoch in epochs.items()}
    for column, own in zip(AT_EXPOSURES, ("RA", "DEC", "sigma"), strict=True):
        mean[column] = np.column_stack([np.asarray(each[root][own], dtype=float) for root in epochs])
    return mean


def _farthest(table: Table, years: Sequence[float]) -> float:
    """How far (arcsec) the fastest star moves between the catalogue's epoch and those of the exposures."""
    motion: NDArray[np.float64] = np.hypot(np.asarray(table["pmra"], float), np.asarray(table["pmdec"], float))
    away = np.max(np.abs(np.asarray(table["epoch"], float) - np.asarray(years)[:, None]), axis=0)
    return float(np.nanmax(np.append(motion * away, 0.0))) / 1000.0
