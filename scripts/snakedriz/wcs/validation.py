"""What is wrong with the solutions of an exposure, what would repair it, and the repair of what can be repaired."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from astropy.io import fits
from stwcs.wcsutil.headerlet import Headerlet, HeaderletHDU

from snakedriz import geometry
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import extension_name, science_extensions
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.wcs import headerlets, linear_wcs, sky_positions, solutions
from snakedriz.wcs.solutions import ALTERNATE, HEADERLET, PRIMARY, Problem, WcsSolution

#: A chip that parts from the other by more than this, compared with the distortion model, did not move with it. The
#: archive's sound headerlets stay below 0.2 mas (rounding of SIP terms), its stale ones are 8 to 180 mas off.
STALE_MAS = 1.0
_ESSENTIAL = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
_AGAIN = "take the headerlet from the archive again"


def inspect(skeleton: fits.HDUList) -> list[WcsSolution]:
    """Return every WCS solution that an exposure carries (`solutions.read`), each with what is wrong with it."""
    found = solutions.read(skeleton)
    judged = [
        solution.with_problems(
            _headerlet(skeleton, solution) if solution.where == HEADERLET else _own(skeleton, solution)
        )
        for solution in found
    ]
    own = found[0].distortion
    judged = [s.with_problems(_model(skeleton, s, own)) for s in judged]
    judged = [s.with_problems(_numbering(judged, s)) for s in judged]
    return _stale(skeleton, judged)


def _chips(skeleton: fits.HDUList, have: Sequence[int], again: str) -> list[Problem]:
    chips = science_extensions(skeleton)
    if lacking := sorted(set(chips) - set(have)):
        which = ", ".join(f"SCI,{chip}" for chip in lacking)
        return [Problem("chips-missing", f"has no WCS for {which} (the exposure has {len(chips)} chips)", again)]
    return []


def _cards(header: fits.Header, key: str, where: str, again: str) -> list[Problem]:
    """Keywords of a linear WCS that are absent or not a number."""
    absent = [f"{k}{key}" for k in _ESSENTIAL if f"{k}{key}" not in header]
    bad = [f"{k}{key}" for k in _ESSENTIAL if f"{k}{key}" in header and keywords.number(header, f"{k}{key}") is None]
    found = []
    if absent:
        found.append(Problem("keyword-missing", f"{where} lacks {', '.join(absent)}", again))
    if bad:
        found.append(Problem("not-a-number", f"{', '.join(bad)} of {where} is not a number", again))
    return found


def _tables(header: fits.Header, tables: fits.HDUList, where: str, again: str) -> list[Problem]:
    """Tables of the distortion model that a header refers to and that are not there."""
    have = {extension_name(hdu) for hdu in tables[1:]}
    lacking = []
    for axis in (1, 2):
        for switch, record, name in (
            (f"CPDIS{axis}", f"DP{axis}", "WCSDVARR"),
            (f"D2IMDIS{axis}", f"D2IM{axis}", "D2IMARR"),
        ):
            if keywords.text(header, switch).upper() == "LOOKUP":
                version = int(keywords.number(header, f"{record}.EXTVER") or 0)
                if (name, version) not in have:
                    lacking.append(f"{name},{version}")
    return (
        [Problem("table-missing", f"{where} refers to {', '.join(lacking)}, which is not there", again)]
        if lacking
        else []
    )


def _sip(header: fits.Header, where: str, again: str, wcsname: str, key: str = "") -> list[Problem]:
    """A WCS that should have SIP terms and has none, or lacks the scale they belong to."""
    said = keywords.text(header, f"CTYPE1{key}").endswith("-SIP")
    has = "A_ORDER" in header and "B_ORDER" in header
    if not (said or (has and not key) or wcsnames.parse(wcsname).idcroot):
        return []  # as commanded (OPUS): no distortion is meant
    found = []
    if not (said and has):
        found.append(
            Problem("no-sip", f"{where} has no SIP distortion (A_ORDER, B_ORDER, CTYPE1{key} ending in -SIP)", again)
        )
    if keywords.number(header, "IDCSCALE") is None:
        found.append(Problem("no-idcscale", f"{where} has no IDCSCALE", again))
    return found


def _headerlet(skeleton: fits.HDUList, solution: WcsSolution) -> list[Problem]:
    if solution.problems:
        return []  # truncated: nothing more can be said
    inner = headerlets.open_headerlet(skeleton[solution.place])
    found = []
    chips = [hdu for hdu in inner[1:] if extension_name(hdu)[0] == "SIPWCS"]
    for hdu in chips:
        where = f"SIPWCS,{extension_name(hdu)[1]}"
        if keywords.number(hdu.header, "TG_EVER") is None:
            found.append(Problem("no-chip", f"{where} does not say which chip it is for (TG_EVER)", _AGAIN))
        found += _cards(hdu.header, "", where, _AGAIN)
        found += _sip(hdu.header, where, _AGAIN, solution.wcsname)
        found += _tables(hdu.header, inner, where, _AGAIN)
    found += _chips(skeleton, solution.chips, _AGAIN)
    destim, root = keywords.text(inner[0].header, "DESTIM").lower().partition("_")[0], solutions.rootname(skeleton)
    if destim and root and destim != root:
        found.append(Problem("other-exposure", f"was made for {destim}, this is {root}", "remove it from this file"))
    if not solution.wcsname:
        found.append(Problem("no-name", "has no WCSNAME", _AGAIN, blocks=False))
    return found


def _own(skeleton: fits.HDUList, solution: WcsSolution) -> list[Problem]:
    """Problems of the primary or an alternate WCS."""
    again = (
        "switch to one of the file's headerlets" if solution.where == PRIMARY else "use a headerlet of the same name"
    )
    found = []
    said = set()
    for chip in science_extensions(skeleton):
        header = skeleton["SCI", chip].header
        where = f"SCI,{chip}"
        said.add(keywords.text(header, f"WCSNAME{solution.key}"))
        if chip not in solution.chips:
            continue
        found += _cards(header, solution.key, where, again)
        found += _sip(header, where, again, solution.wcsname, solution.key)
        if solution.where == PRIMARY:
            found += _tables(header, skeleton, where, again)
    found += _chips(skeleton, solution.chips, again)
    if len(said) > 1:
        each = ", ".join(sorted(name or "no name" for name in said))
        found.append(Problem("chips-differ", f"the chips have different solutions: {each}", again))
    if not solution.wcsname:
        found.append(
            Problem("no-name", f"has no WCSNAME{solution.key}", "none is needed to use it by key", blocks=False)
        )
    return found


def _model(skeleton: fits.HDUList, solution: WcsSolution, own: str) -> list[Problem]:
    """A distortion model other than the exposure's; a solution without distortion has none to differ."""
    if solution.where == PRIMARY or not own or not solution.distortion or solution.distortion == own:
        return []
    if solution.where == HEADERLET and not _distorted(skeleton, solution):
        return []
    text = f"was made for the distortion model {solution.distortion}, the exposure has {own}"
    return [
        Problem(
            "other-distortion", text, "use a solution made for the exposure's IDCTAB, or run updatewcs with the other"
        )
    ]


