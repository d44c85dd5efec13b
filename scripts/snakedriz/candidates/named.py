"""Candidates from solutions that exist: what the exposures carry, by WCSNAME or HDRNAME, or a folder of headerlets.

Everything starts from the input exposures as they came (alternates and HDRLET extensions), never from what another
candidate changed; their headerlets are repaired in the copy where they can be. A solution that not all exposures have,
that is damaged, or that was made for another distortion model is an outcome with the reason and what would repair it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits
from stwcs.wcsutil.headerlet import Headerlet

from snakedriz.artefacts.solution import Solution, SolutionExposure
from snakedriz.candidates import bundle
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.exposures.skeleton import Skeletons, science_extensions
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.fits_headers.fast_header import primary_cards
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import consistency, headerlets, sky_positions, solutions, switching, validation
from snakedriz.wcs.solutions import HEADERLET, ORDER, Problem, WcsSolution

#: Path of a headerlet file, and what it holds, or why it cannot be used.
_Loaded = tuple[str, Headerlet | str]


@dataclass
class _Found:
    """What one exposure has of what is asked for."""

    root: str
    # by generic name: the file that has it, and the solution
    usable: dict[str, tuple[ExposureKey, WcsSolution]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)  # what matches and cannot be used, each with the reason
    has: list[str] = field(default_factory=list)  # WCSNAMEs of all its solutions
    repaired: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # by generic name: the headerlet file it came from


def make(candidate: str, way: str, text: str, skeletons: Skeletons, files: Sequence[str] = ()) -> Solution:
    """Make one existing solution the active WCS of all exposures of an association.

    One solution is taken for each exposure, from its first kind of file that has it, and goes into all of them, FLT as
    FLC. Where several kinds of solution match, the first in the order of preference that all exposures have is taken:
    different ones would break the relative alignment.

    Parameters
    ----------
    candidate : str
        Its name.
    way, text : str
        One of `settings.named_solutions.WAYS`, and what is asked for.
    skeletons : dict
        Skeletons of the input exposures, the preferred kind first; changed in place, to be thrown away unless ok.
    files : sequence of str
        Headerlet files of the folder for these exposures (`headerlets`).
    """
    owners: dict[str, list[ExposureKey]] = {}
    for owner in skeletons:
        owners.setdefault(owner.rootname, []).append(owner)
    loaded, unreadable = _load(files) if way == "headerlets" else ({}, [])
    found = [_Found(root) for root in owners]
    try:
        for one in found:
            mine = owners[one.root]
            if way == "headerlets":
                _from_files(one, mine[0], skeletons[mine[0]], loaded.get(one.root, []))
            for owner in mine if way != "headerlets" else ():
                _from_exposure(one, owner, skeletons[owner], way, text)
        name, why = _choose(found, way, text, unreadable)
        exposures = [entry for one in found for entry in _apply(one, name, skeletons, owners[one.root])]
    except NotApplicable as outcome:
        rows = [
            SolutionExposure(rootname=f.root, available=sorted(f.usable), refused=f.refused, repaired=f.repaired)
            for f in found
        ]
        return bundle.not_applicable(candidate, outcome.reason, rows)
    active = sorted({str(exposure.wcsname) for exposure in exposures})
    return Solution(candidate=candidate, outcome="ok", reason=why, wcsname=",".join(active), exposures=exposures)


def _load(files: Sequence[str]) -> tuple[dict[str, list[_Loaded]], list[str]]:
    """Read headerlet files; returns those of each exposure (or why one is damaged), and what names no exposure."""
    loaded: dict[str, list[_Loaded]] = {}
    unreadable = []
    for path in files:
        try:
            root = str(primary_cards(path, ("DESTIM",)).get("DESTIM") or "").strip().lower()
        except SnakedrizError as error:
            unreadable.append(error.reason)
            continue
        if not root:
            unreadable.append(f"{path}: not a headerlet, its primary header lacks DESTIM")
            continue
        try:
            loaded.setdefault(root, []).append((path, headerlets.load_whole(path)))
        except SnakedrizError as error:
            loaded.setdefault(root, []).append(
                (path, f"{error.reason} (repair: take the headerlet from the archive again)")
            )
    return loaded, unreadable


def _repair(one: _Found, owner: ExposureKey, skeleton: fits.HDUList) -> None:
    """Repair the headerlets of an exposure in the copy, and remember what was done; raises NotApplicable."""
    try:
        one.repaired += [f"{owner}: {said}" for said in validation.repair(skeleton)]
    except SnakedrizError as error:
        raise NotApplicable(f"{owner}: its headerlets could not be repaired: {error.reason}") from error


def _from_files(one: _Found, owner: ExposureKey, skeleton: fits.HDUList, loaded: Sequence[_Loaded]) -> None:
    """Attach the headerlets of the folder to an exposure and judge each; records what can be used and what not."""
    _repair(one, owner, skeleton)
    records: dict[str, str] = {}
    for path, headerlet in loaded:
        if isinstance(headerlet, str):
            one.refused.append(headerlet)
            continue
        try:
            record = switching.attach(skeleton, validation.inspect(skeleton), headerlet)
        except SnakedrizError as error:
            one.refused.append(f"{path}: {error.reason}")
            continue
        records.setdefault(record.hdrname, path)
    attached = [s for s in validation.inspect(skeleton) if s.where == HEADERLET and s.hdrname in records]
    one.has = [s.wcsname for s in attached]
    _sort(one, owner, skeleton, attached, {hdrname: f"{path}: " for hdrname, path in records.items()})
    one.files = {name: records[record.hdrname] for name, (_, record) in one.usable.items()}


def _from_exposure(one: _Found, owner: ExposureKey, skeleton: fits.HDUList, way: str, text: str) -> None:
    """Find what is asked for among the solutions of an exposure, its headerlets repaired where they can be."""
    before = [s for s in validation.inspect(skeleton) if s.where == HEADERLET and s.blocked]
    _repair(one, owner, skeleton)
    records = validation.inspect(skeleton)
    left = {s.hdrname for s in records}
    one.has = list(dict.fromkeys([*one.has, *(s.wcsname or s.label for s in records)]))
    # what could not be repaired and was removed (truncated) is still what was asked for
    gone = [s for s in before if s.hdrname not in left]
    where = {s.hdrname: f"{owner}: " for s in (*gone, *records)}
    _sort(one, owner, skeleton, matching([*records, *gone], way, text), where)


def matching(found: Sequence[WcsSolution], way: str, text: str) -> list[WcsSolution]:
    """Return the solutions that are asked for, in the order of the file.

    A WCSNAME without ``-`` means the distortion model alone: ``IDC_*`` is not ``IDC_x-GSC240``. Upper and lower case
    are the same.
    """

    def like(said: str, pattern: str) -> bool:
        return bool(said) and fnmatch.fnmatchcase(said.lower(), pattern.lower())

    bare = re.fullmatch(r"IDC_[^-]*", text, flags=re.IGNORECASE)
    by_name = [s for s in found if like(s.wcsname, text) and not (bare and "-" in s.wcsname)]
    by_hdrname = [s for s in found if like(s.hdrname, text)]
    return {"wcsname": by_name, "hdrname": by_hdrname, "either": by_name or by_hdrname}[way]


def _sort(
    one: _Found, owner: ExposureKey, skeleton: fits.HDUList, matched: Sequence[WcsSolution], where: Mapping[str, str]
) -> None:
    """Record of the solutions that match which can be used, by generic name, and why the others cannot."""
    groups: dict[str, list[WcsSolution]] = {}
    for record in matched:
        problems = [p for p in (*record.problems, *_unfit(skeleton, record)) if p.blocks]
        if problems:
            said = "; ".join(map(str, problems))
            one.refused.append(f"{where.get(record.hdrname, '')}{record.label} {record.wcsname}: {said}")
        else:
            groups.setdefault(consistency.generic(record) or record.hdrname, []).append(record)
    for name, group in groups.items():
        best, *others = sorted(group, key=lambda s: ORDER.index(s.where))
        for other in (s for s in others if s.where == best.where):
            if (apart := sky_positions.largest_difference(skeleton, best, other)) > sky_positions.LIMIT_MICROARCSEC:
                one.refused.append(
                    f"{owner}: {best.label} ({best.hdrname}) and {other.label} ({other.hdrname}) are both "
                    f"{best.wcsname} and differ by {apart / 1000:.3f} mas (repair: ask for one of them by HDRNAME)"
                )
                break
        else:
            one.usable.setdefault(name, (owner, best))


def _unfit(skeleton: fits.HDUList, record: WcsSolution) -> list[Problem]:
    """What forbids a sound solution as a candidate: no distortion model to drizzle with, or another than IDCTAB."""
    root = wcsnames.parse(record.wcsname).idcroot
    own = wcsnames.idcroot(keywords.text(skeleton[0].header, "IDCTAB"))
    known = any(p.code == "other-distortion" for p in record.problems)
    if root and own not in ("", "n/a") and root != own and not known:
        text = f"was made for the distortion model {root}, IDCTAB of the exposure is {own}"
        return [Problem("other-distortion", text, "use a solution made for the exposure's IDCTAB")]
    if record.blocked:
        return []
    headerlet = solutions.headerlet_of(skeleton, record)
    for hdu in headerlet[1:]:
        if "TG_EVER" in hdu.header and ("A_ORDER" not in hdu.header or keywords.number(hdu.header, "IDCSCALE") is None):
            text = "has no distortion model (no SIP or no IDCSCALE), so nothing can be drizzled with it"
            return [Problem("no-sip", text, "use a solution with one: IDC_* is the distortion model alone")]
    return []


def _choose(found: Sequence[_Found], way: str, text: str, unreadable: Sequence[str]) -> tuple[str, str]:
    """Choose the solution that all exposures have; returns its generic name and why.

    Raises
    ------
    NotApplicable
        If there is none, with what each exposure lacks and what would repair it.
    """
    asked = repr(text) if way == "either" else f"{way} {text!r}"
    common = set.intersection(*(set(f.usable) for f in found)) if found else set()
    if common:
        ranked = consistency.best_first(common)
        why = f"{asked}: {ranked[0]}"
        if len(ranked) > 1:
            why += f", first in the order of preference among {', '.join(ranked)}"
        count = sum(len(f.repaired) for f in found)
        return ranked[0], why + (f"; repairs of headerlets in the copy: {count}, listed by exposure" if count else "")
    said = []
    for one in (f for f in found if not f.usable):
        if one.refused:
            said.append(f"{one.root}: {'; '.join(one.refused)}")
        elif way == "headerlets":
            said.append(f"{one.root}: no headerlet in {text} is for it (DESTIM)")
        else:
            said.append(f"{one.root}: no solution matches {asked}; it has {', '.join(one.has) or 'none'}")
    have = [f for f in found if f.usable]
    if have and said:
        said.append(f"{', '.join(f.root for f in have)}: {', '.join(sorted({n for f in have for n in f.usable}))}")
        said.append("repair: add headerlets of this solution for the exposures without, or ask for one that all have")
    elif have:
        each = "; ".join(f"{f.root}: {', '.join(sorted(f.usable))}" for f in found)
        said.append(f"no solution is common to all exposures ({each}); repair: ask for one that all have")
    raise NotApplicable("; ".join([f"not all exposures can take {asked}", *said, *unreadable]))


def _apply(one: _Found, name: str, skeletons: Skeletons, mine: Sequence[ExposureKey]) -> list[SolutionExposure]:
    """Make the chosen solution of an exposure active in all its kinds of file."""
    source, record = one.usable[name]
    headerlet = solutions.headerlet_of(skeletons[source], record)
    predicted = sky_positions.of_headerlet(skeletons[source], headerlet)
    notes = [*map(str, record.problems), *(f"not used: {said}" for said in one.refused)]
    rows = []
    for owner in mine:
        if set(science_extensions(skeletons[owner])) != set(predicted):
            raise NotApplicable(f"{owner}: its chips are not those of {source}, which has the solution; use one kind")
        if owner != source:
            _repair(one, owner, skeletons[owner])
        before, kept = _make_active(skeletons[owner], headerlet, record)
        rows.append(
            SolutionExposure(
                rootname=one.root, file=str(owner), source=one.files.get(name, f"{record.label} of {source}"),
                wcsname=record.wcsname, hdrname=record.hdrname, before=before, nmatch=record.nmatch,
                rms_ra_mas=record.rms_ra_mas, rms_dec_mas=record.rms_dec_mas,
                proof_microarcsec=switching.prove(owner, skeletons[owner], predicted),
                repaired=[said for said in one.repaired if said.startswith(f"{owner}: ")], notes=[*notes, *kept],
            )
        )  # fmt: skip
    return rows


def _make_active(skeleton: fits.HDUList, headerlet: Headerlet, record: WcsSolution) -> tuple[str, list[str]]:
    """Make a solution active in one file; returns the WCSNAME that was, and a note if that WCS is not kept."""
    active = validation.inspect(skeleton)
    notes = []
    if active[0].blocked or not active[0].wcsname:
        notes.append("the WCS that was active is not kept as a headerlet: it has no name or is damaged")
    else:
        switching.backup(skeleton, active)
    switching.make_active(skeleton, headerlet, record)
    headerlets.attach(skeleton, [headerlet])
    return active[0].wcsname, notes


def folder_files(folder: str | Path, files: Sequence[str]) -> list[str]:
    """Return the headerlet files of a folder that were found for the exposures.

    Raises
    ------
    SnakedrizError
        If it is no folder: a misspelt path must not look like exposures without solutions.
    """
    if not Path(folder).is_dir():
        raise SnakedrizError(
            f"candidates: headerlets: {folder} is not a directory", "give the folder that holds the *hlet.fits files"
        )
    return list(files)
