"""The WCS solutions of an exposure: primary, alternates (WCSNAMEA...Z) and HDRLET extensions, as a list.

Everything works on skeletons (`skeleton.from_exposure`), so that rules and the command line share it. What is wrong
with each solution is said by `validation.inspect`.
"""

from __future__ import annotations

import copy
import fnmatch
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning
from stwcs.wcsutil.headerlet import Headerlet

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import extension_name, from_exposure, science_extensions
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.wcs import headerlets, linear_wcs

PRIMARY, ALTERNATE, HEADERLET = "primary", "alternate", "headerlet"
#: Where a solution is taken from first.
ORDER = (HEADERLET, ALTERNATE, PRIMARY)
#: Keywords of a fit that an alternate WCS has with its letter.
_FIT = ("RMS_RA", "RMS_DEC", "NMATCHES", "HDRNAME", "CATALOG", "FITGEOM")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a solution."""

    code: str  # one word for programs (``no-sip``, ``stale-chip``, ...)
    text: str  # what was found
    repair: str  # what would repair it
    blocks: bool = True  # whether the solution must not be made active as it is

    def __str__(self) -> str:
        return f"{self.text} (repair: {self.repair})"


@dataclass(frozen=True)
class WcsSolution:
    """One WCS solution that an exposure carries."""

    where: str  # `PRIMARY`, `ALTERNATE` or `HEADERLET`
    key: str  # letter of an alternate WCS, else ``''``
    extver: int | None  # of the HDRLET extension
    place: int | None  # index of the HDRLET among all extensions: names it where EXTVER does not
    wcsname: str  # this and the next two: as found, blanks stripped; ``''`` if not set
    hdrname: str
    distname: str
    distortion: str  # root of the IDCTAB it was made for (``2731450pi``), or ``''``
    kind: str  # what follows the ``-`` of WCSNAME
    catalog: str  # that it was fitted to
    nmatch: int | None  # sources matched; None where the header does not say (0 where it says 0)
    rms_ra_mas: float | None  # of the fit; None where it is not set, not a number, or 0 (stwcs's word for none)
    rms_dec_mas: float | None
    rms_ra_px: float | None  # the same in pixels of the detector
    rms_dec_px: float | None
    chips: tuple[int, ...]  # EXTVER of the SCI extensions it has a WCS for
    active: bool  # whether it is the WCS in force: the primary one, and the alternate or headerlet of the same name
    problems: tuple[Problem, ...] = ()  # from `read` only whether it is truncated

    @property
    def blocked(self) -> bool:
        """Whether a problem forbids making it active."""
        return any(problem.blocks for problem in self.problems)

    @property
    def label(self) -> str:
        """Where it is, in words."""
        if self.where == HEADERLET:
            return f"HDRLET,{self.extver}"
        return "primary" if self.where == PRIMARY else f"alternate {self.key}"

    def with_problems(self, problems: Sequence[Problem]) -> WcsSolution:
        """Return the solution with these problems added."""
        return replace(self, problems=(*self.problems, *problems))

    def as_dict(self) -> dict[str, Any]:
        """Return the solution in JSON form."""
        return asdict(self)


def alternate_keys(skeleton: fits.HDUList) -> list[str]:
    """Return the letters of the alternate WCSs, sorted; an alternate counts if it has a name or a reference value."""
    keys: set[str] = set()
    for chip in science_extensions(skeleton):
        header = skeleton["SCI", chip].header
        for keyword in (*header["WCSNAME?"], *header["CRVAL1?"]):
            if keyword[-1].isalpha() and len(keyword) == (8 if keyword.startswith("WCSNAME") else 7):
                keys.add(keyword[-1])
    return sorted(keys)


def plate_scale(header: fits.Header) -> float | None:
    """Return the pixel scale of a SCI header in arcsec/px: IDCSCALE, else from the CD matrix."""
    scale = keywords.number(header, "IDCSCALE")
    if scale:
        return scale
    cd = [keywords.number(header, f"CD{i}_{j}") for i in (1, 2) for j in (1, 2)]
    if any(element is None for element in cd):
        return None
    return float(np.sqrt(abs(np.linalg.det(np.reshape(np.array(cd, float), (2, 2))))) * 3600) or None


def distortion_of(header: fits.Header, rootname: str, wcsname: str) -> str:
    """Return the root of the IDCTAB that a solution was made for.

    WCSNAME tells it (``IDC_<root>``); names that follow no convention leave it to SIPNAME or DISTNAME
    (``<rootname>_<root>-<npol>-<d2im>``), then to IDCTAB.
    """
    if root := wcsnames.parse(wcsname).idcroot:
        return root
    for keyword in ("SIPNAME", "DISTNAME"):
        model = keywords.text(header, keyword).lower().removeprefix(f"{rootname}_").split("-")[0]
        if model and model != "nomodel":
            return model
    idctab = keywords.text(header, "IDCTAB")
    return wcsnames.idcroot(idctab) if idctab not in ("", "N/A") else ""


def _catalog(stated: str, kind: str) -> str:
    parts = kind.split("_", 2)
    if stated:
        return stated
    return parts[2] if parts[0].upper() == "FIT" and len(parts) > 2 else ""


def _rms(mas: float | None, scale: float | None) -> tuple[float | None, float | None]:
    mas = mas or None
    return mas, (mas / 1000 / scale if mas and scale else None)


def _solution(
    skeleton: fits.HDUList, about: fits.Header, where: str, key: str = "", matches: str = "NMATCHES", **more: Any
) -> WcsSolution:
    """Make a solution; `about` is the header that describes the fit, `matches` its keyword of their number."""
    first = skeleton["SCI", science_extensions(skeleton)[0]].header
    scale = plate_scale(first)
    wcsname = keywords.text(about, f"WCSNAME{key}")
    nmatch = keywords.number(about, matches + key)
    ra, ra_px = _rms(keywords.number(about, f"RMS_RA{key}"), scale)
    dec, dec_px = _rms(keywords.number(about, f"RMS_DEC{key}"), scale)
    kind = wcsnames.parse(wcsname).kind
    return WcsSolution(
        where=where, key=key, wcsname=wcsname, hdrname=keywords.text(about, f"HDRNAME{key}"), kind=kind,
        catalog=_catalog(keywords.text(about, f"CATALOG{key}"), kind), nmatch=None if nmatch is None else int(nmatch),
        rms_ra_mas=ra, rms_dec_mas=dec, rms_ra_px=ra_px, rms_dec_px=dec_px,
        **{"extver": None, "place": None, "active": False, **more},
    )  # fmt: skip


def open_exposure(path: str | Path) -> fits.HDUList:
    """Read an exposure as `skeleton.from_exposure` does.

    Raises
    ------
    SnakedrizError
        If it is no FITS file, or damaged so that its headers cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)  # of truncation, which is found and named by the reader
            return from_exposure(path, journal=True)
    except (OSError, TypeError, ValueError, VerifyError) as error:
        raise SnakedrizError(f"{path}: cannot be read as an exposure ({error})", "fetch the file again") from error


