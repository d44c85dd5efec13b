"""Promotion: the best verified candidate wins, and every check says why. Reads the artefacts it is given, no pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakedriz.artefacts.base import FitQuality, Policy
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import CandidateRow, LargestShift, Override, PromotedFit, Promotion
from snakedriz.artefacts.solution import Solution
from snakedriz.errors import SnakedrizError
from snakedriz.promotion import (
    absolute_solution,
    data_used,
    error_summary,
    expected_error,
    limits,
    no_harm,
    relative_alignment,
    verdict,
)
from snakedriz.settings import configuration

#: Fit qualities that mean a fit can be used (the document's scale: 5 no valid solution, -1 failed altogether).
VALID_QUALITIES: tuple[FitQuality, ...] = (1, 2, 3, 4)


def _row(
    inventory: Inventory,
    solution: Solution,
    metrics: Metrics,
    replaced: Sequence[Metrics],
    settings: configuration.PromotionSettings,
) -> CandidateRow:
    """Return one candidate's row of promotion.json; `replaced` are the metrics of those that it would replace."""
    row = CandidateRow(
        candidate=solution.candidate, outcome=solution.outcome, reason=solution.reason, wcsname=solution.wcsname,
        verified=False, verdicts={}, fit_quality=None, registration=None, astrometry=None, sources=solution.sources,
        checks=(),
    )  # fmt: skip
    if solution.outcome != "ok":
        return row
    checks = limits.apply(metrics.checks, settings.limits, metrics)
    gate = limits.apply(absolute_solution.checks(solution, metrics), settings.limits, metrics)
    harm = limits.apply(no_harm.checks(metrics, replaced), settings.limits, metrics)
    verdicts = {name: limits.verdict(metrics, checks, name) for name in metrics.verified}
    evidence = verdict.Evidence(
        of_policy=verdicts[settings.policy],
        checks=[check for check in checks if settings.policy in (check.policy or ())],
        harm=harm, confirmed=absolute_solution.is_confirmed(gate), relative=relative_alignment.known(metrics),
    )  # fmt: skip
    word = verdict.of(evidence)
    update: dict[str, Any] = {
        "verified": word in verdict.VERIFIED,
        "verdict": word,
        "relative": evidence.relative,
        "relative_geometry": metrics.relative_geometry,
        "verdicts": verdicts,
        "astrometry": error_summary.summary(metrics.astrometry),
        "expected_error": expected_error.of_candidate(inventory, solution, metrics, evidence.confirmed),
    }
    if (worst := no_harm.worst_registration(metrics)) is not None:
        update["registration"] = LargestShift(worst_px=worst[0], error_px=worst[1], of=worst[2])
    checks += [*harm, *gate]
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


def _why_not(row: CandidateRow, default: CandidateRow | None, policy: Policy) -> str:
    """Say why a candidate that is not verified is not promoted either."""
    if row.verdict == "absolute solution unmeasured":
        return "absolute solution unmeasured"
    failed = [c for c in row.checks if c.passed is False and (c.policy is None or policy in c.policy)]
    said = "; ".join(f"{c.name} {c.value} against {c.limit}" for c in failed) or "nothing could be measured"
    if failed or default is None or row is default:
        return said
    return f"{said}, and {verdict.why_not_promoted(row, default)}"


