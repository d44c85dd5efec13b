"""Promotion: the best verified candidate wins, and every check says why. Reads nothing but the JSON it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snakedriz.errors import SnakedrizError
from snakedriz.promotion import data_used, error_summary, no_harm

#: Candidates in order of preference where `promotion.rank` says none; the default is what is left when nothing better
#: is verified. What is not ranked is measured and listed, and promoted only where the user chooses it.
ORDER = ("visit", "aposteriori", "apriori", "default")
#: Fit qualities that mean a fit can be used (the document's scale: 5 no valid solution, -1 failed altogether).
VALID_QUALITIES = (1, 2, 3, 4)


def _passes(value: Any, limit: Any) -> bool | None:
    """Compare a value with a limit: at most a number, or within [low, high]."""
    if value is None or limit is None:
        return None
    if isinstance(limit, (list, tuple)):
        return bool(limit[0] <= value <= limit[1])
    return bool(value <= limit)


def _with_limits(checks: Sequence[Mapping[str, Any]], limits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the checks with the user's limits in place of the recorded ones."""
    out = []
    for check in checks:
        new = dict(check)
        if check["name"] in limits and check["value"] is not None:
            new["limit"] = limits[check["name"]]
            new["passed"] = _passes(check["value"], new["limit"])
            new["note"] = f"limit from promotion.limits (was {check['limit']})"
        out.append(new)
    return out


def _verified(metrics: Mapping[str, Any], checks: Sequence[Mapping[str, Any]], policy: str, changed: bool) -> bool:
    """Return the verdict of a policy: as measured, or, where limits were changed, from the checks anew.

    With changed limits a verdict needs every check of the policy not to fail; that something was measurable at all is
    part of the recorded verdict and does not depend on limits.
    """
    if not changed:
        return bool(metrics["verified"][policy])
    relevant = [check for check in checks if policy in check["policy"]]
    return bool(relevant) and all(check["passed"] is not False for check in relevant)