def rootname(skeleton: fits.HDUList) -> str:
    """Return the ROOTNAME of an exposure, lower case (what follows an underscore is a suffix)."""
    return keywords.text(skeleton[0].header, "ROOTNAME").lower().partition("_")[0]


def read(skeleton: fits.HDUList) -> list[WcsSolution]:
    """Read every WCS solution that an exposure carries; whether they can be used is said by `validation.inspect`.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        As from `skeleton.from_exposure`; not changed.

    Returns
    -------
    list of WcsSolution
        The primary one, alternates by letter, HDRLET extensions in the order of the file.

    Raises
    ------
    SnakedrizError
        If there is no SCI extension.
    """
    chips = science_extensions(skeleton)
    if not chips:
        raise SnakedrizError("no SCI extension: not a calibrated HST exposure", "give an FLT, FLC or C0M file")
    root = rootname(skeleton)
    primary_header, first = skeleton[0].header, skeleton["SCI", chips[0]].header
    primary = _solution(
        skeleton, first, PRIMARY, active=True,
        distname=keywords.text(primary_header, "DISTNAME"),
        distortion=distortion_of(primary_header, root, keywords.text(first, "WCSNAME")),
        chips=tuple(c for c in chips if "CRVAL1" in skeleton["SCI", c].header),
    )  # fmt: skip
    found = [primary]
    for key in alternate_keys(skeleton):
        mine = tuple(c for c in chips if f"CRVAL1{key}" in skeleton["SCI", c].header)
        header = skeleton["SCI", mine[0] if mine else chips[0]].header
        wcsname = keywords.text(header, f"WCSNAME{key}")
        alternate = _solution(
            skeleton, header, ALTERNATE, key, chips=mine, distname="",
            distortion=wcsnames.parse(wcsname).idcroot,
        )  # fmt: skip
        found.append(replace(alternate, active=_same(alternate, primary)))
    for place in headerlets.headerlet_extensions(skeleton):
        attached = _headerlet_solution(skeleton, place, root)
        found.append(replace(attached, active=_same(attached, primary)))
    return found


def _same(other: WcsSolution, primary: WcsSolution) -> bool:
    """Whether the primary WCS is this solution, by HDRNAME, else by WCSNAME."""
    if other.hdrname and primary.hdrname:
        return other.hdrname.upper() == primary.hdrname.upper() and other.wcsname == primary.wcsname
    return bool(other.wcsname) and other.wcsname == primary.wcsname