def _distorted(skeleton: fits.HDUList, solution: WcsSolution) -> bool:
    if any(problem.code == "truncated" for problem in solution.problems):
        return True
    inner = headerlets.open_headerlet(skeleton[solution.place])
    return any("A_ORDER" in hdu.header for hdu in inner[1:]) or bool(wcsnames.parse(solution.wcsname).idcroot)


def _numbering(found: Sequence[WcsSolution], solution: WcsSolution) -> list[Problem]:
    """HDRNAME and EXTVER that other headerlets have too, and EXTVER that is not the place among them."""
    if solution.where != HEADERLET:
        return []
    mine = [s for s in found if s.where == HEADERLET]
    problems = []
    if solution.hdrname and Counter(s.hdrname.upper() for s in mine)[solution.hdrname.upper()] > 1:
        same = ", ".join(s.label for s in mine if s.hdrname.upper() == solution.hdrname.upper())
        text = f"HDRNAME {solution.hdrname} comes more than once ({same})"
        problems.append(Problem("duplicate-hdrname", text, "snakedriz wcs check --repair-to DIR", blocks=False))
    expected = mine.index(solution) + 1
    if Counter(s.extver for s in mine)[solution.extver] > 1:
        text = f"EXTVER {solution.extver} comes more than once; this is headerlet {expected} of the file"
        problems.append(Problem("duplicate-extver", text, "snakedriz wcs check --repair-to DIR", blocks=False))
    elif solution.extver != expected:
        text = f"EXTVER is {solution.extver}, but it is headerlet {expected} of the file"
        problems.append(Problem("extver", text, "snakedriz wcs check --repair-to DIR", blocks=False))
    return problems


