"""The user's limits in place of the recorded ones, and the verdict with them.

Limits change what measured values are held against, and nothing else: what was not measured stays so, and is never
verified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakedriz.artefacts.base import Policy
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.metrics import Metrics
from snakedriz.errors import SnakedrizError
from snakedriz.promotion import absolute_solution, no_harm, relative_alignment
from snakedriz.verification import verdicts

#: Checks that there may be though no candidate has them in its metrics.
OTHERS = ("similarity_to_default", *no_harm.NAMES, *absolute_solution.NAMES)


def _is_met(value: float, limit: Any) -> bool:
    """Whether a value is at most a number, or within [low, high]."""
    if isinstance(limit, (list, tuple)):
        return bool(limit[0] <= value <= limit[1])
    return bool(value <= limit)


def apply(checks: Sequence[Check], limits: Mapping[str, Any], metrics: Metrics) -> list[Check]:
    """Return checks of a candidate with the user's limits in place of the recorded ones, where they were measured.

    The worst exposure that was measured says nothing of those that were not: a registration that fails can pass another
    limit only where every exposure is known to within it.
    """
    return [
        _held_against(check, limits[check.name], metrics)
        if check.name in limits and check.value is not None and check.passed is not None
        else check
        for check in checks
    ]


def _held_against(check: Check, limit: Any, metrics: Metrics) -> Check:
    passed: bool | None = check.value is not None and _is_met(check.value, limit)
    note = f"limit from promotion.limits (was {check.limit})"
    if passed and not check.passed and check.name == "registration":
        largest = limit[1] if isinstance(limit, (list, tuple)) else limit
        if not relative_alignment.is_measured_within(metrics, largest):
            passed, note = None, f"{note}; not every exposure is measured to within it"
    return check.model_copy(update={"limit": limit, "passed": passed, "note": note})


def verdict(metrics: Metrics, checks: Sequence[Check], policy: Policy) -> bool:
    """Return the verdict of a policy with the user's limits, by the function that gives it without them.

    Parameters
    ----------
    metrics : Metrics
        Of the candidate, as recorded.
    checks : sequence of Check
        Its checks with the limits applied; the recorded ones where there are none.

    Notes
    -----
    A verdict that does not follow from the candidate's own checks (one exposure, no overlap, or what was measured of
    another candidate with the same relative geometry) stays as recorded, unless a limit fails.
    """
    if metrics.verified[policy] != verdicts.verdict(metrics.checks, policy):
        failed = any(check.passed is False for check in checks if policy in (check.policy or ()))
        return metrics.verified[policy] and not failed
    return verdicts.verdict(checks, policy)


def refuse_unknown(limits: Mapping[str, Any], metrics: Sequence[Metrics]) -> None:
    """Refuse limits of checks that no candidate has: a misspelt limit must not pass for a met one."""
    known = {check.name for one in metrics for check in one.checks} | set(OTHERS)
    unknown = sorted(set(limits) - known)
    if unknown and any(one.checks for one in metrics):
        raise SnakedrizError(
            f"promotion.limits: no check is called {', '.join(unknown)}", f"use names of {', '.join(sorted(known))}"
        )
