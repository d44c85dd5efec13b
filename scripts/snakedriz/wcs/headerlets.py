"""Headerlets: read a directory of them, say what is wrong with one, apply, attach, make and write them."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from stwcs.updatewcs import copyWCS
from stwcs.wcsutil import HSTWCS
from stwcs.wcsutil.headerlet import Headerlet, HeaderletHDU, create_headerlet

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import extension_name, science_extensions
from snakedriz.fits_headers import keywords, wcsnames


@dataclass(frozen=True)
class HeaderletFile:
    """What a headerlet file says of itself."""

    path: str
    destim: str  # rootname of the exposure it was made for, lower case
    wcsname: str
    hdrname: str
    distname: str
    chips: tuple[int, ...]  # EXTVER of the SCI extensions it has a WCS for
    problem: str  # why it cannot be applied, ``''`` if it can

    @property
    def name(self) -> wcsnames.SolutionName:
        """The WCSNAME taken apart."""
        return wcsnames.parse(self.wcsname)


def _problem(hdul: fits.HDUList) -> str:
    """Return why a headerlet cannot be applied; the damage seen in the archive's own (drizzlepac 1367, 1496, 2047)."""
    chips = [hdu for hdu in hdul[1:] if extension_name(hdu)[0] == "SIPWCS"]
    if not chips:
        return "no SIPWCS extension"
    for hdu in chips:
        where = f"SIPWCS,{hdu.header.get('EXTVER', 1)}"
        if "TG_EVER" not in hdu.header:
            return f"{where} does not say which chip it is for (TG_EVER)"
        if "A_ORDER" not in hdu.header or not str(hdu.header.get("CTYPE1", "")).endswith("-SIP"):
            return f"{where} has no SIP distortion (A_ORDER, CTYPE1 ending in -SIP)"
        if "IDCSCALE" not in hdu.header:
            return f"{where} has no IDCSCALE"
    return ""