def _refuse_unknown(limits: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> None:
    """Refuse limits of checks that no candidate has: a misspelt limit must not pass for a met one."""
    known = {check["name"] for m in metrics for check in m["checks"]}
    known |= {"similarity_to_default", "no_harm", "no_harm_width", "no_harm_offset"}
    unknown = sorted(set(limits) - known)
    if unknown and any(m["checks"] for m in metrics):
        raise SnakedrizError(
            f"promotion.limits: no check is called {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )


def _row(
    solution: Mapping[str, Any],
    metrics: Mapping[str, Any],
    replaced: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return one candidate's row of promotion.json; `replaced` are the metrics of those that it would replace."""
    limits, policy = settings.get("limits") or {}, settings["policy"]
    row: dict[str, Any] = {
        "candidate": solution["candidate"],
        "outcome": solution["outcome"],
        "reason": solution["reason"],
        "wcsname": solution["wcsname"],
        "verified": False,
        "verdicts": {},
        "fit_quality": None,
        "registration": None,
        "astrometry": None,
        "sources": solution.get("sources", []),
        "checks": [],
    }
    if solution["outcome"] != "ok":
        return row
    checks = _with_limits(metrics["checks"], limits)
    changed = any(check["name"] in limits for check in metrics["checks"])
    row["verdicts"] = {name: _verified(metrics, checks, name, changed) for name in metrics["verified"]}
    row["verified"] = row["verdicts"][policy]
    if (worst := no_harm.worst_registration(metrics)) is not None:
        row["registration"] = {"worst_px": worst[0], "error_px": worst[1], "of": worst[2]}
    row["astrometry"] = error_summary.summary(metrics.get("astrometry"))
    harm = _with_limits(no_harm.checks(metrics, replaced), limits)
    checks += harm
    row["verified"] = row["verified"] and all(check["passed"] for check in harm)
    fit = next((fit for fit in solution.get("fits", []) if fit["chosen"]), None)
    if fit is not None:
        row["fit_quality"] = fit["fit_quality"]
        row["fit"] = {key: fit[key] for key in ("file", "catalog", "method", "nmatches", "total_rms_mas")}
        checks += [{**check, "name": f"fit_{check['name']}"} for check in fit["checks"]]
    row["checks"] = checks
    return row


def _replaced(name: str, metrics: Sequence[Mapping[str, Any]], order: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the metrics of those that a candidate would replace: all after it in the rank that have a solution.

    What is not ranked would replace nothing, and is held against the default alone.
    """
    after = list(order[order.index(name) + 1 :]) if name in order else ["default"]
    return [m for m in metrics if m["outcome"] == "ok" and m["candidate"] in after]


def _failures(row: Mapping[str, Any], policy: str) -> str:
    failed = [c for c in row["checks"] if c["passed"] is False and policy in c.get("policy", [policy])]
    return "; ".join(f"{c['name']} {c['value']} against {c['limit']}" for c in failed) or "nothing could be measured"


def _valid_fit(row: Mapping[str, Any]) -> bool:
    return row["candidate"] not in ("visit", "aposteriori") or row["fit_quality"] in VALID_QUALITIES


def promote(
    inventory: Mapping[str, Any],
    solutions: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Choose the candidate that the final products are made with.

    The first of `promotion.rank` whose verdict passes, and whose fit is valid where it is one; without a rank a
    posteriori, a priori, default. A candidate that registers the exposures worse than one it would replace, smears the
    stars more, or lies farther from the catalogue, never wins.

    Parameters
    ----------
    inventory : mapping
        inventory.json.
    solutions, metrics : sequences of mappings
        solution.json and metrics.json of the candidates, in the same order.
    settings : mapping
        `promotion` of the configuration: `policy`, `rank`, `choose`, `limits`.

    Returns
    -------
    dict
        The content of promotion.json.

    Raises
    ------
    SnakedrizError
        If `promotion.choose` names a candidate that is not there or has no solution.
    """
    policy = settings["policy"]
    result: dict[str, Any] = {
        "schema": "promotion/1",
        "association": inventory["association"],
        "winner": None,
        "wcsname": None,
        "verified": False,
        "policy": policy,
        "reason": "",
        "override": None,
        "catalogs": data_used.catalogs(metrics),
        "candidates": [],
    }
    if inventory["outcome"] != "process":
        result["reason"] = f"not processed: {inventory['reason']}"
        return result
    _refuse_unknown(settings.get("limits") or {}, metrics)
    order = list(settings.get("rank") or ORDER)
    rows = [
        _row(own_solution, own, _replaced(own["candidate"], metrics, order), settings)
        for own_solution, own in zip(solutions, metrics, strict=True)
    ]
    result["candidates"] = rows
    by_name = {row["candidate"]: row for row in rows}
    said, winner = [], None
    for name in order:
        row = by_name.get(name)
        if row is None:
            continue
        if row["outcome"] != "ok":
            said.append(f"{name} is {row['outcome'].replace('_', ' ')} ({row['reason']})")
        elif not _valid_fit(row):
            said.append(f"{name} has no valid fit (quality {row['fit_quality']})")
        elif not row["verified"]:
            said.append(f"{name} is not verified ({_failures(row, policy)})")
        else:
            winner = row
            break
    verified = winner is not None
    if winner is None and by_name["default"]["outcome"] == "ok":
        winner = by_name["default"]
    unranked = [row["candidate"] for row in rows if row["candidate"] not in order and row["outcome"] == "ok"]
    said += [f"{name} is not ranked (promotion.rank)" for name in unranked]
    if winner is None:
        result["reason"] = "; ".join(said)
        return result
    text = _sentence(winner, verified, said)
    choose = settings.get("choose")
    if choose:
        row = by_name.get(choose)
        if row is None or row["outcome"] != "ok":
            why = "is not among the candidates" if row is None else f"is {row['outcome']}: {row['reason']}"
            raise SnakedrizError(
                f"promotion.choose: {choose} {why}; candidates with a solution: "
                + ", ".join(r["candidate"] for r in rows if r["outcome"] == "ok")
            )
        result["override"] = {"chosen": choose, "policy_would_promote": winner["candidate"]}
        text = f"{choose} was chosen by promotion.choose; without it: {text}"
        winner, verified = row, row["verified"]
    result |= {
        "winner": winner["candidate"], "wcsname": winner["wcsname"], "verified": bool(verified), "reason": text,
    }  # fmt: skip
    return result


def _sentence(winner: Mapping[str, Any], verified: bool, said: Sequence[str]) -> str:
    """Say in one sentence why the winner won."""
    name = winner["candidate"]
    if not verified:
        return f"nothing is verified, so the default stands, unverified: {'; '.join(said)}"
    fit = winner.get("fit")
    how = (
        f" and its fit to {fit['catalog']} ({fit['nmatches']} stars, quality {winner['fit_quality']}) is valid"
        if fit
        else ""
    )
    rest = f"; {'; '.join(said)}" if said else ""
    return f"{name} is verified{how}{rest}"
