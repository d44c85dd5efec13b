"""The verification of one candidate: what is measured, against which limits, and the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz.artefacts import plain
from snakedriz.verification import cr_census, focus, frame_stars, frames, registration, similarity, star_width

NOTHING_TO_COMPARE = "nothing to compare, the relative alignment is not in question: "


#: The verdicts, by name of the promotion policy that goes by them.
POLICIES = ("measured", "documented", "drizzlepac")


def verdict(checks: Sequence[Mapping[str, Any]], policy: str) -> bool:
    """Return whether a candidate is verified by a policy.

    Measured: every exposure's registration was measured and passes, and the stars are not smeared. Documented: focus
    and similarity were measured, and no check of the document fails. drizzlepac: what drizzlepac 3.11 would have said.

    What cannot be measured is never verified.
    """
    needed = {"measured": ("registration",), "documented": ("focus", "similarity"), "drizzlepac": ("drizzlepac",)}
    relevant = {check["name"]: check["passed"] for check in checks if policy in check["policy"]}
    return False not in relevant.values() and all(relevant.get(name) is True for name in needed[policy])


def assess_candidate(
    product: str | Path | None,
    singles: str | Path | None,
    solution: Mapping[str, Any],
    settings: Mapping[str, Any],
    default_product: str | Path | None = None,
    default_metrics: Mapping[str, Any] | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Verify one candidate.

    Parameters
    ----------
    product, singles : path or None
        Product and singles bundle; None for a candidate that does not apply.
    solution : mapping
        solution.json.
    settings : mapping
        The block `verification` of the detector.
    default_product, default_metrics : path and mapping, optional
        The default candidate's, for the others.
    threads : int
        For the work on the exposures; the result does not depend on it.

    Returns
    -------
    dict
        The content of verification.json, which is metrics.json without what other jobs add: `verified` by policy,
        `checks` with value, limit and outcome, and what each was made of. `flags_trusted` says whether later
        candidates may reuse this one's CR flags: where its registration is verified and no check of the document
        fails. A single exposure, and exposures without overlap, are verified as nothing can be smeared; their only
        check says so.
    """
    result: dict[str, Any] = {
        "schema": "metrics/1",
        "candidate": solution["candidate"],
        "outcome": solution["outcome"],
        "reason": solution["reason"],
        "wcsname": solution["wcsname"],
        "verified": dict.fromkeys(POLICIES, False),
        "flags_trusted": False,
        "checks": [],
    }
    if solution["outcome"] != "ok" or product is None or singles is None:
        return plain(result)
    found = frames.read(product, singles, threads)
    before = None if default_metrics is None else default_metrics.get("cr_census")
    result["cr_census"] = cr_census.measure(found, settings, before)
    if len(found.singles) == 1:
        return plain(_not_in_question(result, "one exposure"))
    frames.prepare(found, float(settings["log_sigma_px"]))
    limit = float(settings["similarity_limit"])
    lists = frame_stars.of_frames(found, settings)
    result["focus"] = focus.measure(found, settings)
    result["similarity"] = similarity.measure(found, settings)
    result["registration"] = registration.measure(found, lists, settings)
    result["psf_width"] = star_width.measure(found, lists, settings)
    if all(exposure["method"] == "no overlap" for exposure in result["registration"]["exposures"]):
        return plain(_not_in_question(result, "no exposure overlaps another"))
    checks = [
        registration.check(result["registration"], settings),
        star_width.check(result["psf_width"], float(settings["psf_width_limit"])),
        focus.check(result["focus"], settings),
        similarity.check(result["similarity"], limit),
        *cr_census.checks(result["cr_census"], settings),
    ]
    if default_product is not None and default_metrics is not None:
        result["similarity_to_default"] = similarity.to_default(found, default_product, settings)
        checks.append(_to_default_check(result["similarity_to_default"], default_metrics, limit))
    result["checks"] = checks
    result["verified"] = {policy: verdict(checks, policy) for policy in POLICIES}
    failed = any(check["passed"] is False for check in checks if "documented" in check["policy"])
    result["flags_trusted"] = result["verified"]["measured"] and not failed
    return plain(result)


def _not_in_question(result: Mapping[str, Any], why: str) -> dict[str, Any]:
    """Verify without a check what no relative alignment can have smeared, as the document does; say so."""
    check = {
        "name": "registration", "value": None, "limit": None, "unit": "px", "passed": None,
        "policy": list(POLICIES), "note": NOTHING_TO_COMPARE + why,
    }  # fmt: skip
    return {**result, "checks": [check], "verified": dict.fromkeys(POLICIES, True), "flags_trusted": True}


def _to_default_check(measured: Mapping[str, Any], default_metrics: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The document's comparison with "the presumably good" default: it counts only where the default is good."""
    value = measured["index"]
    good = bool(default_metrics["verified"]["documented"])
    return {
        "name": "similarity_to_default", "value": value, "limit": limit, "unit": "",
        "passed": value < limit if good and value is not None else None, "policy": ["documented"],
        "note": "" if good else "the default is not verified, so nothing follows from being unlike it",
    }  # fmt: skip


def complete(
    measured: Mapping[str, Any], astrometry: Mapping[str, Any] | None, numbers: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Put together what was found of a candidate; add what drizzlepac 3.11 would have said, and its verdict.

    Parameters
    ----------
    measured : mapping
        verification.json.
    astrometry : mapping or None
        astrometry.json; None without a catalogue, or where the candidate does not apply.
    numbers : mapping or None
        drizzlepac.json; None where the comparison is switched off or the candidate does not apply.

    Returns
    -------
    dict
        The content of metrics.json.
    """
    parts = {"astrometry": astrometry, "drizzlepac": numbers}
    result = {**measured, **{name: None if part is None else dict(part) for name, part in parts.items()}}
    if numbers is None or "verified" not in numbers or measured["outcome"] != "ok":
        return result
    check = {
        "name": "drizzlepac", "value": numbers["quality"], "limit": None, "unit": "quality code",
        "passed": bool(numbers["verified"]), "policy": ["drizzlepac"], "note": numbers["verdict"],
    }  # fmt: skip
    checks = [*measured["checks"], check]
    verified = {**measured["verified"], "drizzlepac": bool(numbers["verified"])}
    return {**result, "checks": checks, "verified": verified}
