"""Where exposures lie on the sky, by the linear WCS of their headers: the cone to ask a catalogue for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers.fast_header import units
from snakedriz.geometry import Cone, chip_corners, mean_direction, plane_to_sky, separation

if TYPE_CHECKING:
    from astropy.table import Table

log = logging.getLogger(__name__)

#: For errors of the pointing (up to tens of arcsec with old guide stars), distortion (a few arcsec), proper motions.
MARGIN_ARCSEC = 60.0
#: A visit whose exposures lie further apart than this is not one field.
MAX_RADIUS_DEG = 2.0
_WCS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")


def linear_outlines(path: str | Path) -> list[NDArray[np.float64]]:
    """Return the outline of each chip, shape (4, 2): RA and Dec in deg, without distortion (no reference file needed).

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
            ra0, dec0, x0, y0, *cd = (float(unit.cards[key]) for key in _WCS)
            nx, ny = int(unit.cards["NAXIS1"]), int(unit.cards["NAXIS2"])
        except (KeyError, TypeError, ValueError) as error:
            raise SnakedrizError(
                f"{path}: SCI,{unit.name[1]} has no usable WCS ({error})", "fetch the file again"
            ) from error
        from_reference = chip_corners(nx, ny) + 1.0 - (x0, y0)  # CRPIX counts from 1
        xi, eta = np.array(cd).reshape(2, 2) @ from_reference.T
        found.append(plane_to_sky(xi, eta, ra0, dec0))
    if not found:
        raise SnakedrizError(
            f"{path}: has no SCI extension, so its place on the sky is not known", "fetch the file again"
        )
    return found


def outlines(paths: Iterable[str | Path]) -> list[NDArray[np.float64]]:
    """Return the outline of every chip; a damaged file is left out, its own inventory job reports it."""
    found: list[NDArray[np.float64]] = []
    for path in sorted(map(str, paths)):
        try:
            found += linear_outlines(path)
        except SnakedrizError as error:
            log.warning("Left out of the field: %s", error)
    return found


def cone(paths: Iterable[str | Path], margin_arcsec: float = MARGIN_ARCSEC) -> Cone:
    """Return the cone that covers the exposures, rounded outwards so that its text is the same on every machine.

    Raises
    ------
    SnakedrizError
        If there is no exposure, or they are not one field.
    """
    found = outlines(paths)
    if not found:
        raise SnakedrizError(
            "no exposure to ask a catalogue for", "put calibrated exposures (FLT, FLC) into the input folder"
        )
    every = np.vstack(found)
    ra, dec = mean_direction(every)
    # Rounded as an angle of -180 to 180 deg, so that cones fetched by earlier versions keep their text.
    ra, dec = round(ra - 360 if ra > 180 else ra, 5) % 360, round(dec, 5)
    radius = float(np.max(separation(ra, dec, every))) + margin_arcsec / 3600
    if radius > MAX_RADIUS_DEG:
        raise SnakedrizError(
            f"the exposures lie up to {radius:.1f} deg from their centre ({ra}, {dec}), which is not one field",
            "give the catalogue as a file (`catalogs: [{name: ..., file: ...}]`)",
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
        Outlines of the chips (RA, Dec in deg).
    """
    asked = table.meta.get("field")
    if asked and len(polygons) and not Cone(*map(float, asked)).covers(polygons):
        raise SnakedrizError(
            f"{path}: was fetched for a cone of {asked[2]} deg around {asked[0]}, {asked[1]}, which does not cover all "
            "exposures",
            "remove it and run `snakemake fetch` with network: true",
        )
