"""The verification of one candidate: what is measured, against which limits, and the two verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import focus, frames, registration, similarity


def _census(found: frames.Frames) -> list[dict[str, Any]]:
    """Share of each exposure's pixels that the CR step flagged, per second against the median of the others.

    Misalignment eats stars: an exposure with far more flagged pixels than its exposure time explains is displaced, or
    was hit by something. Recorded, not judged.
    """
    shares = [
        float(np.count_nonzero(s.touched & s.covered)) / max(1, np.count_nonzero(s.covered)) for s in found.singles
    ]
    rates = [share / single.exptime for share, single in zip(shares, found.singles, strict=True)]
    rows = []
    for index, single in enumerate(found.singles):
        others = [rate for i, rate in enumerate(rates) if i != index]
        typical = float(np.median(others)) if others else 0.0
        ratio = rates[index] / typical if typical > 0 else None
        rows.append({"rootname": single.rootname, "flagged": shares[index], "ratio_to_others": ratio})
    return rows


def verdict(checks: Sequence[Mapping[str, Any]], policy: str) -> bool:
    """Return whether a candidate is verified by a policy.

    Documented: no check fails, and similarity was measurable; a focus index that cannot be formed (every bright star
    saturated, say) leaves the word to similarity, as the document takes the similarity where it is there. Measured:
    every exposure's registration was measured and passes. What cannot be measured is never verified.
    """
    relevant = {check["name"]: check for check in checks if policy in check["policy"]}
    if any(check["passed"] is False for check in relevant.values()):
        return False
    needed = "similarity" if policy == "documented" else "registration"
    return relevant[needed]["passed"] is True


def assess_candidate(
    product: str | Path | None,
    singles: str | Path | None,
    solution: Mapping[str, Any],
    settings: Mapping[str, Any],
    default_product: str | Path | None = None,
    default_metrics: Mapping[str, Any] | None = None,
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

    Returns
    -------
    dict
        The content of metrics.json: `verified` by policy, `checks` with value, limit and outcome, and what each was
        made of. `flags_trusted` says whether later candidates may reuse this one's CR flags: where its alignment is
        verified both ways.
    """
    result: dict[str, Any] = {
        "schema": "metrics/1",
        "candidate": solution["candidate"],
        "outcome": solution["outcome"],
        "reason": solution["reason"],
        "wcsname": solution["wcsname"],
        "verified": {"documented": False, "measured": False},
        "flags_trusted": False,
        "checks": [],
    }
    if solution["outcome"] != "ok" or product is None or singles is None:
        return result
    found = frames.read(product, singles)
    if len(found.singles) == 1:
        note = "one exposure: there is no relative alignment to verify"
        check = {"name": "similarity", "value": None, "limit": None, "unit": "", "passed": None, "note": note}
        result["checks"] = [{**check, "policy": ["documented", "measured"]}]
        return {**result, "verified": {"documented": True, "measured": True}, "flags_trusted": True}
    frames.prepare(found, float(settings["log_sigma_px"]))
    limit = float(settings["similarity_limit"])
    result["focus"] = focus.measure(found, settings)
    result["similarity"] = similarity.measure(found, settings)
    result["registration"] = registration.measure(found, settings)
    result["cr_census"] = _census(found)
    checks = [
        focus.check(result["focus"], settings),
        similarity.check(result["similarity"], limit),
        registration.check(result["registration"], settings),
    ]
    if default_product is not None and default_metrics is not None:
        default, covered, _ = frames.read_product(default_product)
        result["similarity_to_default"] = similarity.to_default(found, default, covered, settings)
        checks.append(_to_default_check(result["similarity_to_default"], default_metrics, limit))
    result["checks"] = checks
    result["verified"] = {policy: verdict(checks, policy) for policy in result["verified"]}
    result["flags_trusted"] = all(result["verified"].values())
    return result


def _to_default_check(measured: Mapping[str, Any], default_metrics: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The document's comparison with "the presumably good" default: it counts only where the default is good."""
    value = measured["index"]
    good = bool(default_metrics["verified"]["documented"])
    return {
        "name": "similarity_to_default", "value": value, "limit": limit, "unit": "",
        "passed": value < limit if good and value is not None else None, "policy": ["documented"],
        "note": "" if good else "the default is not verified, so nothing follows from being unlike it",
    }  # fmt: skip
