"""Which solution each exposure of an association and of a visit has, where they disagree, and the best common one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from astropy.io import fits

from snakedriz.artefacts.consistency import ActiveSolution, ConsistencyGroup
from snakedriz.exposures.facts import primary_facts
from snakedriz.fits_headers import keywords, wcsnames
from snakedriz.wcs import solutions, validation
from snakedriz.wcs.solutions import WcsSolution


@dataclass(frozen=True)
class ExposureSolutions:
    """What the report needs of one exposure."""

    path: str
    rootname: str
    association: str  # ASN_ID in lower case, ROOTNAME where it is NONE
    visit: str  # programme and visit, ``11665_06``
    detector: str
    filter: str
    exptime: float | None  # s
    found: tuple[WcsSolution, ...]  # `validation.inspect`, the active one first

    @property
    def active(self) -> WcsSolution:
        """The active solution."""
        return self.found[0]

    def row(self) -> ActiveSolution:
        """Return what the report says of the exposure."""
        of_exposure = ("rootname", "association", "visit", "detector", "filter", "exptime")
        of_solution = ("wcsname", "nmatch", "rms_ra_mas", "rms_dec_mas", "rms_ra_px", "rms_dec_px")
        return ActiveSolution(
            file=Path(self.path).name,
            **{name: getattr(self, name) for name in of_exposure},
            **{name: getattr(self.active, name) for name in of_solution},
        )


def visit_of(primary: fits.Header, rootname: str) -> str:
    """Return programme and visit: PROPOSID and LINENUM (``06.004`` is visit 06), else the same from ROOTNAME."""
    programme = keywords.text(primary, "PROPOSID") or rootname[1:4]
    visit = keywords.text(primary, "LINENUM").partition(".")[0] or rootname[4:6]
    return f"{programme}_{visit}"


def describe(path: str | Path, skeleton: fits.HDUList | None = None) -> ExposureSolutions:
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
    return ExposureSolutions(
        str(path), root, association if association not in ("", "none") else root, visit_of(primary, root),
        facts.detector or "", facts.filter or "", facts.exptime, tuple(validation.inspect(skeleton)),
    )  # fmt: skip


def generic(solution: WcsSolution) -> str:
    """Return a WCSNAME without the IDCTAB: what two exposures of different detectors can have in common.

    The distortion model alone is ``IDC``; names that follow no convention (OPUS, a user's) stand for themselves.
    """
    name = wcsnames.parse(solution.wcsname)
    if not name.idcroot:
        return name.wcsname
    return f"IDC-{name.kind}" if name.kind else "IDC"


def usable(exposure: ExposureSolutions) -> dict[str, WcsSolution]:
    """Return the undamaged solutions of an exposure made for its distortion model, by `generic` name."""
    found: dict[str, WcsSolution] = {}
    own = exposure.active.distortion
    for solution in exposure.found:
        if not solution.blocked and wcsnames.parse(solution.wcsname).idcroot == own != "":
            found.setdefault(generic(solution), solution)
    return found


def common(exposures: Sequence[ExposureSolutions]) -> list[str]:
    """Return the solutions that all exposures have, undamaged, best first (`wcsnames.PREFERENCE`); `generic` names."""
    shared = set.intersection(*(set(usable(exposure)) for exposure in exposures)) if exposures else set()
    return best_first(shared)


def best_first(names: Iterable[str]) -> list[str]:
    """Return `generic` names in the order of preference."""
    return sorted(names, key=lambda name: (wcsnames.parse(name.replace("IDC", "IDC_x", 1)).rank, name))


def _warnings(exposures: Sequence[ExposureSolutions], best: str | None) -> list[str]:
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


def _notes(kind: str, exposures: Sequence[ExposureSolutions]) -> list[str]:
    """Say what should be known although it is no reason for a warning."""
    relative = {e.association for e in exposures if wcsnames.parse(e.active.wcsname).kind.upper().startswith("FIT_REL")}
    if kind == "visit" and len(relative) > 1:
        return [
            f"{', '.join(sorted(relative))} were each aligned by themselves (FIT_REL): their frames agree as well as "
            "both fits, not better"
        ]
    return []


def report(exposures: Sequence[ExposureSolutions]) -> list[ConsistencyGroup]:
    """Compare the active solutions within each association and each visit.

    Parameters
    ----------
    exposures : sequence of ExposureSolutions
        In any order.

    Returns
    -------
    list of ConsistencyGroup
        Associations, then visits, by name.
    """
    groups: dict[tuple[Literal["association", "visit"], str], list[ExposureSolutions]] = {}
    for exposure in sorted(exposures, key=lambda e: (e.rootname, e.path)):
        groups.setdefault(("association", exposure.association), []).append(exposure)
        groups.setdefault(("visit", exposure.visit), []).append(exposure)
    found = []
    for (kind, name), members in sorted(groups.items()):
        shared = common(members)
        best = shared[0] if shared else None
        warnings = _warnings(members, best)
        found.append(
            ConsistencyGroup(
                kind=kind, name=name, exposures=[member.row() for member in members], consistent=not warnings,
                warnings=warnings, notes=_notes(kind, members), common=shared, best=best,
                switch=pattern(best) if best else None,
            )
        )  # fmt: skip
    return found


def rows(groups: Sequence[ConsistencyGroup]) -> list[dict[str, Any]]:
    """Return a `report` as the rows of a table: one per exposure and group."""
    return [
        {"kind": g.kind, "name": g.name, "consistent": g.consistent, "best_common": g.best, **row.to_json()}
        for g in groups
        for row in g.exposures
    ]
