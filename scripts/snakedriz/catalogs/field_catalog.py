"""The reference catalogue of a field: read, checked to cover it, cut to it, at the epoch of each exposure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from snakedriz.artefacts.provenance import describe
from snakedriz.catalogs import parquet, reference
from snakedriz.exposures import coverage
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey

log = logging.getLogger(__name__)

#: Columns of shape (rows, exposures): RA, DEC (deg) and sigma (mas) at the mid-time of each of `meta["exposures"]`.
AT_EXPOSURES = ("exposure_RA", "exposure_DEC", "exposure_sigma")

#: How far the fastest star (Barnard's, 10.4 arcsec a year) gets in 50 years.
FASTEST_ARCSEC = 520.0


def margin_arcsec(fitting: Mapping[str, Any], skeletons: Mapping[ExposureKey, fits.HDUList]) -> float:
    """Return how far outside the chips rows of a catalogue can matter to a fit: its widest search, and what else.

    Parameters
    ----------
    fitting : mapping
        The block `fitting` of the detector's numbers: radii in px, and `margin_arcsec`.
    skeletons : mapping
        Headers of the exposures: the largest of their pixels counts, so that the radius is at least that in the plane
        of the fit (`alignment.tangent_plane`, which has the finest of their scales).
    """
    # without a histogram a search is four tolerances wide (alignment.matching)
    widest = max(
        float(fitting["relative"]["searchrad_px"]),
        float(fitting["histogram"]["searchrad_px"]),
        4.0 * float(fitting["default"]["tolerance_px"]),
    )
    pixels = [
        float(np.sqrt(abs(np.linalg.det([[chip[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])))) * 3600.0
        for skeleton in skeletons.values()
        for chip in (skeleton["SCI", version].header for version in science_extensions(skeleton))
    ]
    return widest * max(pixels, default=0.0) + float(fitting["margin_arcsec"])


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
        As in `reference.cut_to_footprint`, at any of the epochs; without polygons no exposure is used, and the table is
        empty.
    epochs : mapping
        Mid-time (Julian year) of each exposure, by rootname.

    Returns
    -------
    `~astropy.table.Table`
        At the mean of the epochs, with the errors there and their correlation (ra_error, dec_error, ra_dec_corr), the
        columns `AT_EXPOSURES` and, in `meta`, `exposures` (rootnames) and `epochs`;
        `source`, what `artefacts.provenance.describe` says of the file.

    Raises
    ------
    SnakedrizError
        As `reference.load_catalog`, `reference.at_epoch` and `coverage.check_covers`.
    """
    box = parquet.around(polygons, margin_arcsec + FASTEST_ARCSEC) if polygons else None
    table = reference.load_catalog(file, name, box, options.get("epoch"))
    table.meta["source"] = describe(file, table.meta).to_json()
    if not polygons:
        return table[:0]
    coverage.check_covers(table, file, polygons)
    years = list(epochs.values())
    policy, parallax = str(options.get("without_pm") or "keep"), bool(options.get("parallax"))
    table = reference.cut_to_footprint(table, polygons, margin_arcsec + _way(table, years))
    mean = reference.at_epoch(table, float(np.mean(years)), policy, parallax)
    mean["row"] = np.flatnonzero(reference.with_motion(table)) if len(mean) < len(table) else np.arange(len(table))
    mean = reference.cut_to_footprint(mean, polygons, margin_arcsec + _way(mean, years))
    rows = np.asarray(mean["row"], dtype=int)
    mean.remove_column("row")
    if mean.meta["without_epoch"]:
        log.warning("%s: rows without an epoch are taken to hold when the exposures were taken", file)
    mean.meta.update(exposures=list(epochs), epochs=[float(epochs[root]) for root in epochs])
    if not len(mean):
        return mean  # astropy cannot read a column of vectors without rows back from ECSV
    kept = table[rows]
    each = {root: reference.at_epoch(kept, epoch, parallax=parallax) for root, epoch in epochs.items()}
    for column, own in zip(AT_EXPOSURES, ("RA", "DEC", "sigma"), strict=True):
        mean[column] = np.column_stack([np.asarray(each[root][own], dtype=float) for root in epochs])
    return mean


def _way(table: Table, years: Sequence[float]) -> NDArray[np.float64]:
    """How far (arcsec) each row moves between its epoch and those of the exposures; 0 where that is not known."""
    motion: NDArray[np.float64] = np.hypot(np.asarray(table["pmra"], float), np.asarray(table["pmdec"], float))
    away = np.max(np.abs(np.asarray(table["epoch"], float) - np.asarray(years)[:, None]), axis=0)
    return np.asarray(np.nan_to_num(motion * away) / 1000.0)
