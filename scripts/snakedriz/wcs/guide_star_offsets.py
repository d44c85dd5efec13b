"""The a priori WCS from guide-star offsets: what the pointing would be, had Gaia's positions been used to point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.wcs import headerlets, linear_wcs

#: The columns of the guide-star service's reply; sky columns in degrees.
COLUMNS = (
    "rootname", "deltaRA", "deltaDEC", "deltaROLL", "deltaSCALE",
    "dGSinputRA", "dGSinputDEC", "dGSoutputRA", "dGSoutputDEC", "outputCatalog",
)  # fmt: skip


@dataclass(frozen=True)
class GuideStarOffset:
    """How the catalogue position of an exposure's guide star changed; RA and Dec in deg."""

    rootname: str  # of the exposure, lower case
    delta: tuple[float, float]  # as the service says; 0 and 0 where the star did not move
    old: tuple[float, float]  # position used to point
    new: tuple[float, float]  # position in the newer catalogue
    catalog: str  # the newer catalogue (``GSC240``), ``''`` where it does not have the star

    @classmethod
    def of(cls, row: Any) -> GuideStarOffset:
        """Read a row with the columns `COLUMNS`."""
        delta, old, new = (
            (float(row[f"{name}RA"]), float(row[f"{name}DEC"])) for name in ("delta", "dGSinput", "dGSoutput")
        )
        return cls(str(row["rootname"]).strip().lower(), delta, old, new, str(row["outputCatalog"]).strip())


def read_offsets(path: str | Path) -> dict[str, GuideStarOffset]:
    """Read a table of guide-star offsets.

    Parameters
    ----------
    path : str or Path
        Any table format astropy recognises (ECSV, CSV, FITS), with the columns `COLUMNS`.

    Returns
    -------
    dict
        By rootname (lower case).

    Raises
    ------
    SnakedrizError
        If the file is absent or unreadable, a column is missing, or a rootname comes twice with different values.
    """
    path = Path(path)
    if not path.is_file():
        raise SnakedrizError(f"solutions.offsets: {path} does not exist", "give the table of guide-star offsets")
    try:
        table = Table.read(path, format="ascii.csv") if path.suffix.lower() == ".csv" else Table.read(path)
    except Exception as error:
        remedy = "give a table that astropy can read, such as ECSV, CSV or FITS"
        raise SnakedrizError(f"solutions.offsets: {path} cannot be read as a table ({error})", remedy) from error
    missing = [name for name in COLUMNS if name not in table.colnames]
    if missing:
        raise SnakedrizError(
            f"solutions.offsets: {path} lacks the columns {', '.join(missing)}, it has {', '.join(table.colnames)}",
            "give all columns of the guide-star service's reply",
        )
    rows: dict[str, GuideStarOffset] = {}
    for row in table:
        offset = GuideStarOffset.of(row)
        if rows.setdefault(offset.rootname, offset) != offset:
            raise SnakedrizError(f"solutions.offsets: {path} has two different rows for {offset.rootname}", "keep one")
    return rows


def shift_in_pixels(skeleton: fits.HDUList, offset: GuideStarOffset) -> tuple[Any, np.ndarray]:
    """Return the reference WCS of an exposure and the shift of its pointing in that frame.

    The new reference point is the old one moved by the guide star's displacement on the sky; the shift is what moves
    the old one there, in the undistorted frame of all chips. Formula: stwcs `find_gsc_offset`; roll and scale are
    ignored, as there.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        With the distortion-model-only WCS.
    offset : GuideStarOffset
        Of this exposure.

    Returns
    -------
    (`~stwcs.wcsutil.HSTWCS`, ndarray of shape (2,))
        The reference WCS (tangent plane of all chips) and CRPIX minus the pixel of the new reference point, in px of
        that frame (the sign stwcs reports).
    """
    from stwcs.updatewcs.astrometry_utils import build_reference_wcs

    reference = build_reference_wcs(skeleton)
    if offset.delta == (0.0, 0.0):
        return reference, np.zeros(2)
    frame = reference.wcs.radesys.lower() or "icrs"
    centre = SkyCoord(*reference.wcs.crval, unit="deg", frame=frame)
    old = SkyCoord(*offset.old, unit="deg", frame=frame)
    new = SkyCoord(*offset.new, unit="deg", frame=frame)
    moved = new.transform_to(old.skyoffset_frame())
    target = SkyCoord(moved.lon, moved.lat, frame=centre.skyoffset_frame()).transform_to(frame)
    pixel = reference.all_world2pix(target.ra.deg, target.dec.deg, 1)
    return reference, np.asarray(reference.wcs.crpix) - np.array([float(pixel[0]), float(pixel[1])])


def apply_offset(skeleton: fits.HDUList, offset: GuideStarOffset, wcsname: str) -> tuple[float, float]:
    """Move the primary WCS of every chip by the guide-star offset, in place.

    Returns
    -------
    (float, float)
        The shift in px of the undistorted frame, as `shift_in_pixels` gives it.
    """
    from stwcs.wcsutil import HSTWCS
    from tweakwcs.correctors import FITSWCSCorrector

    reference, shift = shift_in_pixels(skeleton, offset)
    plane = FITSWCSCorrector(reference)
    headerlets.clear_fit_keywords(skeleton)
    for chip in science_extensions(skeleton):
        corrector = FITSWCSCorrector(HSTWCS(skeleton, ext=("SCI", chip)))
        # tweakwcs moves sources at p to p + shift in the plane: the new reference point lies at CRPIX - shift.
        corrector.set_correction(matrix=np.identity(2), shift=-shift, ref_tpwcs=plane)
        linear_wcs.write(skeleton["SCI", chip].header, corrector.wcs.wcs.crval, corrector.wcs.wcs.cd, wcsname)
    headerlets.sync_companions(skeleton)
    return float(shift[0]), float(shift[1])
