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
from typing import Any

from astropy.io import fits

from snakedriz.artefacts import plain
from snakedriz.candidates.stages import Skeletons, not_applicable, solution
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.fits_headers.fast_header import primary_cards
from snakedriz.wcs import consistency, headerlets, sky_positions, solutions, switching, validation
from snakedriz.wcs.solutions import ALTERNATE, HEADERLET, PRIMARY, Problem, Solution

_ORDER = {HEADERLET: 0, ALTERNATE: 1, PRIMARY: 2}


@dataclass
class _Found:
    """What one exposure has of what is asked for."""

    root: str
    usable: dict[str, tuple[str, Solution]] = field(default_factory=dict)  # by generic name: whose skeleton, record
    refused: list[str] = field(default_factory=list)  # what matches and cannot be used, each with the reason
    has: list[str] = field(default_factory=list)  # WCSNAMEs of all its solutions
    repaired: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # by generic name: the headerlet file it came from


def make(candidate: str, wanted: Mapping[str, str], skeletons: Skeletons, files: Sequence[str] = ()) -> dict[str, Any]:
    """Make one existing solution the active WCS of all exposures of an association.

    One solution is taken for each exposure, from its first kind of file that has it, and goes into all of them, FLT as
    FLC. Where several kinds of solution match, the first in the order of preference that all exposures have is taken:
    different ones would break the relative alignment.

    Parameters
    ----------
    candidate : str
        Its name.
    wanted : mapping
        One of `alternatives.WAYS` and its text.
    skeletons : dict
        Skeletons of the input exposures, from ``<root>_<kind>``, the preferred kind first; changed in place, and to be
        thrown away unless the outcome is ok.
    files : sequence of str
        Headerlet files of the folder for these exposures (`headerlets`).

    Returns
    -------
    dict
        The solution in its JSON form.
    """
    way, text = next(iter(wanted.items()))
    owners: dict[str, list[str]] = {}
    for owner in skeletons:
        owners.setdefault(owner.rpartition("_")[0], []).append(owner)
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
        about = [
            {"rootname": f.root, "available": sorted(f.usable), "refused": f.refused, "repaired": f.repaired}
            for f in found
        ]
        return not_applicable(candidate, outcome.reason, about)
    active = sorted({entry["wcsname"] for entry in exposures})
    return plain(solution(candidate, "ok", why, ",".join(active), exposures))


def _load(files: Sequence[str]) -> tuple[dict[str, list[tuple[str, Any]]], list[str]]:
    """Read headerlet files; returns those of each exposure (or why one is damaged), and what names no exposure."""
    loaded: dict[str, list[tuple[str, Any]]] = {}
    unreadable = []
    for path in files:
        try:
            root = str(primary_cards(path, ("DESTIM",)).get("DESTIM") or "").strip().lower()
        except SnakedrizError as error:
            unreadable.append(str(error))
            continue
        if not root:
            unreadable.append(f"{path}: not a headerlet, its primary header lacks DESTIM")
            continue
        try:
            loaded.setdefault(root, []).append((path, headerlets.load_whole(path)))
        except SnakedrizError as error:
            loaded.setdefault(root, []).append((path, f"{error} (repair: take the headerlet from the archive again)"))
    return loaded, unreadable


def _repair(one: _Found, owner: str, skeleton: fits.HDUList) -> None:
    """Repair the headerlets of an exposure in the copy, and remember what was done; raises NotApplicable."""
    try:
        one.repaired += [f"{owner}: {said}" for said in validation.repair(skeleton)]
    except SnakedrizError as error:
        raise NotApplicable(f"{owner}: its headerlets could not be repaired: {error}") from error


def _from_files(one: _Found, owner: str, skeleton: fits.HDUList, loaded: Sequence[tuple[str, Any]]) -> None:
    """Attach the headerlets of the folder to an exposure and judge each; records what can be used and what not."""
    _repair(one, owner, skeleton)
    records: dict[str, str] = {}
    for path, headerlet in loaded:
        if isinstance(headerlet, str):
            one.refused.append(headerlet)
            continue
        try:
            record = switching.attach(skeleton, solutions.read(skeleton), headerlet)
        except SnakedrizError as error:
            one.refused.append(f"{path}: {error}")
            continue
        records.setdefault(record.hdrname, path)
    attached = [s for s in solutions.read(skeleton) if s.where == HEADERLET and s.hdrname in records]
    one.has = [s.wcsname for s in attached]
    _sort(one, owner, skeleton, attached, {hdrname: f"{path}: " for hdrname, path in records.items()})
    one.files = {name: records[record.hdrname] for name, (_, record) in one.usable.items()}


