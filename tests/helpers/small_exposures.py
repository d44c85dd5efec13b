"""Small FITS files in the layout of HST's, for tests: exposures of 8 x 10 pixels, association tables, MDRIZTABs."""

from __future__ import annotations

import math
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


ANY = {
    "filter": "ANY", "numimages": 1, "subsky": True, "skywidth": 0.1, "skylower": math.nan, "skyclip": -2147483647,
    "combine_type": "minmed", "combine_nhigh": 1, "driz_sep_bits": 65535, "final_bits": 336, "final_scale": 0.05,
    "driz_cr_snr": "3.5 3.0", "skyuser": "", "staticfile": "x.fits", "crbitval": 4096, "coeffs": "header",
    "ra": math.nan, "bits": 64, "shiftfile": "",
}  # fmt: skip
MDRIZTAB_ROWS = [
    ANY,
    {**ANY, "numimages": 2, "combine_type": "median", "final_scale": 0.04},
    {**ANY, "filter": "F606W,CLEAR2L", "numimages": 1, "final_scale": 0.03},
    {**ANY, "filter": "F606W,CLEAR2L", "numimages": 4, "final_scale": 0.02, "driz_sep_bits": 4},
    {**ANY, "numimages": 6, "final_scale": 0.06, "subsky": False},
]

UVIS = {"INSTRUME": "WFC3", "DETECTOR": "UVIS", "FILTER": "F606W", "FILTER1": "", "FILTER2": ""}
EXCLUDED = [
    ({"OBSTYPE": "SPECTROSCOPIC", "FILTER1": "G800L"}, "OBSTYPE is SPECTROSCOPIC"),
    ({"OBSTYPE": "CORONAGRAPHIC"}, "OBSTYPE is CORONAGRAPHIC"),
    ({"DRIZCORR": "OMIT"}, "DRIZCORR is OMIT"),
    ({"DRIZCORR": "SKIPPED"}, "DRIZCORR is SKIPPED"),
    ({"MTFLAG": "T"}, "moving target"),
    ({"MTFLAG": True}, "moving target"),
    ({**UVIS, "SCAN_TYP": "C"}, "SCAN_TYP is C"),
    ({**UVIS, "SCAN_TYP": "D"}, "SCAN_TYP is D"),
    ({"TARGNAME": "DARK"}, "TARGNAME is DARK"),
    ({"EXPTIME": 0.0}, "EXPTIME is 0 s"),
    ({"EXPTIME": 1e-6}, "EXPTIME is 1e-06 s"),
    ({"EXPTIME": -1}, "EXPTIME is -1 s"),
    ({"EXPTIME": None}, "EXPTIME is not set"),
    ({**UVIS, "CHINJECT": "CONT"}, "CHINJECT is CONT"),
    ({"DETECTOR": "SBC", "FILTER1": "BLOCK1"}, "filter BLOCK1"),
]
