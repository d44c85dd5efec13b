"""What every candidate is: a `Solution`, and the headers of its exposures in one file, a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution, SolutionExposure
from snakedriz.errors import NotApplicable
from snakedriz.exposures import skeleton
from snakedriz.exposures.skeleton import Skeletons, science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey


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


def starting_point(files: Sequence[str]) -> tuple[str, Skeletons]:
    """Return the name and skeletons of the best candidate to start a fit from.

    Parameters
    ----------
    files : sequence of str
        solution.json and, in the same folder, the bundle of each possible candidate, the most preferred last. The last
        one whose outcome is ok is taken: the closer the start, the smaller the search.

    Raises
    ------
    NotApplicable
        If none is ok.
    """
    bundles = {Path(path).parent: path for path in files if path.endswith(".fits")}
    for path in reversed([path for path in files if path.endswith(".json")]):
        found = Solution.read(path)
        if found.outcome == "ok":
            return found.candidate, skeleton.read_bundle(bundles[Path(path).parent])
    raise NotApplicable("no candidate has a WCS to start from")
