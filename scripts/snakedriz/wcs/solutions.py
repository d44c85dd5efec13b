"""The WCS solutions of an exposure: primary, alternates (WCSNAMEA...Z) and HDRLET extensions, as a list of records.

Everything works on skeletons (`skeleton.from_exposure`), so that rules and the command line share it.
"""

from __future__ import annotations

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
from snakedriz.wcs import headerlets

PRIMARY, ALTERNATE, HEADERLET = "primary", "alternate", "headerlet"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a solution.

    Attributes
    ----------
    code : str
        One word for programs (``no-sip``, ``stale-chip``, ...).
    text : str
        What was found.
    repair : str
        What would repair it.
    blocks : bool
        Whether the solution must not be made active as it is.
    """

    code: str
    text: str
    repair: str
    blocks: bool = True


@dataclass(frozen=True)
class Solution:
    """One WCS solution of an exposure.

    Attributes
    ----------
    where : str
        `PRIMARY`, `ALTERNATE` or `HEADERLET`.
    key : str
        Letter of an alternate WCS, else ``''``.
    extver : int or None
        EXTVER of the HDRLET extension.
    place : int or None
        Index of the HDRLET among all extensions of the exposure: names it where EXTVER does not.
    wcsname, hdrname, distname : str
        As found, blanks stripped; ``''`` if not set.
    distortion : str
        Root of the IDCTAB it was made for (``2731450pi``), or ``''``.
    kind, catalog : str
        What follows the ``-`` of WCSNAME; the catalogue it was fitted to.
    nmatch : int or None
        Sources matched, None where the header does not say (0 where it says 0).
    rms_ra_mas, rms_dec_mas : float or None
        RMS of the fit in mas; None where it is not set, not a number, or 0 (stwcs's word for none).
    rms_ra_px, rms_dec_px : float or None
        The same in pixels of the detector.
    chips : tuple of int
        EXTVER of the SCI extensions it has a WCS for.
    active : bool
        Whether it is the WCS in force: the primary one, and the records of the same name that it came from.
    problems : tuple of Problem
        Damage, by `damage.inspect`.
    """

    where: str
    key: str
    extver: int | None
    place: int | None
    wcsname: str
    hdrname: str
    distname: str
    distortion: str
    kind: str
    catalog: str
    nmatch: int | None
    rms_ra_mas: float | None
    rms_dec_mas: float | None
    rms_ra_px: float | None
    rms_dec_px: float | None
    chips: tuple[int, ...]
    active: bool
    problems: tuple[Problem, ...] = ()

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

    def with_problems(self, problems: Sequence[Problem]) -> Solution:
        """Return the record with these problems added."""
        return replace(self, problems=(*self.problems, *problems))

    def as_dict(self) -> dict[str, Any]:
        """Return the record in JSON form."""
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
    return (
        wcsnames.idcroot(keywords.text(header, "IDCTAB")) if keywords.text(header, "IDCTAB") not in ("", "N/A") else ""
    )


def _catalog(stated: str, kind: str) -> str:
    parts = kind.split("_", 2)
    if stated:
        return stated
    return parts[2] if parts[0].upper() == "FIT" and len(parts) > 2 else ""


def _rms(mas: float | None, scale: float | None) -> tuple[float | None, float | None]:
    mas = mas or None
    return mas, (mas / 1000 / scale if mas and scale else None)


def _record(
    skeleton: fits.HDUList, about: fits.Header, where: str, key: str, names_of: tuple[str, str], **more: Any
) -> Solution:
    """Make a record; `about` is the header that describes the fit, `names_of` the keywords of matches and catalogue."""
    first = skeleton["SCI", science_extensions(skeleton)[0]].header
    scale = plate_scale(first)
    wcsname = keywords.text(about, f"WCSNAME{key}")
    nmatch = keywords.number(about, names_of[0] + key)
    ra, ra_px = _rms(keywords.number(about, f"RMS_RA{key}"), scale)
    dec, dec_px = _rms(keywords.number(about, f"RMS_DEC{key}"), scale)
    kind = wcsnames.parse(wcsname).kind
    return Solution(
        where=where, key=key, wcsname=wcsname, hdrname=keywords.text(about, f"HDRNAME{key}"), kind=kind,
        catalog=_catalog(keywords.text(about, names_of[1] + key), kind), nmatch=None if nmatch is None else int(nmatch),
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
        raise SnakedrizError(f"{path}: cannot be read as an exposure ({error}); fetch the file again") from error


def rootname(skeleton: fits.HDUList) -> str:
    """Return the ROOTNAME of an exposure, lower case (what follows an underscore is a suffix)."""
    return keywords.text(skeleton[0].header, "ROOTNAME").lower().partition("_")[0]


def read(skeleton: fits.HDUList) -> list[Solution]:
    """Read every WCS solution that an exposure carries, each with what is wrong with it.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        As from `skeleton.from_exposure`; not changed.

    Returns
    -------
    list of Solution
        The primary one, alternates by letter, HDRLET extensions in the order of the file.

    Raises
    ------
    SnakedrizError
        If there is no SCI extension.
    """
    from snakedriz.wcs import validation

    chips = science_extensions(skeleton)
    if not chips:
        raise SnakedrizError("no SCI extension: not a calibrated HST exposure")
    root = rootname(skeleton)
    primary_header, first = skeleton[0].header, skeleton["SCI", chips[0]].header
    primary = _record(
        skeleton, first, PRIMARY, "", ("NMATCHES", "CATALOG"), active=True,
        distname=keywords.text(primary_header, "DISTNAME"),
        distortion=distortion_of(primary_header, root, keywords.text(first, "WCSNAME")),
        chips=tuple(c for c in chips if "CRVAL1" in skeleton["SCI", c].header),
    )  # fmt: skip
    found = [primary]
    for key in alternate_keys(skeleton):
        mine = tuple(c for c in chips if f"CRVAL1{key}" in skeleton["SCI", c].header)
        header = skeleton["SCI", mine[0] if mine else chips[0]].header
        wcsname = keywords.text(header, f"WCSNAME{key}")
        record = _record(
            skeleton, header, ALTERNATE, key, ("NMATCHES", "CATALOG"), chips=mine, distname="",
            distortion=wcsnames.parse(wcsname).idcroot,
        )  # fmt: skip
        found.append(replace(record, active=_same(record, primary)))
    for place in headerlets.headerlet_extensions(skeleton):
        record = _headerlet_record(skeleton, place, root)
        found.append(replace(record, active=_same(record, primary)))
    return validation.inspect(skeleton, found)


def _same(record: Solution, primary: Solution) -> bool:
    """Whether the primary WCS is this solution, by HDRNAME, else by WCSNAME."""
    if record.hdrname and primary.hdrname:
        return record.hdrname.upper() == primary.hdrname.upper() and record.wcsname == primary.wcsname
    return bool(record.wcsname) and record.wcsname == primary.wcsname


def _headerlet_record(skeleton: fits.HDUList, place: int, root: str) -> Solution:
    hdu = skeleton[place]
    outer, extver = hdu.header, extension_name(hdu)[1]
    try:
        inner = headerlets.open_headerlet(hdu)
    except SnakedrizError as error:
        problem = Problem("truncated", str(error), "fetch the file again, or take this headerlet from the archive")
        wcsname = keywords.text(outer, "WCSNAME")
        return _record(
            skeleton, outer, HEADERLET, "", ("NMATCH", "CATALOG"), extver=extver, place=place, chips=(),
            distname=keywords.text(outer, "DISTNAME"), distortion=distortion_of(outer, root, wcsname),
            problems=(problem,),
        )  # fmt: skip
    about = inner[0].header
    for keyword in ("WCSNAME", "HDRNAME", "DISTNAME", "SIPNAME"):  # said twice; the extension's header is the copy
        if not keywords.text(about, keyword) and keywords.text(outer, keyword):
            about[keyword] = keywords.text(outer, keyword)
    chips = tuple(int(keywords.number(s.header, "TG_EVER") or 0) for s in inner[1:] if extension_name(s)[0] == "SIPWCS")
    return _record(
        skeleton, about, HEADERLET, "", ("NMATCH", "CATALOG"), extver=extver, place=place, chips=chips,
        distname=keywords.text(about, "DISTNAME"),
        distortion=distortion_of(about, root, keywords.text(about, "WCSNAME")),
    )  # fmt: skip


def matching(found: Sequence[Solution], wanted: str) -> list[Solution]:
    """Return the solutions that a word of the user names, the preferred first.

    Tried in this order, and the first way that finds something counts: EXTVER of an HDRLET (a number); ``primary``;
    WCSNAME; HDRNAME; a pattern (``*``, ``?``) over WCSNAME; a pattern over HDRNAME. Upper and lower case count only
    where both are there. Preference: undamaged before damaged, then `names.PREFERENCE`, then headerlets before
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
    order = {HEADERLET: 0, ALTERNATE: 1, PRIMARY: 2}
    for way in ways:
        if chosen := [s for s in found if way(s)]:
            return sorted(chosen, key=lambda s: (s.blocked, wcsnames.parse(s.wcsname).rank, order[s.where]))
    return []


def choose(skeleton: fits.HDUList, found: Sequence[Solution], wanted: str) -> Solution:
    """Return the one solution that is meant by `wanted` (see `matching`).

    Raises
    ------
    SnakedrizError
        If nothing matches, or the best matches share a name and differ on the sky.
    """
    from snakedriz.wcs import sky_positions

    candidates = matching(found, wanted)
    if not candidates:
        have = ", ".join(dict.fromkeys(s.wcsname or s.hdrname or s.label for s in found))
        raise SnakedrizError(f"no solution matches {wanted!r}; the file has {have}")
    best = candidates[0]
    rivals = [
        s for s in candidates[1:]
        if s.where == best.where and s.blocked == best.blocked and (s.wcsname == best.wcsname or wanted.isdecimal())
    ]  # fmt: skip
    if not best.blocked:
        for rival in rivals:
            if (apart := sky_positions.largest_difference(skeleton, best, rival)) > sky_positions.LIMIT_MICROARCSEC:
                raise SnakedrizError(
                    f"{wanted!r} names {best.label} ({best.hdrname}) and {rival.label} ({rival.hdrname}), which differ "
                    f"by {apart / 1000:.3f} mas; give the HDRNAME or EXTVER of one, or repair the names first "
                    "(snakedriz wcs check --repair-to)"
                )
    return best


def headerlet_of(skeleton: fits.HDUList, solution: Solution, hdrname: str = "", descrip: str = "") -> Headerlet:
    """Return a solution as a headerlet: the one in the file, or one made of the primary or an alternate WCS.

    Parameters
    ----------
    skeleton : `~astropy.io.fits.HDUList`
        The exposure; not changed.
    solution : Solution
        One of `read`.
    hdrname, descrip : str
        HDRNAME (by default the solution's own, else made of exposure and WCSNAME) and DESCRIP of one that is made.

    Raises
    ------
    SnakedrizError
        If the headerlet in the file is truncated.
    """
    from snakedriz.wcs import sky_positions

    if solution.where == HEADERLET:
        return Headerlet(
            list(keywords.without_broken_cards(headerlets.open_headerlet(skeleton[solution.place]))), logging=False
        )
    working = sky_positions.promoted(skeleton, solution)
    wcsname = solution.wcsname or "UNKNOWN"
    for chip in science_extensions(working):
        working["SCI", chip].header["WCSNAME"] = wcsname
    default = headerlets.unique_hdrname(rootname(skeleton) or "exposure", "wcs", wcsname)
    return headerlets.make(working, hdrname or solution.hdrname or default, descrip=descrip)
