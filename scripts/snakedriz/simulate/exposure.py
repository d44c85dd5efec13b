"""Headers and FITS files of simulated exposures, in the layout calacs gives them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
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


@functools.cache
def _cards(template: str) -> dict[str, Any]:
    """Return the cards of a header beside this module, in its order: constants, and examples of what differs."""
    text = resources.files(__package__).joinpath(f"acs_wfc_{template}.hdr").read_text(encoding="ascii")
    return dict(fits.Header.fromstring(text, sep="\n"))


def _header(start: fits.Header, cards: Mapping[str, Any]) -> fits.Header:
    for key, value in cards.items():
        start[key] = value
    return start


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
    file = {
        "NEXTEND": 0 if suffix == "raw" else 6, "FILENAME": f"{facts.rootname}_{suffix}.fits",
        "ROOTNAME": facts.rootname, "LINENUM": f"01.{facts.step:03d}", "DRIZCORR": drizcorr,
        "PCTECORR": "COMPLETE" if suffix == "flc" else "OMIT", "ASN_ID": facts.asn.upper(),
        "ASN_TAB": f"{facts.asn}_asn.fits",
    }  # fmt: skip
    times = {
        "DATE-OBS": date, "TIME-OBS": time, "EXPSTART": facts.expstart,
        "EXPEND": facts.expstart + facts.exptime / 86400.0, "EXPTIME": facts.exptime, "DARKTIME": facts.exptime + 3.0,
        "PROCTIME": facts.expstart + 1.0,
    }  # fmt: skip
    place = {
        "RA_TARG": facts.target[0], "DEC_TARG": facts.target[1], "PA_V3": facts.pa_v3,
        "POSTARG1": facts.postarg[0], "POSTARG2": facts.postarg[1],
        "PATTERN1": "ACS-WFC-DITHER-BOX" if facts.n_steps > 1 else "NONE", "P1_NPTS": facts.n_steps,
        "PATTSTEP": facts.step,
    }  # fmt: skip
    detector = {
        "FILTER1": facts.model.filter1, "FILTER2": facts.model.filter2,
        **{f"READNSE{amp}": facts.read_noise for amp in "ABCD"},
    }  # fmt: skip
    cards = _cards("primary") | file | times | place | detector | dict(references)
    for name in names:
        if name not in references:
            del cards[name]
    return _header(fits.PrimaryHDU().header, cards)


def chip_header(facts: Facts, chip: int, name: str, crval: Sequence[float], cd: np.ndarray) -> fits.Header:
    """Header of a SCI, ERR or DQ extension of ``chip`` (CCDCHIP) with a plain linear world coordinate system.

    ``crval`` (deg) at the middle pixel of the chip, ``cd`` (2, 2) in deg per pixel.
    """
    rows, columns = facts.shape
    model = facts.model
    cards = _cards("chip") | {
        "EXTNAME": name, "EXTVER": CHIPS.index(chip) + 1, "ROOTNAME": facts.rootname, "EXPNAME": facts.rootname,
        "BUNIT": "UNITLESS" if name == "DQ" else "ELECTRONS", "CCDCHIP": chip, "CRPIX1": columns / 2,
        "CRPIX2": rows / 2, "CRVAL1": float(crval[0]), "CRVAL2": float(crval[1]),
        **{f"CD{i + 1}_{j + 1}": float(cd[i][j]) for i in (0, 1) for j in (0, 1)},
        "ORIENTAT": orientation(cd), "RA_APER": facts.aperture[0],
        "DEC_APER": facts.aperture[1], "PA_APER": facts.pa_aper, "VAFACTOR": facts.vafactor,
    }  # fmt: skip
    if name == "SCI":
        cards |= _cards("science") | {
            "CENTERA1": columns // 2 + 25, "CENTERA2": rows // 2 + 11, "SIZAXIS1": columns, "SIZAXIS2": rows,
            "PHOTMODE": f"ACS WFC1 {model.filter1} {model.filter2} MJD#{facts.expstart:.4f}",
            "PHOTFLAM": model.photflam, "PHOTPLAM": model.photplam, "PHOTBW": model.photbw,
            "NGOODPIX": rows * columns,
        }  # fmt: skip
    return _header(fits.ImageHDU().header, cards)


def write_association(path: Path, asn: str, rootnames: Sequence[str]) -> None:
    """Write the association table: one EXP-DTH row per exposure, then the PROD-DTH row, all names upper case."""
    about = {
        "FILENAME": path.name, "FILETYPE": "ASN_TABLE", "TELESCOP": "HST", "INSTRUME": "ACS", "DETECTOR": "WFC",
        "ROOTNAME": asn, "ASN_ID": asn.upper(), "ASN_TAB": path.name, "NEXTEND": 1,
    }  # fmt: skip
    primary = fits.PrimaryHDU(header=_header(fits.PrimaryHDU().header, about))
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
