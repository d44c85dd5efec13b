"""The a priori WCS from guide-star offsets: what the pointing would be, had Gaia's positions been used to point."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.geometry import orientation
from snakedriz.wcs import headerlets

#: The columns of the guide-star service's reply; sky columns in degrees.
COLUMNS = (
    "rootname", "deltaRA", "deltaDEC", "deltaROLL", "deltaSCALE",
    "dGSinputRA", "dGSinputDEC", "dGSoutputRA", "dGSoutputDEC", "outputCatalog",
)  # fmt: skip


def read_offsets(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read a table of guide-star offsets.

    Parameters
    ----------
    path : str or Path
        Any table format astropy recognises (ECSV, CSV, FITS), with the columns `COLUMNS`.

    Returns
    -------
    dict
        From rootname (lower case) to its row.

    Raises
    ------
    SnakedrizError
        If the file is absent or unreadable, a column is missing, or a rootname comes twice with different values.
    """
    path = Path(path)
    if not path.is_file():
        raise SnakedrizError(f"solutions.offsets: {path} does not exist; it should be a table of guide-star offsets")
    try:
        table = Table.read(path, format="ascii.csv") if path.suffix.lower() == ".csv" else Table.read(path)
    except Exception as error:
        raise SnakedrizError(f"solutions.offsets: {path} cannot be read as a table ({error})") from error
    missing = [name for name in COLUMNS if name not in table.colnames]
    if missing:
        raise SnakedrizError(
            f"solutions.offsets: {path} lacks the columns {', '.join(missing)}; it has {', '.join(table.colnames)}"
        )
    rows: dict[str, dict[str, Any]] = {}
    for row in table:
        root = str(row["rootname"]).strip().lower()
        values = {name: (float(row[name]) if name[0] == "d" else str(row[name]).strip()) for name in COLUMNS}
        values["rootname"] = root
        if root in rows and rows[root] != values:
            raise SnakedrizError(f"solutions.offsets: {path} has two different rows for {root}; keep one")
        rows[root] = values
    return rows


def shift_in_pixels(skeleton: fits.HDUList, offsets: Mapping[str, Any]) -> tuple[Any, np.ndarray]:
    """Return the reference WCS of an exposure and the shift of its pointing in that frame.

    The new reference point is the old one moved by the guide star's displacement on the sky; the shift is what moves
    the old one there, in the undistorted frame of all chips. Formula: stwcs `find_gsc_offset`; roll and scale are
    ignored, as there.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        With the distortion-model-only WCS.
    offsets : mapping
        A row of `read_offsets`.

    Returns
    -------
    (`~stwcs.wcsutil.HSTWCS`, ndarray of shape (2,))
        The reference WCS (tangent plane of all chips) and CRPIX minus the pixel of the new reference point, in px of
        that frame (the sign stwcs reports).
    """
    from stwcs.updatewcs.astrometry_utils import build_reference_wcs

    reference = build_reference_wcs(skeleton)
    if offsets["deltaRA"] == 0.0 and offsets["deltaDEC"] == 0.0:
        return reference, np.zeros(2)
    frame = reference.wcs.radesys.lower() or "icrs"
    centre = SkyCoord(*reference.wcs.crval, unit="deg", frame=frame)
    old = SkyCoord(offsets["dGSinputRA"], offsets["dGSinputDEC"], unit="deg", frame=frame)
    new = SkyCoord(offsets["dGSoutputRA"], offsets["dGSoutputDEC"], unit="deg", frame=frame)
    moved = new.transform_to(old.skyoffset_frame())
    target = SkyCoord(moved.lon, moved.lat, frame=centre.skyoffset_frame()).transform_to(frame)
    pixel = reference.all_world2pix(target.ra.deg, target.dec.deg, 1)
    return reference, np.asarray(reference.wcs.crpix) - np.array([float(pixel[0]), float(pixel[1])])


def apply_offsets(skeleton: fits.HDUList, offsets: Mapping[str, Any], wcsname: str) -> tuple[float, float]:
    """Move the primary WCS of every chip by the guide-star offset, in place.

    Returns
    -------
    (float, float)
        The shift in px of the undistorted frame, as `shift_in_pixels` gives it.
    """
    from stwcs.wcsutil import HSTWCS
    from tweakwcs.correctors import FITSWCSCorrector

    reference, shift = shift_in_pixels(skeleton, offsets)
    plane = FITSWCSCorrector(reference)
    headerlets.clear_fit_keywords(skeleton)
    for chip in science_extensions(skeleton):
        corrector = FITSWCSCorrector(HSTWCS(skeleton, ext=("SCI", chip)))
        # tweakwcs moves sources at p to p + shift in the plane: the new reference point lies at CRPIX - shift.
        corrector.set_correction(matrix=np.identity(2), shift=-shift, ref_tpwcs=plane)
        set_linear_wcs(skeleton["SCI", chip].header, corrector.wcs.wcs.crval, corrector.wcs.wcs.cd, wcsname)
    headerlets.sync_companions(skeleton)
    return float(shift[0]), float(shift[1])


def set_linear_wcs(header: fits.Header, crval: np.ndarray, cd: np.ndarray, wcsname: str) -> None:
    """Write CRVAL (deg), CD (deg/px), ORIENTAT (deg) and WCSNAME into a SCI header."""
    header["CRVAL1"], header["CRVAL2"] = float(crval[0]), float(crval[1])
    for i in range(2):
        for j in range(2):
            header[f"CD{i + 1}_{j + 1}"] = float(cd[i][j])
    header["ORIENTAT"] = orientation(cd)
    header["WCSNAME"] = wcsname
