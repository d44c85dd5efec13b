"""The facts of one calibrated exposure, read once and never changed; damaged files are found here."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snakedriz.artefacts.inventory import ChipRecord, ExposureFacts, HeaderFacts
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import screening
from snakedriz.fits_headers.fast_header import AGAIN, HeaderUnit, units
from snakedriz.fits_headers.rootnames import ExposureKey

#: Detectors with two chips when the whole of them is read.
TWO_CHIPS = {("ACS", "WFC"), ("WFC3", "UVIS")}
_DTYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
#: Pixels looked at in one go for data that are not zero.
_CHUNK = 1 << 20


def read(path: str | Path, pixels: bool = True) -> ExposureFacts:
    """Read the facts of one calibrated exposure.

    Parameters
    ----------
    path : str or Path
        An FLT or FLC file; opened read-only.
    pixels : bool
        Whether to look for pixels that are not zero; without it `all_zero` is None.

    Raises
    ------
    SnakedrizError
        If the file is not FITS, is truncated, or lacks an extension it should have.
    """
    found = units(path)
    primary = found[0].cards
    science = [unit for unit in found[1:] if unit.name[0] == "SCI"]
    _check_extensions(path, primary, found, science)
    chips = [
        ChipRecord(
            extver=unit.name[1],
            ccdchip=_if_one_of(unit.cards.get("CCDCHIP"), int),
            shape=_shape(unit, path),
            ngoodpix=screening.good_pixels(unit.cards),
            all_zero=_all_zero(path, unit) if pixels else None,
        )
        for unit in science
    ]
    return ExposureFacts(
        **vars(primary_facts(primary, path)),
        wcsname=_text(science[0].cards, "WCSNAME"),
        all_zero=all(chip.all_zero for chip in chips) if pixels else None,
        chips=chips,
    )


def primary_facts(primary: Mapping[str, Any], path: str | Path = "") -> HeaderFacts:
    """Return the facts that the primary header of an exposure tells; the file's name stands in for ROOTNAME."""
    return HeaderFacts(
        rootname=str(primary.get("ROOTNAME") or "").strip().lower() or ExposureKey.parse(path).rootname,
        instrument=screening.text(primary, "INSTRUME") or None,
        detector=screening.text(primary, "DETECTOR") or None,
        filter=",".join(screening.filter_names(primary)),
        exptime=_number(primary, "EXPTIME"),
        expstart=_number(primary, "EXPSTART"),
        expend=_number(primary, "EXPEND"),
        date_obs=_text(primary, "DATE-OBS"),
        targname=_text(primary, "TARGNAME"),
        proposid=_if_one_of(primary.get("PROPOSID"), int, str),
        ra_targ=_number(primary, "RA_TARG"),
        dec_targ=_number(primary, "DEC_TARG"),
        pa_v3=_number(primary, "PA_V3"),
        subarray=_if_one_of(primary.get("SUBARRAY"), bool, str),
        drizcorr=_text(primary, "DRIZCORR"),
        idctab=_text(primary, "IDCTAB"),
        d2imfile=_text(primary, "D2IMFILE"),
        npolfile=_text(primary, "NPOLFILE"),
        mdriztab=_text(primary, "MDRIZTAB"),
    )


def headers(path: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the primary header and the headers of the SCI extensions, for `screening.screen`."""
    found = units(path)
    return found[0].cards, [unit.cards for unit in found[1:] if unit.name[0] == "SCI"]


def _check_extensions(
    path: str | Path, primary: Mapping[str, Any], found: list[HeaderUnit], science: list[HeaderUnit]
) -> None:
    have = {unit.name for unit in found[1:]}
    listed = ", ".join(f"{name or 'unnamed'},{version}" for name, version in (u.name for u in found[1:])) or "none"
    if not science:
        raise SnakedrizError(f"{path}: expected an extension SCI,1, found these extensions: {listed}", AGAIN)
    lacking = [f"DQ,{unit.name[1]}" for unit in science if ("DQ", unit.name[1]) not in have]
    if lacking:
        raise SnakedrizError(f"{path}: expected the extension {' and '.join(lacking)}, found these: {listed}", AGAIN)
    for unit in science:
        if unit.cards.get("XTENSION") != "IMAGE":
            found_there = f"{path}: SCI,{unit.name[1]} is not an image but {unit.cards.get('XTENSION')}"
            if unit.cards.get("ZIMAGE"):
                raise SnakedrizError(f"{found_there}: tile-compressed", "uncompress the file with funpack")
            raise SnakedrizError(found_there, AGAIN)
    # A file cut between two extensions looks whole. NEXTEND alone does not prove it: deleting headerlets leaves it as
    # it was, so only a missing chip counts.
    announced, kind = primary.get("NEXTEND"), (primary.get("INSTRUME"), primary.get("DETECTOR"))
    full_frame = kind in TWO_CHIPS and not primary.get("SUBARRAY")
    if full_frame and len(science) < 2 and isinstance(announced, int) and announced > len(found) - 1:
        raise SnakedrizError(
            f"{path}: truncated: its header announces {announced} extensions, found {len(found) - 1} ({listed}), and "
            "one of the two chips is missing",
            AGAIN,
        )


def _shape(unit: HeaderUnit, path: str | Path) -> tuple[int, int]:
    naxis = unit.cards.get("NAXIS")
    if naxis == 2 and unit.data_size:
        return int(unit.cards["NAXIS2"]), int(unit.cards["NAXIS1"])
    if naxis == 0 and unit.cards.get("NPIX1") and unit.cards.get("NPIX2"):  # an array of one value, kept in PIXVALUE
        return int(unit.cards["NPIX2"]), int(unit.cards["NPIX1"])
    raise SnakedrizError(
        f"{path}: SCI,{unit.name[1]} has no pixels (NAXIS = {naxis}), expected an image with 2 axes", AGAIN
    )


def _all_zero(path: str | Path, unit: HeaderUnit) -> bool:
    """Whether no pixel is finite and different from zero; reading stops at the first piece that has one."""
    cards = unit.cards
    if not unit.data_size:
        return not cards.get("PIXVALUE")
    zero = -float(cards.get("BZERO") or 0) / float(cards.get("BSCALE") or 1)
    dtype = np.dtype(_DTYPES[int(cards["BITPIX"])])
    with Path(path).open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        count = unit.data_size // dtype.itemsize
        for first in range(0, count, _CHUNK):
            piece = np.frombuffer(mapped, dtype, min(_CHUNK, count - first), unit.data_start + first * dtype.itemsize)
            nonzero = bool(np.any((piece != zero) & (np.isfinite(piece) if dtype.kind == "f" else True)))
            del piece  # the map cannot be closed while an array points into it
            if nonzero:
                return False
    return True


def _text(header: Mapping[str, Any], keyword: str) -> str | None:
    value = header.get(keyword)
    return None if value is None else str(value).strip() or None


def _number(header: Mapping[str, Any], keyword: str) -> float | None:
    value = header.get(keyword)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _if_one_of(value: Any, *kinds: type) -> Any:
    return value if type(value) in kinds else None
