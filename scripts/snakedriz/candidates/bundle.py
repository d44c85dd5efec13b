"""What every candidate is: a `Solution`, and the headers of its exposures in one file, a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution, SolutionExposure
from snakedriz.errors import NotApplicable
from snakedriz.exposures import skeleton
from snakedriz.exposures.skeleton import Skeletons, science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import relative_geometry


def input_skeletons(inventory: Inventory) -> Skeletons:
    """Read the exposures that are used, as they came; none if the association is not processed."""
    if inventory.outcome != "process":
        return {}
    return {
        ExposureKey(exposure.rootname, kind): skeleton.from_exposure(str(exposure.file(kind)))
        for exposure in inventory.exposures
        if exposure.used
        for kind in inventory.kinds
    }


def not_applicable(candidate: str, reason: str, exposures: Sequence[SolutionExposure] = ()) -> Solution:
    """Return the solution of a candidate that cannot apply to this data."""
    return Solution(candidate=candidate, outcome="not_applicable", reason=reason, wcsname="", exposures=exposures)


def wcsnames_of(skeletons: Skeletons) -> str:
    """Return the WCSNAME of the exposures; all of them, with commas, if they differ."""
    found = {str(s["SCI", science_extensions(s)[0]].header["WCSNAME"]).strip() for s in skeletons.values()}
    return ",".join(sorted(found))


def write(path: str | Path, solution: Solution, skeletons: Skeletons) -> None:
    """Write the bundle of a candidate, whole; without exposures if it does not apply."""
    about = {
        "CANDIDAT": solution.candidate,
        "OUTCOME": solution.outcome,
        "WCSNAME": solution.wcsname,
        "REASON": solution.reason.encode("ascii", "replace").decode(),
    }
    skeleton.write_bundle(path, skeletons if solution.outcome == "ok" else {}, about)


@dataclass(frozen=True)
class StartingPoint:
    """What a fit starts from.

    Attributes
    ----------
    candidate : str
        Whose WCS it is.
    skeletons : dict
    note : str
        Why a candidate that would have been preferred is not used; empty where there is none.
    """

    candidate: Literal["default", "apriori"]
    skeletons: Skeletons
    note: str = ""


def starting_point(files: Sequence[str]) -> StartingPoint:
    """Return the best candidate to start a fit from.

    Parameters
    ----------
    files : sequence of str
        solution.json and, in the same folder, the bundle of each possible candidate, the default first, the most
        preferred last. The last one whose outcome is ok is taken, as the search is smaller the closer the start. But
        nothing has verified it yet: one that changes how the exposures lie to each other is not taken, as exposures
        without enough stars keep the relative geometry that they start with.

    Raises
    ------
    NotApplicable
        If none is ok.
    """
    bundles = {Path(path).parent: path for path in files if path.endswith(".fits")}
    solutions = [(Solution.read(path), bundles[Path(path).parent]) for path in files if path.endswith(".json")]
    possible: list[tuple[Any, str]] = [(one.candidate, path) for one, path in solutions if one.outcome == "ok"]
    if not possible:
        raise NotApplicable("no candidate has a WCS to start from")
    (first, path), *others = possible
    reference = skeleton.read_bundle(path)
    notes: list[str] = []
    for candidate, path in reversed(others):
        found = skeleton.read_bundle(path)
        geometry = relative_geometry.compare(reference, found)
        if geometry.unchanged:
            return StartingPoint(candidate, found, "; ".join(notes))
        notes.append(
            f"starts from {first}, not from {candidate}, which moves exposures against each other by "
            f"{geometry.largest_px:.2g} px ({', '.join(geometry.moved)})"
        )
    return StartingPoint(first, reference, "; ".join(notes))
