"""Promotion: the best verified candidate wins, and every check says why. Reads the artefacts it is given, no pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakedriz.artefacts.base import FitQuality, Policy
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import CandidateRow, LargestShift, Override, PromotedFit, Promotion
from snakedriz.artefacts.solution import Solution
from snakedriz.errors import SnakedrizError
from snakedriz.promotion import data_used, error_summary, no_harm
from snakedriz.settings import configuration

#: Fit qualities that mean a fit can be used (the document's scale: 5 no valid solution, -1 failed altogether).
VALID_QUALITIES: tuple[FitQuality, ...] = (1, 2, 3, 4)


def _passes(value: float | None, limit: Any) -> bool | None:
    """Compare a value with a limit: at most a number, or within [low, high]."""
    if value is None or limit is None:
        return None
    if isinstance(limit, (list, tuple)):
        return bool(limit[0] <= value <= limit[1])
    return bool(value <= limit)


def _with_limits(checks: Sequence[Check], limits: Mapping[str, Any]) -> list[Check]:
    """Return the checks with the user's limits in place of the recorded ones."""
    out = []
    for check in checks:
        if check.name in limits and check.value is not None:
            limit, note = limits[check.name], f"limit from promotion.limits (was {check.limit})"
            update = {"limit": limit, "passed": _passes(check.value, limit), "note": note}
            out.append(check.model_copy(update=update))
        else:
            out.append(check)
    return out


def _verified(metrics: Metrics, checks: Sequence[Check], policy: Policy, changed: bool) -> bool:
    """Return the verdict of a policy: as measured, or, where limits were changed, from the checks anew.

    With changed limits a verdict needs every check of the policy not to fail; that something was measurable at all is
    part of the recorded verdict and does not depend on limits.
    """
    if not changed:
        return metrics.verified[policy]
    relevant = [check for check in checks if policy in (check.policy or ())]
    return bool(relevant) and all(check.passed is not False for check in relevant)


def _refuse_unknown(limits: Mapping[str, Any], metrics: Sequence[Metrics]) -> None:
    """Refuse limits of checks that no candidate has: a misspelt limit must not pass for a met one."""
    known = {check.name for m in metrics for check in m.checks}
    known |= {"similarity_to_default", "no_harm", "no_harm_width", "no_harm_offset"}
    unknown = sorted(set(limits) - known)
    if unknown and any(m.checks for m in metrics):
        raise SnakedrizError(
            f"promotion.limits: no check is called {', '.join(unknown)}", f"use names of {', '.join(sorted(known))}"
        )


def _row(
    solution: Solution, metrics: Metrics, replaced: Sequence[Metrics], settings: configuration.Promotion
) -> CandidateRow:
    """Return one candidate's row of promotion.json; `replaced` are the metrics of those that it would replace."""
    row = CandidateRow(
        candidate=solution.candidate, outcome=solution.outcome, reason=solution.reason, wcsname=solution.wcsname,
        verified=False, verdicts={}, fit_quality=None, registration=None, astrometry=None, sources=solution.sources,
        checks=(),
    )  # fmt: skip
    if solution.outcome != "ok":
        return row
    checks = _with_limits(metrics.checks, settings.limits)
    changed = any(check.name in settings.limits for check in metrics.checks)
    verdicts = {name: _verified(metrics, checks, name, changed) for name in metrics.verified}
    harm = _with_limits(no_harm.checks(metrics, replaced), settings.limits)
    update: dict[str, Any] = {
        "verified": verdicts[settings.policy] and all(check.passed for check in harm),
        "verdicts": verdicts,
        "astrometry": error_summary.summary(metrics.astrometry),
    }
    if (worst := no_harm.worst_registration(metrics)) is not None:
        update["registration"] = LargestShift(worst_px=worst[0], error_px=worst[1], of=worst[2])
    checks += harm
    if (fit := solution.chosen_fit) is not None:
        update["fit_quality"] = fit.fit_quality
        update["fit"] = PromotedFit(
            file=fit.file, catalog=fit.catalog, method=fit.method, nmatches=fit.nmatches,
            total_rms_mas=fit.total_rms_mas,
        )  # fmt: skip
        checks += [check.model_copy(update={"name": f"fit_{check.name}"}) for check in fit.checks]
    return row.model_copy(update={**update, "checks": checks})


def _replaced(name: str, metrics: Sequence[Metrics], order: Sequence[str]) -> list[Metrics]:
    """Return the metrics of those that a candidate would replace: all after it in the rank that have a solution.

    What is not ranked would replace nothing, and is held against the default alone.
    """
    after = list(order[order.index(name) + 1 :]) if name in order else ["default"]
    return [m for m in metrics if m.outcome == "ok" and m.candidate in after]


