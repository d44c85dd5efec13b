"""Headers and FITS files of simulated exposures, in the layout calacs gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from snakedriz.geometry import orientation
from snakedriz.simulate.distortion import FilterModel
from snakedriz.simulate.references import ReferenceFiles

CHIPS = (2, 1)
"""CCDCHIP of SCI,1 and SCI,2."""

MJD_ZERO = datetime(1858, 11, 17)


@dataclass(frozen=True)
class Facts:
    """What the headers of one exposure say. Angles in deg, times in s or MJD, noise in electrons.

    ``target`` and ``aperture`` are the reported positions; ``postarg`` is in arcsec along the detector axes.
    """

    rootname: str
    asn: str
    model: FilterModel
    shape: tuple[int, int]
    exptime: float
    expstart: float
    target: tuple[float, float]
    aperture: tuple[float, float]
    pa_v3: float
    pa_aper: float
    postarg: tuple[float, float]
    vafactor: float
    read_noise: float
    step: int
    n_steps: int


def iso_date(mjd: float) -> tuple[str, str]:
    """Date and time (UT, whole seconds) of a modified Julian date, as DATE-OBS and TIME-OBS write them."""
    moment = MJD_ZERO + timedelta(days=mjd)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")


def primary_header(
    facts: Facts, references: ReferenceFiles | Mapping[str, str], suffix: str, drizcorr: str = "PERFORM"
) -> fits.Header:
    """Primary header of ``<rootname>_<suffix>.fits``.

    The keyword set is that of a real ACS/WFC exposure (jbt122x8q_flc) less the ones nothing reads. ``references`` gives
    the reference file keywords: the written files name them with ``jref$``, skeletons in memory by full path.
    """
    date, time = iso_date(facts.expstart)
    names = ("IDCTAB", "D2IMFILE", "NPOLFILE", "MDRIZTAB")
    if isinstance(references, ReferenceFiles):
        references = {name: references.keyword(name) for name in names}
    cte = "COMPLETE" if suffix == "flc" else "OMIT"
    cards: dict[str, Any] = {
        "NEXTEND": 0 if suffix == "raw" else 6,
        "FILENAME": f"{facts.rootname}_{suffix}.fits",
        "FILETYPE": "SCI",
        "TELESCOP": "HST",
        "INSTRUME": "ACS",
        "EQUINOX": 2000.0,
        "ROOTNAME": facts.rootname,
        "IMAGETYP": "EXT",
        "PRIMESI": "ACS",
        "TARGNAME": "SIMULATED-FIELD",
        "RA_TARG": facts.target[0],
        "DEC_TARG": facts.target[1],
        "PROPOSID": 99999,
        "LINENUM": f"01.{facts.step:03d}",
        "PR_INV_L": "Simulator",
        "PR_INV_F": "",
        "PR_INV_M": "",
        "SUNANGLE": 90.0,
        "MOONANGL": 90.0,
        "SUN_ALT": 0.0,
        "FGSLOCK": "FINE",
        "GYROMODE": "T",
        "REFFRAME": "ICRS",
        "MTFLAG": "",
        "DATE-OBS": date,
        "TIME-OBS": time,
        "EXPSTART": facts.expstart,
        "EXPEND": facts.expstart + facts.exptime / 86400.0,
        "EXPTIME": facts.exptime,
        "EXPFLAG": "NORMAL",
        "QUALCOM1": "",
        "QUALCOM2": "",
        "QUALCOM3": "",
        "QUALITY": "",
        "DARKTIME": facts.exptime + 3.0,
        "PA_V3": facts.pa_v3,
        "POSTARG1": facts.postarg[0],
        "POSTARG2": facts.postarg[1],
        "PROCTIME": facts.expstart + 1.0,
        "OPUS_VER": "SIMULATED",
        "CAL_VER": "snakedriz.simulate",
        "OBSTYPE": "IMAGING",
        "OBSMODE": "ACCUM",
        "CTEIMAGE": "NONE",
        "SCLAMP": "NONE",
        "NRPTEXP": 1,
        "SUBARRAY": False,
        "DETECTOR": "WFC",
        "FILTER1": facts.model.filter1,
        "FILTER2": facts.model.filter2,
        "LRFWAVE": 0.0,
        "APERTURE": "WFC",
        "PROPAPER": "WFC",
        "DIRIMAGE": "NONE",
        "CTEDIR": "NONE",
        "CRSPLIT": 1,
        "STATFLAG": False,
        "WRTERR": True,
        "DQICORR": "COMPLETE",
        "ATODCORR": "OMIT",
        "BLEVCORR": "COMPLETE",
        "BIASCORR": "COMPLETE",
        "FLSHCORR": "OMIT",
        "CRCORR": "OMIT",
        "EXPSCORR": "COMPLETE",
        "SHADCORR": "OMIT",
        "PCTECORR": cte,
        "DARKCORR": "COMPLETE",
        "FLATCORR": "COMPLETE",
        "PHOTCORR": "COMPLETE",
        "RPTCORR": "OMIT",
        "DRIZCORR": drizcorr,
        "SINKCORR": "OMIT",
        "PFLTFILE": "N/A",
        "DGEOFILE": "N/A",
        **{name: references[name] for name in names if name in references},
        "MEANEXP": 0.0,
        "SKYSUB": "",
        "SKYSUM": 0.0,
        "T_SGSTAR": "",
        "PATTERN1": "ACS-WFC-DITHER-BOX" if facts.n_steps > 1 else "NONE",
        "P1_NPTS": facts.n_steps,
        "P1_FRAME": "POS-TARG",
        "PATTSTEP": facts.step,
        "FLASHDUR": 0.0,
        "FLASHCUR": "OFF",
        "FLASHSTA": "NOT PERFORMED",
        "CCDAMP": "ABCD",
        "CCDGAIN": 2.0,
        **{f"CCDOFST{amp}": 1 for amp in "ABCD"},
        "JWROTYPE": "DS_int",
        **{f"ATODGN{amp}": gain for amp, gain in zip("ABCD", (2.02, 1.886, 2.017, 2.011), strict=True)},
        **{f"READNSE{amp}": facts.read_noise for amp in "ABCD"},
        **{f"BIASLEV{amp}": 4200.0 for amp in "ABCD"},
        "ASN_ID": facts.asn.upper(),
        "ASN_TAB": f"{facts.asn}_asn.fits",
        "ASN_MTYP": "EXP-DTH",
    }
    header = fits.PrimaryHDU().header
    for key, value in cards.items():
        header[key] = value
    return header


def chip_header(facts: Facts, chip: int, name: str, crval: Sequence[float], cd: np.ndarray) -> fits.Header:
    """Header of a SCI, ERR or DQ extension of ``chip`` (CCDCHIP) with a plain linear world coordinate system.

    ``crval`` (deg) at the middle pixel of the chip, ``cd`` (2, 2) in deg per pixel.
    """
    rows, columns = facts.shape
    cards: dict[str, Any] = {
        "INHERIT": True,
        "EXTNAME": name,
        "EXTVER": CHIPS.index(chip) + 1,
        "ROOTNAME": facts.rootname,
        "EXPNAME": facts.rootname,
        "BUNIT": "UNITLESS" if name == "DQ" else "ELECTRONS",
        "CCDCHIP": chip,
        "WCSAXES": 2,
        "CRPIX1": columns / 2,
        "CRPIX2": rows / 2,
        "CRVAL1": float(crval[0]),
        "CRVAL2": float(crval[1]),
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CD1_1": float(cd[0][0]),
        "CD1_2": float(cd[0][1]),
        "CD2_1": float(cd[1][0]),
        "CD2_2": float(cd[1][1]),
        "LTV1": 0.0,
        "LTV2": 0.0,
        "LTM1_1": 1.0,
        "LTM2_2": 1.0,
        "ORIENTAT": orientation(cd),
        "RA_APER": facts.aperture[0],
        "DEC_APER": facts.aperture[1],
        "PA_APER": facts.pa_aper,
        "VAFACTOR": facts.vafactor,
        "RADESYS": "ICRS",
    }
    if name == "SCI":
        cards |= {
            "CENTERA1": columns // 2 + 25,
            "CENTERA2": rows // 2 + 11,
            "SIZAXIS1": columns,
            "SIZAXIS2": rows,
            "BINAXIS1": 1,
            "BINAXIS2": 1,
            "PHOTMODE": f"ACS WFC1 {facts.model.filter1} {facts.model.filter2} MJD#{facts.expstart:.4f}",
            "PHOTFLAM": facts.model.photflam,
            "PHOTZPT": -21.1,
            "PHOTPLAM": facts.model.photplam,
            "PHOTBW": facts.model.photbw,
            "NCOMBINE": 1,
            "FILLCNT": 0,
            "ERRCNT": 0,
            "PODPSFF": False,
            "STDCFFF": False,
            "WFCMPRSD": False,
            "NGOODPIX": rows * columns,
            "SDQFLAGS": 31743,
            "SOFTERRS": 0,
            "MEANDARK": 3.9,
            "MEANBLEV": 0.0,
            "MEANFLSH": 0.0,
        }
    header = fits.ImageHDU().header
    for key, value in cards.items():
        header[key] = value
    return header


def write_association(path: Path, asn: str, rootnames: Sequence[str]) -> None:
    """Write the association table: one EXP-DTH row per exposure, then the PROD-DTH row, all names upper case."""
    primary = fits.PrimaryHDU()
    for key, value in {
        "FILENAME": path.name,
        "FILETYPE": "ASN_TABLE",
        "TELESCOP": "HST",
        "INSTRUME": "ACS",
        "DETECTOR": "WFC",
        "ROOTNAME": asn,
        "ASN_ID": asn.upper(),
        "ASN_TAB": path.name,
        "NEXTEND": 1,
    }.items():
        primary.header[key] = value
    members = [*(r.upper() for r in rootnames), asn.upper()]
    types = ["EXP-DTH"] * len(rootnames) + ["PROD-DTH"]
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("MEMNAME", "14A", array=members),
            fits.Column("MEMTYPE", "14A", array=types),
            fits.Column("MEMPRSNT", "1L", array=[True] * len(members)),
        ],
        name="ASN",
    )
    fits.HDUList([primary, table]).writeto(path, overwrite=True)


def write_raw(path: Path, facts: Facts, references: ReferenceFiles) -> None:
    """Write the raw file: a primary header without pixels.

    The pipeline reads nothing of a raw file but DRIZCORR in its primary header; pixels would add 40 MB an exposure that
    nobody opens.
    """
    fits.HDUList([fits.PrimaryHDU(header=primary_header(facts, references, "raw"))]).writeto(path, overwrite=True)
