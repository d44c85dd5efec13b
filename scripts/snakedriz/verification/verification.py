"""The verification of one candidate: what is measured, against which limits, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import RelativeAlignment, SimilarityToDefault, Verification
from snakedriz.verification import cr_census, focus, frame_stars, frames, registration, similarity, star_width
from snakedriz.verification.verdicts import POLICIES, verdict


def verify(
    product: str | Path | None,
    singles: str | Path | None,
    solution: Solution,
    settings: Mapping[str, Any],
    default_product: str | Path | None = None,
    default: Verification | None = None,
    threads: int = 1,
) -> Verification:
    """Verify one candidate.

    Parameters
    ----------
    product, singles : path or None
        Product and singles bundle; None for a candidate that does not apply.
    solution : Solution
    settings : mapping
        The block `verification` of the detector.
    default_product, default : path and Verification, optional
        The default candidate's, for the others.
    threads : int
        For the work on the exposures; the result does not depend on it.

    Returns
    -------
    Verification
        `flags_trusted` says whether later candidates may reuse this one's CR flags: where its registration is verified
        and no check of the document fails. A single exposure, and exposures without overlap, are verified as nothing
        can be smeared; their only check says so, and `relative` that nothing was measured.
    """
    result = Verification(
        candidate=solution.candidate, outcome=solution.outcome, reason=solution.reason, wcsname=solution.wcsname,
        verified=dict.fromkeys(POLICIES, False), flags_trusted=False, checks=(),
    )  # fmt: skip
    if solution.outcome != "ok" or product is None or singles is None:
        return result
    found = frames.read(product, singles, threads)
    census = cr_census.measure(found, settings, (default and default.cr_census) or ())
    result = result.model_copy(update={"cr_census": census})
    if len(found.singles) == 1:
        return _not_in_question(result, "single exposure", "one exposure")
    frames.prepare(found, float(settings["log_sigma_px"]))
    stars = frame_stars.of_frames(found, settings)
    registered = registration.measure(found, stars, settings)
    measured: dict[str, Any] = {
        "focus": focus.measure(found, settings), "similarity": similarity.measure(found, settings),
        "registration": registered, "psf_width": star_width.measure(found, stars, settings),
    }  # fmt: skip
    if all(exposure.method == "no overlap" for exposure in registered.exposures):
        return _not_in_question(result.model_copy(update=measured), "no overlap", "no exposure overlaps another")
    checks = [
        registration.check(registered, settings),
        star_width.check(measured["psf_width"], float(settings["psf_width_limit"])),
        focus.check(measured["focus"], settings),
        similarity.check(measured["similarity"], float(settings["similarity_limit"])),
        *cr_census.checks(census, settings),
    ]
    if default_product is not None and default is not None:
        measured["similarity_to_default"] = similarity.to_default(found, default_product, settings)
        checks.append(_to_default_check(measured["similarity_to_default"], default, settings))
    return result.model_copy(update={**measured, **_verdicts(checks)})


def _verdicts(checks: list[Check]) -> dict[str, Any]:
    verified = {policy: verdict(checks, policy) for policy in POLICIES}
    failed = any(check.passed is False for check in checks if "documented" in (check.policy or ()))
    return {
        "checks": checks, "verified": verified, "relative": _relative(checks),
        "flags_trusted": verified["measured"] and not failed,
    }  # fmt: skip


def _relative(checks: Sequence[Check]) -> RelativeAlignment:
    """Return what could be known of the relative alignment, from the checks of the policy `measured`."""
    passed = {check.name: check.passed for check in checks if "measured" in (check.policy or ())}
    if False in passed.values():
        return "failed"
    return "measured" if passed.get("registration") is True else "unmeasured"


def _not_in_question(result: Verification, relative: RelativeAlignment, why: str) -> Verification:
    """Verify without a check what no relative alignment can have smeared, as the document does; say so."""
    note = f"nothing to compare, the relative alignment is not in question: {why}"
    check = Check(name="registration", value=None, limit=None, unit="px", passed=None, policy=POLICIES, note=note)
    verified = dict.fromkeys(POLICIES, True)
    return result.model_copy(
        update={"checks": [check], "verified": verified, "relative": relative, "flags_trusted": True}
    )


def _to_default_check(measured: SimilarityToDefault, default: Verification, settings: Mapping[str, Any]) -> Check:
    """The document's comparison with "the presumably good" default: it counts only where the default is good."""
    value, good, limit = measured.index, default.verified["documented"], float(settings["similarity_limit"])
    return Check(
        name="similarity_to_default", value=value, limit=limit, unit="",
        passed=value < limit if good and value is not None else None, policy=["documented"],
        note="" if good else "the default is not verified, so nothing follows from being unlike it",
    )  # fmt: skip
