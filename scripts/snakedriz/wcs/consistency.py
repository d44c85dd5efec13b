"""Which solution each exposure of an association and of a visit has, where they disagree, and the best common one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits

from snakedriz.exposures.facts import primary_facts
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.wcs import solutions
from snakedriz.wcs.solutions import Solution


@dataclass(frozen=True)
class Exposure:
    """What the report needs of one exposure.

    Attributes
    ----------
    path, rootname, association, visit : str
        File; ROOTNAME; ASN_ID in lower case (ROOTNAME where it is NONE); programme and visit, ``11665_06``.
    detector, filter : str
        As the header has them.
    exptime : float or None
        s.
    found : tuple of Solution
        `solutions.read`, the active one first.
    """

    path: str
    rootname: str
    association: str
    visit: str
    detector: str
    filter: str
    exptime: float | None
    found: tuple[Solution, ...]

    @property
    def active(self) -> Solution:
        """The active solution."""
        return self.found[0]

    def row(self) -> dict[str, Any]:
        """Return what the report says of the exposure, in JSON form (RMS in mas and px)."""
        fields = ("wcsname", "nmatch", "rms_ra_mas", "rms_dec_mas", "rms_ra_px", "rms_dec_px")
        about = {
            "file": Path(self.path).name, "rootname": self.rootname, "association": self.association,
            "visit": self.visit, "detector": self.detector, "filter": self.filter, "exptime": self.exptime,
        }  # fmt: skip
        return {**about, **{name: getattr(self.active, name) for name in fields}}


def visit_of(primary: fits.Header, rootname: str) -> str:
    """Return programme and visit: PROPOSID and LINENUM (``06.004`` is visit 06), else the same from ROOTNAME."""
    programme = keywords.text(primary, "PROPOSID") or rootname[1:4]
    visit = keywords.text(primary, "LINENUM").partition(".")[0] or rootname[4:6]
    return f"{programme}_{visit}"


def describe(path: str | Path, skeleton: fits.HDUList | None = None) -> Exposure:
    """Read what the report needs of one exposure.

    Parameters
    ----------
    path : str or Path
        The exposure; opened read-only.
    skeleton : `~astropy.io.fits.HDUList`, optional
        Its skeleton, where it has been read already.
    """
    skeleton = solutions.open_exposure(path) if skeleton is None else skeleton
    primary = skeleton[0].header
    facts = primary_facts(primary, path)
    root = facts.rootname.partition("_")[0]
    association = keywords.text(primary, "ASN_ID").lower()
    return Exposure(
        str(path), root, association if association not in ("", "none") else root, visit_of(primary, root),
        facts.detector or "", facts.filter or "", facts.exptime, tuple(solutions.read(skeleton)),
    )  # fmt: skip


def generic(solution: Solution) -> str:
    """Return a WCSNAME without the IDCTAB: what two exposures of different detectors can have in common.

    The distortion model alone is ``IDC``; names that follow no convention (OPUS, a user's) stand for themselves.
    """
    name = wcsnames.parse(solution.wcsname)
    if not name.idcroot:
        return name.wcsname
    return f"IDC-{name.kind}" if name.kind else "IDC"


def usable(exposure: Exposure) -> dict[str, Solution]:
    """Return the undamaged solutions of an exposure made for its distortion model, by `generic` name."""
    found: dict[str, Solution] = {}
    own = exposure.active.distortion
    for solution in exposure.found:
        if not solution.blocked and wcsnames.parse(solution.wcsname).idcroot == own != "":
            found.setdefault(generic(solution), solution)
    return found


def common(exposures: Sequence[Exposure]) -> list[str]:
    """Return the solutions that all exposures have, undamaged, best first (`names.PREFERENCE`); `generic` names."""
    shared = set.intersection(*(set(usable(exposure)) for exposure in exposures)) if exposures else set()
    return sorted(shared, key=lambda name: (wcsnames.parse(name.replace("IDC", "IDC_x", 1)).rank, name))


def _warnings(exposures: Sequence[Exposure], best: str | None) -> list[str]:
    found = []
    active: dict[str, list[str]] = {}
    models: dict[str, set[str]] = {}
    for exposure in exposures:
        active.setdefault(generic(exposure.active) or "no name", []).append(exposure.rootname)
        models.setdefault(exposure.detector, set()).add(exposure.active.distortion)
    if len(active) > 1:
        each = "; ".join(f"{name}: {', '.join(sorted(set(roots)))}" for name, roots in sorted(active.items()))
        remedy = (
            f"all of them have {best}: snakedriz wcs switch --to '{pattern(best)}'" if best
            else "no undamaged solution is common to all: align them, or fetch more headerlets (apply-headerlet)"
        )  # fmt: skip
        found.append(f"different solutions are active ({each}); {remedy}")
    for detector, roots in sorted(models.items()):
        if len(roots) > 1:
            each = ", ".join(sorted(root or "none" for root in roots))
            found.append(f"{detector} exposures have different distortion models ({each}): calibrate them again alike")
    for exposure in exposures:
        found += [f"{exposure.rootname}: active WCS: {p.text}" for p in exposure.active.problems if p.blocks]
    return found


def pattern(name: str) -> str:
    """Return the pattern over WCSNAME that selects a `generic` name."""
    if name == "IDC":
        return "IDC_?????????"
    return name.replace("IDC-", "IDC_*-", 1) if name.startswith("IDC-") else name


def _notes(kind: str, exposures: Sequence[Exposure]) -> list[str]:
    """What no warning is but should be known."""
    relative = {e.association for e in exposures if wcsnames.parse(e.active.wcsname).kind.upper().startswith("FIT_REL")}
    if kind == "visit" and len(relative) > 1:
        return [
            f"{', '.join(sorted(relative))} were each aligned by themselves (FIT_REL): their frames agree as well as "
            "both fits, not better"
        ]
    return []


def report(exposures: Sequence[Exposure]) -> list[dict[str, Any]]:
    """Compare the active solutions within each association and each visit.

    Parameters
    ----------
    exposures : sequence of Exposure
        In any order.

    Returns
    -------
    list of dict
        Associations, then visits, by name, in JSON form: `kind` (``association`` or ``visit``), `name`, `exposures`
        (rows), `consistent`, `warnings`, `notes`, `common` (solutions that all have, best first, without the IDCTAB's
        root), `best` (its first, or None) and `switch` (the pattern that selects it).
    """
    groups: dict[tuple[str, str], list[Exposure]] = {}
    for exposure in sorted(exposures, key=lambda e: (e.rootname, e.path)):
        groups.setdefault(("association", exposure.association), []).append(exposure)
        groups.setdefault(("visit", exposure.visit), []).append(exposure)
    found = []
    for (kind, name), members in sorted(groups.items()):
        shared = common(members)
        best = shared[0] if shared else None
        warnings = _warnings(members, best)
        found.append(
            {
                "kind": kind, "name": name, "exposures": [member.row() for member in members],
                "consistent": not warnings, "warnings": warnings, "notes": _notes(kind, members), "common": shared,
                "best": best, "switch": pattern(best) if best else None,
            }
        )  # fmt: skip
    return found


def rows(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a `report` as the rows of a table: one per exposure and group."""
    return [
        {"kind": g["kind"], "name": g["name"], "consistent": g["consistent"], "best_common": g["best"], **row}
        for g in groups
        for row in g["exposures"]
    ]