def _from_exposure(one: _Found, owner: str, skeleton: fits.HDUList, way: str, text: str) -> None:
    """Find what is asked for among the solutions of an exposure, its headerlets repaired where they can be."""
    before = [s for s in solutions.read(skeleton) if s.where == HEADERLET and s.blocked]
    _repair(one, owner, skeleton)
    records = solutions.read(skeleton)
    left = {s.hdrname for s in records}
    one.has = list(dict.fromkeys([*one.has, *(s.wcsname or s.label for s in records)]))
    # what could not be repaired and was removed (truncated) is still what was asked for
    gone = [s for s in before if s.hdrname not in left]
    where = {s.hdrname: f"{owner}: " for s in (*gone, *records)}
    _sort(one, owner, skeleton, matching([*records, *gone], way, text), where)


def matching(found: Sequence[Solution], way: str, text: str) -> list[Solution]:
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
    one: _Found, owner: str, skeleton: fits.HDUList, matched: Sequence[Solution], where: Mapping[str, str]
) -> None:
    """Record of the solutions that match which can be used, by generic name, and why the others cannot."""
    groups: dict[str, list[Solution]] = {}
    for record in matched:
        problems = [p for p in (*record.problems, *_unfit(skeleton, record)) if p.blocks]
        if problems:
            said = "; ".join(f"{p.text} (repair: {p.repair})" for p in problems)
            one.refused.append(f"{where.get(record.hdrname, '')}{record.label} {record.wcsname}: {said}")
        else:
            groups.setdefault(consistency.generic(record) or record.hdrname, []).append(record)
    for name, group in groups.items():
        best, *others = sorted(group, key=lambda s: _ORDER[s.where])
        for other in (s for s in others if s.where == best.where):
            if (apart := sky_positions.largest_difference(skeleton, best, other)) > sky_positions.LIMIT_MICROARCSEC:
                one.refused.append(
                    f"{owner}: {best.label} ({best.hdrname}) and {other.label} ({other.hdrname}) are both "
                    f"{best.wcsname} and differ by {apart / 1000:.3f} mas (repair: ask for one of them by HDRNAME)"
                )
                break
        else:
            one.usable.setdefault(name, (owner, best))


def _unfit(skeleton: fits.HDUList, record: Solution) -> list[Problem]:
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
    asked = f"{'either' if way == 'either' else way} {text!r}".removeprefix("either ")
    common = set.intersection(*(set(f.usable) for f in found)) if found else set()
    if common:
        ranked = sorted(common, key=lambda name: (wcsnames.parse(name.replace("IDC", "IDC_x", 1)).rank, name))
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


def _apply(one: _Found, name: str, skeletons: Skeletons, mine: Sequence[str]) -> list[dict[str, Any]]:
    """Make the chosen solution of an exposure active in all its kinds of file, and prove it by positions."""
    source, record = one.usable[name]
    headerlet = solutions.headerlet_of(skeletons[source], record)
    predicted = sky_positions.of_headerlet(skeletons[source], headerlet)
    entries = []
    for owner in mine:
        skeleton = skeletons[owner]
        if set(science_extensions(skeleton)) != set(predicted):
            raise NotApplicable(f"{owner}: its chips are not those of {source}, which has the solution; use one kind")
        if owner != source:
            _repair(one, owner, skeleton)
        notes = [f"{p.text} (repair: {p.repair})" for p in record.problems]
        notes += [f"not used: {said}" for said in one.refused]
        active = solutions.read(skeleton)
        if active[0].blocked or not active[0].wcsname:
            notes.append("the WCS that was active is not kept as a headerlet: it has no name or is damaged")
        else:
            switching.backup(skeleton, active)
        switching.put(skeleton, headerlet, record)
        headerlets.attach(skeleton, [headerlet])
        apart = sky_positions.difference(sky_positions.of_exposure(skeleton), predicted)
        if apart > sky_positions.LIMIT_MICROARCSEC:
            raise SnakedrizError(
                f"{owner}: with {record.wcsname} pixels lie {apart:.3g} micro-arcsec from where the solution puts "
                "them; please report this with the file"
            )
        entry = {
            "rootname": one.root, "file": owner, "source": one.files.get(name, f"{record.label} of {source}"),
            "wcsname": record.wcsname, "hdrname": record.hdrname, "before": active[0].wcsname,
            "nmatch": record.nmatch, "rms_ra_mas": record.rms_ra_mas, "rms_dec_mas": record.rms_dec_mas,
            "proof_microarcsec": apart, "repaired": [r for r in one.repaired if r.startswith(f"{owner}: ")],
            "notes": notes,
        }  # fmt: skip
        entries.append(entry)
    return entries


def folder_files(folder: str | Path, files: Sequence[str]) -> list[str]:
    """Return the headerlet files of a folder that were found for the exposures.

    Raises
    ------
    SnakedrizError
        If it is no folder: a misspelt path must not look like exposures without solutions.
    """
    if not Path(folder).is_dir():
        raise SnakedrizError(f"candidates: headerlets: {folder} is not a directory; it should hold *hlet.fits files")
    return list(files)