def _failures(row: CandidateRow, policy: Policy) -> str:
    failed = [c for c in row.checks if c.passed is False and (c.policy is None or policy in c.policy)]
    return "; ".join(f"{c.name} {c.value} against {c.limit}" for c in failed) or "nothing could be measured"


def _first_verified(
    rows: Mapping[str, CandidateRow], settings: configuration.Promotion
) -> tuple[CandidateRow | None, list[str]]:
    """Return the first of the rank that is verified, and why those before it are not promoted."""
    said = []
    for name in settings.rank:
        row = rows.get(name)
        if row is None:
            continue
        if row.outcome != "ok":
            said.append(f"{name} is {row.outcome.replace('_', ' ')} ({row.reason})")
        elif name in ("visit", "aposteriori") and row.fit_quality not in VALID_QUALITIES:
            said.append(f"{name} has no valid fit (quality {row.fit_quality})")
        elif not row.verified:
            said.append(f"{name} is not verified ({_failures(row, settings.policy)})")
        else:
            return row, said
    return None, said


def _chosen(choose: str, rows: Mapping[str, CandidateRow]) -> CandidateRow:
    """Return the candidate that the user chose."""
    row = rows.get(choose)
    if row is None or row.outcome != "ok":
        why = "is not among the candidates" if row is None else f"is {row.outcome}: {row.reason}"
        there = ", ".join(name for name, one in rows.items() if one.outcome == "ok")
        raise SnakedrizError(f"promotion.choose: {choose} {why}", f"choose a candidate with a solution: {there}")
    return row


def promote(
    inventory: Inventory,
    solutions: Sequence[Solution],
    metrics: Sequence[Metrics],
    settings: configuration.Promotion,
) -> Promotion:
    """Choose the candidate that the final products are made with.

    The first of `promotion.rank` whose verdict passes, and whose fit is valid where it is one. A candidate that
    registers the exposures worse than one it would replace, smears the stars more, or lies farther from the catalogue,
    never wins. Where none is verified the default is what is left. What is not ranked is measured and listed, and
    promoted only where the user chooses it.

    `solutions` and `metrics` are the candidates', in the same order; `settings` is `promotion` of the configuration.

    Raises
    ------
    SnakedrizError
        If `promotion.choose` names a candidate that is not there or has no solution, or `promotion.limits` a check that
        there is not.
    """
    result = Promotion(
        association=inventory.association, winner=None, wcsname=None, verified=False, policy=settings.policy,
        reason=f"not processed: {inventory.reason}", override=None, catalogs=data_used.catalogs(metrics),
        candidates=(),
    )  # fmt: skip
    if inventory.outcome != "process":
        return result
    _refuse_unknown(settings.limits, metrics)
    rows = {
        own.candidate: _row(solution, own, _replaced(own.candidate, metrics, settings.rank), settings)
        for solution, own in zip(solutions, metrics, strict=True)
    }
    winner, said = _first_verified(rows, settings)
    verified = winner is not None
    if winner is None and rows["default"].outcome == "ok":
        winner = rows["default"]
    unranked = [name for name, row in rows.items() if name not in settings.rank and row.outcome == "ok"]
    said += [f"{name} is not ranked (promotion.rank)" for name in unranked]
    result = result.model_copy(update={"candidates": list(rows.values()), "reason": "; ".join(said)})
    if winner is None:
        return result
    text, override = _sentence(winner, verified, said), None
    if settings.choose:
        override = Override(chosen=settings.choose, policy_would_promote=winner.candidate)
        text = f"{settings.choose} was chosen by promotion.choose; without it: {text}"
        winner = _chosen(settings.choose, rows)
        verified = winner.verified
    update = {"winner": winner.candidate, "wcsname": winner.wcsname, "verified": verified, "reason": text}
    return result.model_copy(update={**update, "override": override})


def _sentence(winner: CandidateRow, verified: bool, said: Sequence[str]) -> str:
    """Say in one sentence why the winner won."""
    if not verified:
        return f"No candidate passed verification; using the default WCS: {'; '.join(said)}"
    fit, how = winner.fit, ""
    if fit is not None:
        how = f" and its fit to {fit.catalog} ({fit.nmatches} stars, quality {winner.fit_quality}) is valid"
    return "; ".join([f"{winner.candidate} is verified{how}", *said])