def _headerlet_solution(skeleton: fits.HDUList, place: int, root: str) -> WcsSolution:
    hdu = skeleton[place]
    outer, extver = hdu.header, extension_name(hdu)[1]
    try:
        inner = headerlets.open_headerlet(hdu)
    except SnakedrizError as error:
        problem = Problem("truncated", error.reason, "fetch the file again, or take this headerlet from the archive")
        wcsname = keywords.text(outer, "WCSNAME")
        return _solution(
            skeleton, outer, HEADERLET, matches="NMATCH", extver=extver, place=place, chips=(),
            distname=keywords.text(outer, "DISTNAME"), distortion=distortion_of(outer, root, wcsname),
            problems=(problem,),
        )  # fmt: skip
    about = inner[0].header
    for keyword in ("WCSNAME", "HDRNAME", "DISTNAME", "SIPNAME"):  # said twice; the extension's header is the copy
        if not keywords.text(about, keyword) and keywords.text(outer, keyword):
            about[keyword] = keywords.text(outer, keyword)
    chips = tuple(int(keywords.number(s.header, "TG_EVER") or 0) for s in inner[1:] if extension_name(s)[0] == "SIPWCS")
    return _solution(
        skeleton, about, HEADERLET, matches="NMATCH", extver=extver, place=place, chips=chips,
        distname=keywords.text(about, "DISTNAME"),
        distortion=distortion_of(about, root, keywords.text(about, "WCSNAME")),
    )  # fmt: skip


def matching(found: Sequence[WcsSolution], wanted: str) -> list[WcsSolution]:
    """Return the solutions that a word of the user names, the preferred first.

    Tried in this order, and the first way that finds something counts: EXTVER of an HDRLET (a number); ``primary``;
    WCSNAME; HDRNAME; a pattern (``*``, ``?``) over WCSNAME; a pattern over HDRNAME. Upper and lower case count only
    where both are there. Preference: undamaged before damaged, then `wcsnames.PREFERENCE`, then headerlets before
    alternates before the primary, then the order of the file.
    """
    ways = [
        lambda s: wanted.isdecimal() and s.extver == int(wanted),
        lambda s: wanted.lower() == s.where == PRIMARY,
        lambda s: s.wcsname == wanted,
        lambda s: s.hdrname == wanted,
        lambda s: s.wcsname.lower() == wanted.lower(),
        lambda s: s.hdrname.lower() == wanted.lower(),
        lambda s: fnmatch.fnmatchcase(s.wcsname.lower(), wanted.lower()),
        lambda s: fnmatch.fnmatchcase(s.hdrname.lower(), wanted.lower()),
    ]
    for way in ways:
        if chosen := [s for s in found if way(s)]:
            return sorted(chosen, key=lambda s: (s.blocked, wcsnames.parse(s.wcsname).rank, ORDER.index(s.where)))
    return []


def with_own_headers(exposure: fits.HDUList) -> fits.HDUList:
    """Return the HDUs of an exposure with headers of their own and the same data."""
    copies = [copy.copy(hdu) for hdu in exposure]
    for made, hdu in zip(copies, exposure, strict=True):
        made.header = hdu.header.copy()
    return fits.HDUList(copies)


def promoted(skeleton: fits.HDUList, solution: WcsSolution) -> fits.HDUList:
    """Return a copy of an exposure's headers in which the primary or an alternate WCS is the primary one.

    The distortion model is the exposure's, or none where the alternate's CTYPE does not say ``-SIP``.
    """
    working = keywords.without_broken_cards(with_own_headers(skeleton))
    if solution.where != ALTERNATE:
        return working
    headerlets.clear_fit_keywords(working)
    undistorted = False
    for chip in solution.chips:
        header = working["SCI", chip].header
        own = [
            (card.keyword[:-1], card.value, card.comment)
            for card in header.cards
            if card.keyword.endswith(solution.key)
            and (linear_wcs.KEYWORDS.fullmatch(card.keyword[:-1]) or card.keyword[:-1] in _FIT)
        ]
        for keyword in [k for k in header if linear_wcs.KEYWORDS.fullmatch(k)]:
            header.remove(keyword, ignore_missing=True)
        for keyword, content, comment in own:
            header[keyword] = (content, comment)
        if not str(header.get("CTYPE1", "")).endswith("-SIP"):
            headerlets.clear_distortion(header)
            undistorted = True
    if undistorted:
        headerlets.remove_tables(working)
    return working


def headerlet_of(skeleton: fits.HDUList, solution: WcsSolution, hdrname: str = "", descrip: str = "") -> Headerlet:
    """Return a solution as a headerlet: the one in the file, or one made of the primary or an alternate WCS.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        The exposure; not changed.
    solution : WcsSolution
        One of `read`.
    hdrname, descrip : str
        HDRNAME (by default the solution's own, else made of exposure and WCSNAME) and DESCRIP of one that is made.

    Raises
    ------
    SnakedrizError
        If the headerlet in the file is truncated.
    """
    if solution.where == HEADERLET:
        return Headerlet(
            list(keywords.without_broken_cards(headerlets.open_headerlet(skeleton[solution.place]))), logging=False
        )
    working = promoted(skeleton, solution)
    wcsname = solution.wcsname or "UNKNOWN"
    for chip in science_extensions(working):
        working["SCI", chip].header["WCSNAME"] = wcsname
    default = headerlets.unique_hdrname(rootname(skeleton) or "exposure", "wcs", wcsname)
    return headerlets.make(working, hdrname or solution.hdrname or default, descrip=descrip)
