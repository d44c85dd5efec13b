"""Small FITS files in the layout of HST's, for tests: exposures of 8 x 10 pixels, association tables, MDRIZTABs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

PRIMARY = {
    "INSTRUME": "ACS", "DETECTOR": "WFC", "OBSTYPE": "IMAGING", "IMAGETYP": "EXT", "TARGNAME": "NGC104",
    "EXPTIME": 100.0, "EXPSTART": 53436.2857, "EXPEND": 53436.2869, "DATE-OBS": "2005-03-07", "PROPOSID": 10368,
    "RA_TARG": 5.655, "DEC_TARG": -72.07, "PA_V3": 337.1, "FGSLOCK": "FINE", "MTFLAG": "", "FILTER1": "F606W",
    "FILTER2": "CLEAR2L", "SUBARRAY": False, "DRIZCORR": "PERFORM", "IDCTAB": "jref$a_idc.fits", "D2IMFILE": "N/A",
    "NPOLFILE": "N/A", "MDRIZTAB": "jref$a_mdz.fits",
}  # fmt: skip


def write_exposure(
    path: Path,
    changes: Mapping[str, Any] | None = None,
    chips: int = 2,
    ngoodpix: int | None = 80,
    value: float = 1.0,
    extra: Iterable[str] = ("ERR", "DQ"),
) -> Path:
    """Write an exposure; a keyword changed to None is left out of the primary header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    extra = list(extra)
    cards = {**PRIMARY, "ROOTNAME": path.name.partition("_")[0], "NEXTEND": chips * (1 + len(extra)), **(changes or {})}
    for key, item in cards.items():
        if item is not None:
            primary.header[key] = item
    hdus: list[Any] = [primary]
    for version in range(1, chips + 1):
        sci = fits.ImageHDU(np.full((8, 10), value, dtype=np.float32), name="SCI", ver=version)
        sci.header["CCDCHIP"] = 3 - version
        if ngoodpix is not None:
            sci.header["NGOODPIX"] = ngoodpix
        hdus.append(sci)
        for name in extra:
            dtype = np.int16 if name == "DQ" else np.float32
            hdus.append(fits.ImageHDU(np.zeros((8, 10), dtype=dtype), name=name, ver=version))
    fits.HDUList(hdus).writeto(path, overwrite=True, output_verify="silentfix")
    return path


def write_raw(path: Path, drizcorr: str | None = "PERFORM") -> Path:
    """Write a raw file: a primary header only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    for key, item in {**PRIMARY, "DRIZCORR": drizcorr}.items():
        if item is not None:
            primary.header[key] = item
    primary.writeto(path, overwrite=True)
    return path


def write_table(path: Path, rows: Iterable[tuple[Any, ...]], width: int = 14, present: bool = True) -> Path:
    """Write an association table of (MEMNAME, MEMTYPE[, MEMPRSNT]) rows; bytes are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [(*row, True)[:3] for row in rows]
    columns = [
        fits.Column("MEMNAME", f"{width}A", array=np.array([row[0] for row in rows], dtype=f"S{width}")),
        fits.Column("MEMTYPE", f"{width}A", array=np.array([row[1] for row in rows], dtype=f"S{width}")),
    ]
    if present:
        columns.append(fits.Column("MEMPRSNT", "1L", array=[bool(row[2]) for row in rows]))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="ASN")]).writeto(path, overwrite=True)
    return path


def write_mdriztab(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write an MDRIZTAB; the type of a column follows from its first value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = list(rows)
    columns = []
    for name, first in rows[0].items():
        form = {bool: "1L", int: "1J", float: "1E"}.get(type(first)) or f"{max(len(row[name]) for row in rows) or 1}A"
        columns.append(fits.Column(name, form, array=[row[name] for row in rows]))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path, overwrite=True)
    return path
