"""The field of a visit: a cone on the sky that covers every chip of every exposure, with a margin."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from snakedriz.catalogs.reference import mean_direction
from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers.fast_header import units

log = logging.getLogger(__name__)

#: For errors of the pointing (up to tens of arcsec with old guide stars), distortion (a few arcsec), proper motions.
MARGIN_ARCSEC = 60.0
#: A visit whose exposures lie further apart than this is not one field.
MAX_RADIUS_DEG = 2.0


@dataclass(frozen=True)
class Cone:
    """Centre (ICRS, deg) and radius (deg)."""

    ra: float
    dec: float
    radius: float

    def covers(self, polygons: Sequence[ArrayLike]) -> bool:
        """Whether all corners (RA, DEC in deg) lie in the cone."""
        corners = np.vstack([np.asarray(polygon, dtype=float) for polygon in polygons])
        return bool(np.all(_separation(self.ra, self.dec, corners) <= self.radius))


def _separation(ra: float, dec: float, corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles in deg, by the haversine formula."""
    a, d = np.radians(corners).T
    a0, d0 = np.radians(ra), np.radians(dec)
    h = np.sin((d - d0) / 2) ** 2 + np.cos(d) * np.cos(d0) * np.sin((a - a0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(h, 0, 1))))


def chip_corners(path: str | Path) -> list[NDArray[np.float64]]:
    """Return the corners (RA, DEC in deg) of each chip by the linear WCS of its header: no reference file is needed.

    The inverse of `reference.tangent_plane` (Calabretta & Greisen 2002, A&A 395, 1077, eq. 54 and 55).

    Raises
    ------
    SnakedrizError
        If the file has no SCI extension with a WCS.
    """
    found = []
    for unit in units(path)[1:]:
        if unit.name[0] != "SCI":
            continue
        try:
            keys = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
            ra0, dec0, x0, y0, *cd = (float(unit.cards[key]) for key in keys)
            nx, ny = int(unit.cards["NAXIS1"]), int(unit.cards["NAXIS2"])
        except (KeyError, TypeError, ValueError) as error:
            raise SnakedrizError(f"{path}: SCI,{unit.name[1]} has no usable WCS ({error})") from error
        box = np.array([(0.5, 0.5), (nx + 0.5, 0.5), (nx + 0.5, ny + 0.5), (0.5, ny + 0.5)])
        xi, eta = np.radians(np.array(cd).reshape(2, 2) @ (box - (x0, y0)).T)
        d0 = np.radians(dec0)
        down = np.cos(d0) - eta * np.sin(d0)
        ra = np.degrees(np.arctan2(xi, down)) + ra0
        dec = np.degrees(np.arctan2(np.sin(d0) + eta * np.cos(d0), np.hypot(xi, down)))
        found.append(np.column_stack([ra % 360, dec]))
    if not found:
        raise SnakedrizError(f"{path}: has no SCI extension, so its place on the sky is not known")
    return found


def corners(paths: Iterable[str | Path]) -> list[NDArray[np.float64]]:
    """Return the corners of every chip of exposures; a damaged one is left out, its own inventory job reports it."""
    found: list[NDArray[np.float64]] = []
    for path in sorted(map(str, paths)):
        try:
            found += chip_corners(path)
        except SnakedrizError as error:
            log.warning("left out of the field: %s", error)
    return found


def cone(paths: Iterable[str | Path], margin_arcsec: float = MARGIN_ARCSEC) -> Cone:
    """Return the cone that covers the exposures, rounded outwards so that its text is the same on every machine.

    Raises
    ------
    SnakedrizError
        If there is no exposure, or they are not one field.
    """
    outlines = corners(paths)
    if not outlines:
        raise SnakedrizError("no exposure to ask a catalogue for; put the exposures into the input folder first")
    every = np.vstack(outlines)
    ra, dec = (round(value, 5) for value in mean_direction(every))
    ra %= 360
    radius = float(np.max(_separation(ra, dec, every))) + margin_arcsec / 3600
    if radius > MAX_RADIUS_DEG:
        raise SnakedrizError(
            f"the exposures lie up to {radius:.1f} deg from their centre ({ra}, {dec}), which is not one field; give "
            "the catalogue as a file (`catalogs: [{name: ..., file: ...}]`)"
        )
    return Cone(ra, dec, float(np.ceil(radius * 1e4) / 1e4))


def check_covers(table: Table, path: str | Path, polygons: Sequence[ArrayLike]) -> None:
    """Refuse a fetched catalogue that was asked for a smaller field than the exposures need.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As read from `path`; one that was not fetched says no field and passes.
    path : path
        Its file, for the error.
    polygons : list of arrays
        Outlines of the chips (RA, DEC in deg).
    """
    if table.meta.get("field") and len(polygons) and not Cone(*map(float, table.meta["field"])).covers(polygons):
        raise SnakedrizError(
            f"{path}: was asked for a cone of {table.meta['field'][2]} deg around {table.meta['field'][0]}, "
            f"{table.meta['field'][1]}, which does not cover all exposures; remove it and run `snakemake fetch` with "
            "network: true"
        )