def _stale(skeleton: fits.HDUList, found: list[WcsSolution]) -> list[WcsSolution]:
    """Add which solutions have a chip that did not move with the others (behaviour page, B5).

    What a fit does to the chips of an exposure is one linear map of the tangent plane. It is found from the first chip,
    against the distortion model alone, and must hold for the others. The tables of the distortion model (NPOL, D2IM)
    are the same for all solutions and left out.
    """
    if len(science_extensions(skeleton)) < 2:
        return found
    judged = []
    base = _bare(skeleton, found)
    for solution in found:
        if solution.blocked or not wcsnames.parse(solution.wcsname).kind:
            judged.append(solution)
            continue
        text = _stale_names(skeleton, solution)
        apart = _parted(base, sky_positions.of_solution(skeleton, solution, tables=False)) if base is not None else {}
        off = {chip: mas for chip, mas in apart.items() if mas > STALE_MAS}
        if off or text:
            moved = ", ".join(f"SCI,{chip} is {mas:.1f} mas off" for chip, mas in off.items())
            text = "; ".join(
                part for part in (f"the chips did not move together: {moved}" if moved else "", text) if part
            )
            twin = _twin(found, solution)
            repair = f"snakedriz wcs check --repair-to DIR (takes the chips from {twin.label}), " if twin else ""
            solution = solution.with_problems(
                [Problem("stale-chip", text, f"{repair}{'or ' if repair else ''}{_AGAIN}")]
            )
        judged.append(solution)
    return judged


def _stale_names(skeleton: fits.HDUList, solution: WcsSolution) -> str:
    if solution.where != HEADERLET:
        return ""
    inner = headerlets.open_headerlet(skeleton[solution.place])
    said = {
        extension_name(hdu)[1]: keywords.text(hdu.header, "WCSNAME")
        for hdu in inner[1:]
        if extension_name(hdu)[0] == "SIPWCS" and keywords.text(hdu.header, "WCSNAME")
    }
    other = {version: name for version, name in said.items() if name != solution.wcsname}
    if not other or len(set(said.values())) < 2:
        return ""
    return "; ".join(f"SIPWCS,{version} still holds {name}" for version, name in sorted(other.items()))


def _bare(skeleton: fits.HDUList, found: Sequence[WcsSolution]) -> sky_positions.Points | None:
    """Positions by the distortion model alone, or by the least fitted solution there is."""
    usable = [
        s
        for s in found
        if not s.blocked and s.wcsname and wcsnames.parse(s.wcsname).idcroot and not _stale_names(skeleton, s)
    ]
    usable = [s for s in usable if not wcsnames.parse(s.wcsname).is_fit]
    if not usable:
        return None
    return sky_positions.of_solution(
        skeleton, min(usable, key=lambda s: (bool(s.kind), s.where != HEADERLET)), tables=False
    )


def _parted(base: sky_positions.Points, moved: sky_positions.Points) -> dict[int, float]:
    """Return by how many mas each chip but the first departs from the motion of the first one."""
    first, *others = sorted(base)
    centre = base[first].mean(axis=0)

    def plane(points: np.ndarray) -> np.ndarray:
        xi, eta, _ = geometry.sky_to_plane(points[:, 0], points[:, 1], *centre)
        return np.column_stack([xi, eta]) * 3.6e6  # mas

    def design(points: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(points)), points / 1e5])

    start = plane(base[first])
    fit, *_ = np.linalg.lstsq(design(start), plane(moved[first]) - start, rcond=None)
    apart = {}
    for chip in others:
        start = plane(base[chip])
        apart[chip] = float(np.abs(plane(moved[chip]) - start - design(start) @ fit).max())
    return apart


def _twin(found: Sequence[WcsSolution], solution: WcsSolution) -> WcsSolution | None:
    """The primary or an alternate WCS that is the same solution, with all its chips right."""
    for other in found:
        same = other.wcsname == solution.wcsname and other.distortion == solution.distortion
        if (
            other.where in (PRIMARY, ALTERNATE)
            and same
            and not other.blocked
            and (not other.hdrname or other.hdrname.upper() == solution.hdrname.upper())
        ):
            return other
    return None


