"""The log of an association that a person reads, ``<asn>.tra``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.fit import FitSummary
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import CandidateRow, CatalogFile, Promotion
from snakedriz.artefacts.solution import Solution
from snakedriz.files import whole


def write(
    path: str | Path,
    inventory: Inventory,
    solutions: Sequence[Solution],
    metrics: Sequence[Metrics],
    promotion: Promotion,
    files: Sequence[str],
) -> None:
    """Write inputs, each candidate with its checks, the choice and the final files."""
    checks = {one.candidate: one.checks for one in metrics}
    rows = {row.candidate: row for row in promotion.candidates}
    lines = [*_inputs(inventory), "", "Reference catalogues"]
    lines += [_catalog(one) for one in promotion.catalogs] or ["    none"]
    for solution in solutions:
        lines += ["", *_candidate(solution), *_verdict(rows.get(solution.candidate))]
        lines += [_check(check) for check in checks.get(solution.candidate, ())]
    lines += ["", f"Promoted: {promotion.winner} {promotion.wcsname or ''}".rstrip()]
    lines += [f"    {promotion.reason}", "", "Products"]
    lines += [f"    {name}" for name in sorted({Path(f).name for f in files})]
    with whole(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _inputs(inventory: Inventory) -> Iterator[str]:
    yield f"snakedriz {inventory.software['snakedriz']}: {inventory.association}"
    drizcorr = inventory.drizcorr
    yield (
        f"{inventory.instrument}/{inventory.detector} {inventory.filter}; "
        f"DRIZCORR {drizcorr.value} (from the {drizcorr.source} file)"
    )
    yield from ("", "Exposures")
    for exposure in inventory.exposures:
        use = "used" if exposure.used else f"NOT used: {exposure.reason}"
        yield f"    {exposure.rootname}  {_value(exposure.exptime, 's')}  {use}"
        yield from (f"        warning: {warning}" for warning in exposure.warnings)
    yield from (f"    warning: {warning}" for warning in inventory.warnings)
    yield from ("", "Software", "    " + ", ".join(f"{k} {v}" for k, v in inventory.software.items()))


def _catalog(catalog: CatalogFile) -> str:
    asked = f" from the {catalog.service}, asked {catalog.query}" if catalog.service else ""
    return f"    {catalog.name}: {catalog.file}{asked}, sha256 {catalog.sha256}"


def _candidate(solution: Solution) -> Iterator[str]:
    yield f"Candidate {solution.candidate}: {solution.outcome} {solution.wcsname}".rstrip()
    yield f"    {solution.reason}"
    for fit in solution.fits:
        yield _fit(fit)
        if fit.chosen:
            yield from (_check(check, "fit ") for check in fit.checks)


def _verdict(row: CandidateRow | None) -> Iterator[str]:
    if row is not None and row.verdict is not None:
        yield f"    verdict: {row.verdict}"
    if row is not None and row.expected_error is not None:
        expected = row.expected_error
        yield f"    expected error: {_value(expected.value_mas, 'mas')} on the sky (68 %); {expected.rests_on}"


def _fit(fit: FitSummary) -> str:
    reason = f" ({fit.reason})" if fit.reason else ""
    return (
        f"  {'*' if fit.chosen else ' '} fit {fit.file}: {fit.outcome}, quality {fit.fit_quality}, "
        f"{fit.nmatches} stars, rms {_value(fit.total_rms_mas, 'mas')}{reason}"
    )


def _check(check: Check, of: str = "") -> str:
    passed = {True: "pass", False: "FAIL", None: "  - "}[check.passed]
    limit = "" if check.limit is None else f" (limit {_value(check.limit, check.unit)})"
    note = f"  {check.note}" if check.note else ""
    return f"    {passed}  {of}{check.name}: {_value(check.value, check.unit)}{limit}{note}"


def _value(value: Any, unit: str) -> str:
    """Return a number, or a lowest and a highest one, with its unit."""
    if value is None:
        return "not measurable"
    if isinstance(value, list | tuple):
        return " to ".join(f"{part:.4g}" for part in value) + f" {unit}".rstrip()
    return f"{value:.4g} {unit}".strip()