def read_directory(directory: str | Path) -> list[HeaderletFile]:
    """Read every ``*hlet.fits`` below a directory.

    Returns
    -------
    list of HeaderletFile
        Sorted by path.

    Raises
    ------
    SnakedrizError
        If the directory is absent, or a file is not FITS or has none of a headerlet's keywords.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise SnakedrizError(
            f"solutions.headerlets: {directory} is not a directory",
            "give the folder that holds the *hlet.fits files",
        )
    return [describe(path) for path in sorted(directory.rglob("*hlet.fits"))]


def describe(path: str | Path) -> HeaderletFile:
    """Read what one headerlet file says of itself.

    Raises
    ------
    SnakedrizError
        If it is not FITS or has none of a headerlet's keywords.
    """
    try:
        with fits.open(path, memmap=False) as hdul:
            header = hdul[0].header
            if "DESTIM" not in header or "WCSNAME" not in header:
                raise SnakedrizError(f"{path}: not a headerlet, its primary header lacks DESTIM or WCSNAME", _REPLACE)
            chips = tuple(int(hdu.header.get("TG_EVER", 0)) for hdu in hdul[1:] if extension_name(hdu)[0] == "SIPWCS")
            return HeaderletFile(
                str(path),
                str(header["DESTIM"]).strip().lower(),
                str(header["WCSNAME"]).strip(),
                str(header.get("HDRNAME", "")).strip(),
                str(header.get("DISTNAME", "")).strip(),
                chips,
                _problem(hdul),
            )
    except OSError as error:
        raise SnakedrizError(f"{path}: not a readable FITS file ({error})", _REPLACE) from error


def load_whole(path: str | Path) -> Headerlet:
    """Read a headerlet file into memory, checking that it is whole; cards that no library can read are left out.

    Raises
    ------
    SnakedrizError
        If it is truncated, no FITS file or no headerlet.
    """
    found = _parse(Path(path).read_bytes(), str(path))
    if not keywords.text(found[0].header, "DESTIM"):
        raise SnakedrizError(f"{path}: not a headerlet, its primary header lacks DESTIM", _REPLACE)
    return Headerlet(list(keywords.without_broken_cards(found)), logging=False)


def load(path: str | Path) -> Headerlet:
    """Read a headerlet file into memory."""
    return Headerlet.fromfile(str(path), mode="readonly", memmap=False)


_REPLACE = "replace the file or remove it"
_AGAIN = "take the headerlet from the archive again"
_BLOCK = 2880  # FITS files are made of blocks of this size
#: Extensions that hold the tables of a distortion model.
_TABLES = ("WCSDVARR", "D2IMARR")
#: Cards of a headerlet's SIPWCS extension that describe the extension and not the WCS.
_STRUCTURE = (
    "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER", "INHERIT",
    "TG_ENAME", "TG_EVER", "CHECKSUM", "DATASUM",
)  # fmt: skip
#: Keywords of the distortion model in a SCI header that a new one may not mention and must not inherit.
_DISTORTION = re.compile(
    r"[AB]P?_(\d_\d|ORDER|DMAX)|(CPDIS|CPERR|DP|D2IMDIS|D2IMERR|D2IM|DQ)\d(\..*)?|D2IMEXT|NPOLEXT|AXISCORR"
)
#: Keywords of a linear WCS that some solutions have and others lack (those as commanded have CDELT and the poles).
_LEFTOVER = re.compile(r"CDELT\d|CROTA\d|PC\d_\d|PV\d_\d+|LONPOLE|LATPOLE")


def clear_distortion(header: fits.Header) -> None:
    """Remove the distortion model (SIP, NPOL, D2IM) from a SCI header."""
    for keyword in [k for k in header if _DISTORTION.fullmatch(k)]:
        header.remove(keyword, ignore_missing=True, remove_all=True)


def remove_tables(skeleton: fits.HDUList) -> None:
    """Remove the extensions that hold the tables of the distortion model."""
    for index in reversed([i for i, hdu in enumerate(skeleton) if i and extension_name(hdu)[0] in _TABLES]):
        del skeleton[index]


def apply(skeleton: fits.HDUList, headerlet: Headerlet) -> None:
    """Make a headerlet's WCS the primary one of an exposure, for every chip, in place.

    Nothing is archived or attached here. The distortion model that comes with the headerlet (SIP, NPOL and D2IM
    tables) replaces the exposure's.

    Raises
    ------
    SnakedrizError
        If the headerlet does not cover the exposure's chips.
    """
    chips = {int(hdu.header["TG_EVER"]): hdu for hdu in headerlet[1:] if extension_name(hdu)[0] == "SIPWCS"}
    missing = set(science_extensions(skeleton)) - set(chips)
    if missing:
        raise SnakedrizError(
            f"headerlet {headerlet[0].header.get('HDRNAME')}: has no WCS for SCI extension {sorted(missing)} of "
            f"{headerlet[0].header.get('DESTIM')}",
            "use a headerlet that has a WCS for every chip",
        )
    clear_fit_keywords(skeleton)
    remove_tables(skeleton)
    for chip in science_extensions(skeleton):
        target, source = skeleton["SCI", chip].header, chips[chip].header
        clear_distortion(target)
        for keyword in [k for k in target if _LEFTOVER.fullmatch(k) and k not in source]:
            del target[keyword]
        for card in source.cards:
            if card.keyword in _STRUCTURE or card.keyword in ("COMMENT", "HISTORY", ""):
                continue
            if card.field_specifier:  # record-valued, DP1 = 'EXTVER: 1': several cards share one keyword
                target.append(card, end=True)
            else:
                target[card.keyword] = (card.value, card.comment)
        target["WCSNAME"] = headerlet[0].header["WCSNAME"]
        target["HDRNAME"] = headerlet[0].header.get("HDRNAME", "")
    for hdu in headerlet[1:]:
        if extension_name(hdu)[0] in _TABLES:
            skeleton.append(hdu.copy())
    skeleton[0].header["NEXTEND"] = len(skeleton) - 1
    sync_companions(skeleton)


def clear_fit_keywords(skeleton: fits.HDUList) -> None:
    """Remove the keywords of an earlier fit from all SCI headers."""
    for chip in science_extensions(skeleton):
        for keyword in wcsnames.FIT_KEYWORDS:
            skeleton["SCI", chip].header.remove(keyword, ignore_missing=True)


def sync_companions(skeleton: fits.HDUList) -> None:
    """Copy the primary WCS of each SCI header to its ERR and DQ headers, as updatewcs does."""
    for chip in science_extensions(skeleton):
        wcs = HSTWCS(skeleton, ext=("SCI", chip))
        for hdu in skeleton[1:]:
            name, version = extension_name(hdu)
            if name in ("ERR", "DQ") and version == chip:
                copyWCS(wcs, hdu.header)


def unique_hdrname(root: str, kind: str, wcsname: str) -> str:
    """Return a HDRNAME that is unique for an exposure file and solution, the form stwcs gives its own."""
    return f"{root}_{kind}_{hashlib.sha1(wcsname.encode(), usedforsecurity=False).hexdigest()[:6]}-hlet.fits"


def make(skeleton: fits.HDUList, hdrname: str, author: str = "snakedriz", descrip: str = "") -> Headerlet:
    """Make a headerlet of the primary WCS, all chips.

    The date in it is the start of the exposure, so that the same input gives the same bytes.
    """
    chips = [("SCI", chip) for chip in science_extensions(skeleton)]
    # logging=False: stwcs's decorator otherwise opens a headerlet.log in the working directory
    headerlet = create_headerlet(skeleton, sciext=chips, hdrname=hdrname, author=author, descrip=descrip, logging=False)
    primary = skeleton[0].header
    headerlet[0].header["DATE"] = f"{primary.get('DATE-OBS', '')}T{primary.get('TIME-OBS', '00:00:00')}"
    first = skeleton["SCI", chips[0][1]].header
    for keyword, target in (("NMATCHES", "NMATCH"), ("CATALOG", "CATALOG"), ("FITGEOM", "FITGEOM")):
        if keyword in first:
            headerlet[0].header[target] = first[keyword]
    for _, chip in chips:
        source = skeleton["SCI", chip].header
        target_header = headerlet["SIPWCS", chip].header
        for keyword in ("RMS_RA", "RMS_DEC", "NMATCHES", "FITGEOM", "CRDER1", "CRDER2"):
            if keyword in source:
                target_header[keyword] = (source[keyword], source.comments[keyword])
    return headerlet


def attach(skeleton: fits.HDUList, headerlets: Iterable[Headerlet]) -> None:
    """Append headerlets as HDRLET extensions, EXTVER counted up from those present, equal HDRNAMEs left out."""
    present = [hdu for hdu in skeleton[1:] if extension_name(hdu)[0] == "HDRLET"]
    seen = {str(hdu.header.get("HDRNAME", "")).upper() for hdu in present}
    version = max((extension_name(hdu)[1] for hdu in present), default=0)
    for headerlet in headerlets:
        name = str(headerlet[0].header["HDRNAME"]).upper()
        if name in seen:
            continue
        seen.add(name)
        version += 1
        hdu = HeaderletHDU.fromheaderlet(headerlet)
        hdu.header["EXTVER"] = version
        skeleton.append(hdu)
    skeleton[0].header["NEXTEND"] = len(skeleton) - 1


def raw_headerlet(hdu: HeaderletHDU) -> bytes:
    """Return the FITS file that an HDRLET extension holds.

    Raises
    ------
    SnakedrizError
        If the extension is shorter than its header says or cannot be uncompressed.
    """
    place = hdu.fileinfo()
    place["file"].seek(place["datLoc"])
    raw = place["file"].read(hdu.size)
    where = f"HDRLET,{extension_name(hdu)[1]}"
    if len(raw) < hdu.size:
        raise SnakedrizError(f"{where}: truncated: {len(raw)} of {hdu.size} bytes", _AGAIN)
    if keywords.value(hdu.header, "COMPRESS"):
        try:
            raw = gzip.decompress(raw.rstrip(b"\0 "))
        except (OSError, EOFError, zlib.error) as error:
            raise SnakedrizError(f"{where}: cannot be uncompressed ({error})", _AGAIN) from error
    return raw


def open_headerlet(hdu: HeaderletHDU) -> fits.HDUList:
    """Read the FITS file that an HDRLET extension holds, checking that it is whole.

    Raises
    ------
    SnakedrizError
        If it is truncated or no FITS file.
    """
    return _parse(raw_headerlet(hdu), f"HDRLET,{extension_name(hdu)[1]}")


def _parse(raw: bytes, where: str) -> fits.HDUList:
    """Read the bytes of a headerlet, checking that it is whole; raises SnakedrizError."""
    end = position = 0
    try:
        found = fits.HDUList.fromstring(raw)
        for inner in found:
            cards = range(position, len(raw), 80)
            last = next((at for at in cards if raw.startswith(b"END     ", at)), len(raw))
            end = -(-(last + 80) // _BLOCK) * _BLOCK + inner.size
            position = -(-end // _BLOCK) * _BLOCK
    except (OSError, VerifyError, ValueError, TypeError) as error:
        raise SnakedrizError(f"{where}: holds no FITS file ({error})", _AGAIN) from error
    if not len(found) or end > len(raw):
        raise SnakedrizError(f"{where}: truncated: {len(raw)} bytes where its headers announce {max(end, 1)}", _AGAIN)
    return found


def headerlet_extensions(skeleton: fits.HDUList) -> list[int]:
    """Return the index of every HDRLET extension, in the order of the file."""
    return [index for index, hdu in enumerate(skeleton) if index and extension_name(hdu)[0] == "HDRLET"]