def repair(skeleton: fits.HDUList) -> list[str]:
    """Repair, in place, what can be repaired of an exposure's headerlets; returns what was done.

    EXTVER is counted from 1 in the order of the file; a headerlet that comes twice with the same content is kept once,
    with different content the later one gets a HDRNAME of its own; stale chips are taken from the primary or alternate
    WCS of the same name, if it has all chips right. A truncated headerlet is removed: it cannot be applied anyway.
    """
    done: list[str] = []
    for solution in reversed(solutions.read(skeleton)):  # truncation is found without `inspect`
        codes = {problem.code for problem in solution.problems}
        if "truncated" in codes:
            del skeleton[solution.place]
            done.append(f"{solution.label} ({solution.hdrname}): removed, truncated")
    taken: set[str] = set()
    contents: set[bytes] = set()
    drop = []
    for place in headerlets.headerlet_extensions(skeleton):
        hdu = skeleton[place]
        hdrname, content = keywords.text(hdu.header, "HDRNAME"), _content(hdu)
        if content in contents:
            drop.append(place)
            done.append(f"HDRLET,{extension_name(hdu)[1]} ({hdrname}): removed, the same is in the file already")
        elif hdrname and hdrname.upper() in taken:
            fresh = renamed(hdrname, content)
            inner = headerlets.open_headerlet(hdu)
            inner[0].header["HDRNAME"] = fresh
            skeleton[place] = _encapsulate(inner, hdu.header)
            taken.add(fresh.upper())
            done.append(f"HDRLET,{extension_name(hdu)[1]}: HDRNAME {hdrname} was taken, now {fresh}")
        contents.add(content)
        taken.add(hdrname.upper())
    for place in reversed(drop):
        del skeleton[place]
    for count, place in enumerate(headerlets.headerlet_extensions(skeleton), start=1):
        version = extension_name(skeleton[place])[1]
        if version != count or "EXTVER" not in skeleton[place].header:
            skeleton[place].header["EXTVER"] = count
            done.append(f"HDRLET,{version}: EXTVER is now {count}")
    done += _repair_stale(skeleton)
    skeleton[0].header["NEXTEND"] = len(skeleton) - 1
    return done


def _content(hdu: HeaderletHDU) -> bytes:
    return hashlib.sha256(headerlets.raw_headerlet(hdu)).digest()


def renamed(hdrname: str, content: bytes) -> str:
    """Return another HDRNAME for a headerlet whose name is taken by one with different content."""
    stem = hdrname.removesuffix(".fits").removesuffix("-hlet").removesuffix("_hlet")
    return f"{stem}_{hashlib.sha1(content, usedforsecurity=False).hexdigest()[:6]}-hlet.fits"


def _encapsulate(inner: fits.HDUList, outer: fits.Header) -> HeaderletHDU:
    """Return an HDRLET extension that holds `inner`, with the EXTVER of `outer`."""
    about = inner[0].header
    for keyword in ("HDRNAME", "DATE", "WCSNAME", "DISTNAME", "NPOLFILE", "D2IMFILE"):  # stwcs wants them all
        if keyword not in about:
            about[keyword] = keywords.text(outer, keyword)
    made = HeaderletHDU.fromheaderlet(Headerlet(list(keywords.without_broken_cards(inner)), logging=False))
    made.header["EXTVER"] = extension_name(fits.ImageHDU(header=fits.Header(outer)))[1] if "EXTVER" in outer else 1
    return made


def _repair_stale(skeleton: fits.HDUList) -> list[str]:
    done = []
    found = inspect(skeleton)
    for solution in found:
        twin = _twin(found, solution)
        if solution.where != HEADERLET or twin is None or "stale-chip" not in {p.code for p in solution.problems}:
            continue
        hdu = skeleton[solution.place]
        inner = headerlets.open_headerlet(hdu)
        source = solutions.promoted(skeleton, twin)
        for chip in inner[1:]:
            if extension_name(chip)[0] != "SIPWCS":
                continue
            good = source["SCI", int(chip.header["TG_EVER"])].header
            for keyword in (k for k in good if linear_wcs.KEYWORDS.fullmatch(k)):
                chip.header[keyword] = good[keyword]
        skeleton[solution.place] = _encapsulate(inner, hdu.header)
        made = next(s for s in inspect(skeleton) if s.place == solution.place)
        if made.blocked:
            reason = f"{solution.label}: taking its chips from {twin.label} did not repair it"
            raise SnakedrizError(reason, _AGAIN)
        done.append(f"{solution.label} ({solution.hdrname}): all chips taken from {twin.label}, of the same name")
    return done