def _first(
    rows: Mapping[str, CandidateRow], settings: configuration.PromotionSettings
) -> tuple[CandidateRow | None, list[str]]:
    """Return the first of the rank that is verified or changes nothing, and why those before it are not promoted.

    What fails as the default does wins only where nothing else does.
    """
    said, failing = [], None
    for name in settings.rank:
        row = rows.get(name)
        if row is None:
            continue
        if row.outcome != "ok":
            said.append(f"{name} is {row.outcome.replace('_', ' ')} ({row.reason})")
        elif name in ("visit", "aposteriori") and row.fit_quality not in VALID_QUALITIES:
            said.append(f"{name} has no valid fit (quality {row.fit_quality})")
        elif row.verified or row.verdict == "unmeasured, changes nothing":
            return row, said
        else:
            if failing is None and row.verdict == "not verified, changes nothing":
                failing = row
            said.append(f"{name} is not verified ({_why_not(row, rows.get('default'), settings.policy)})")
    return failing, said


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
    settings: configuration.PromotionSettings,
) -> Promotion:
    """Choose the candidate that the final products are made with.

    The first of `promotion.rank` whose verdict passes, or of which nothing could be measured where it changes nothing
    but a worse position on the sky (`verdict.beside`); a fit has to be valid, and confirmed by stars that it has not
    seen. A candidate that registers the exposures worse than one it would replace, smears the stars more, or lies
    farther from the catalogue, never wins. Where there is none, the default is what is left. What is not ranked is
    measured and listed, and promoted only where the user chooses it.

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
    limits.refuse_unknown(settings.limits, metrics)
    rows = _rows(inventory, solutions, metrics, settings)
    winner, said = _first(rows, settings)
    if winner is None and rows["default"].outcome == "ok":
        winner = rows["default"]
    unranked = [name for name, row in rows.items() if name not in settings.rank and row.outcome == "ok"]
    said += [f"{name} is not ranked (promotion.rank)" for name in unranked]
    result = result.model_copy(update={"candidates": list(rows.values()), "reason": "; ".join(said)})
    if winner is None:
        return result
    text, override = _sentence(winner, rows["default"], said), None
    if settings.choose:
        override = Override(chosen=settings.choose, policy_would_promote=winner.candidate)
        text = f"{settings.choose} was chosen by promotion.choose; without it: {text}"
        winner = _chosen(settings.choose, rows)
    return result.model_copy(update={
        "winner": winner.candidate, "wcsname": winner.wcsname, "verified": winner.verified, "verdict": winner.verdict,
        "reason": text, "override": override,
    })  # fmt: skip


def _rows(
    inventory: Inventory,
    solutions: Sequence[Solution],
    metrics: Sequence[Metrics],
    settings: configuration.PromotionSettings,
) -> dict[str, CandidateRow]:
    """Return the rows of all candidates, each with its verdict beside the default."""
    rows = {
        own.candidate: _row(inventory, solution, own, _replaced(own.candidate, metrics, settings.rank), settings)
        for solution, own in zip(solutions, metrics, strict=True)
    }
    default = rows.get("default")
    if default is None or default.outcome != "ok":
        return rows
    return {
        name: row if row.outcome != "ok" or row is default
        else row.model_copy(update={"verdict": verdict.beside(row, default, settings.policy)})
        for name, row in rows.items()
    }  # fmt: skip


def _sentence(winner: CandidateRow, default: CandidateRow, said: Sequence[str]) -> str:
    """Say in one sentence why the winner won."""
    fit, how = winner.fit, ""
    if fit is not None:
        how = f" and its fit to {fit.catalog} ({fit.nmatches} stars, quality {winner.fit_quality}) is valid"
    if winner.verdict in verdict.CHANGES_NOTHING:
        own, other = (one.expected_error.value_mas if one.expected_error else None for one in (winner, default))
        why = "could not be measured" if winner.verdict == verdict.CHANGES_NOTHING[0] else "is not verified"
        first = (
            f"{winner.candidate} {why} and leaves the exposures among themselves as the default has them{how}; "
            f"its expected error is {own:.3g} mas, the default's {other:.3g} mas"
        )
    elif winner.verdict == "single exposure":
        first = f"{winner.candidate} is verified as one exposure, which has nothing to compare{how}"
    elif winner.verdict == "no overlap":
        first = f"{winner.candidate} is verified as no exposure overlaps another{how}"
    elif winner.verified:
        first = f"{winner.candidate} is verified{how}"
    else:
        return f"No candidate passed verification; using the default WCS: {'; '.join(said)}"
    return "; ".join([first, *said])
