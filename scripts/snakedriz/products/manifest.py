"""The list of final files, and the log that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz.files import sha256, whole


def write_manifest(path: str | Path, files: Iterable[str]) -> None:
    """Write a table of the final files: name, bytes, sha256 (tab-separated, sorted by name)."""
    rows = ["file\tbytes\tsha256"]
    paths = sorted({Path(name) for name in files}, key=lambda path: path.name)
    rows += [f"{path.name}\t{path.stat().st_size}\t{sha256(path)}" for path in paths]
    with whole(path) as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _value(value: Any, unit: str) -> str:
    if value is None:
        return "not measurable"
    if isinstance(value, (list, tuple)):
        return " to ".join(f"{part:.4g}" for part in value) + f" {unit}".rstrip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{value} {unit}".strip()
    return f"{value:.4g} {unit}".strip()


def _check_line(check: Mapping[str, Any]) -> str:
    passed = {True: "pass", False: "FAIL", None: "  - "}[check["passed"]]
    unit = check.get("unit") or ""
    limit = check.get("limit")
    limits = "" if limit is None else f" (limit {_value(limit, unit)})"
    note = f"  {check['note']}" if check.get("note") else ""
    return f"    {passed}  {check['name']}: {_value(check['value'], unit)}{limits}{note}"


def _catalog_line(catalog: Mapping[str, Any]) -> str:
    asked = f" from the {catalog['service']}, asked {catalog['query']}" if catalog["service"] else ""
    return f"    {catalog['name']}: {catalog['file']}{asked}, sha256 {catalog['sha256']}"


def write_trailer(
    path: str | Path,
    inventory: Mapping[str, Any],
    solutions: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]],
    promotion: Mapping[str, Any],
    files: Sequence[str],
) -> None:
    """Write the log of an association: inputs, each candidate with its checks, the choice and the products.

    Parameters
    ----------
    path : path
        ``<asn>.tra``.
    inventory, solutions, metrics, promotion
        The JSON of the stages.
    files : sequence of str
        The final files.
    """
    lines = [
        f"snakedriz {inventory['software']['snakedriz']}: {inventory['association']}",
        f"{inventory['instrument']}/{inventory['detector']} {inventory['filter']}; "
        f"DRIZCORR {inventory['drizcorr']['value']} (from the {inventory['drizcorr']['source']} file)",
        "",
        "Exposures",
    ]
    for exposure in inventory["exposures"]:
        use = "used" if exposure["used"] else f"NOT used: {exposure['reason']}"
        lines.append(f"    {exposure['rootname']}  {_value(exposure['exptime'], 's')}  {use}")
        lines += [f"        warning: {warning}" for warning in exposure["warnings"]]
    lines += [f"    warning: {warning}" for warning in inventory["warnings"]]
    lines += ["", "Software", "    " + ", ".join(f"{k} {v}" for k, v in inventory["software"].items())]
    catalogs = [_catalog_line(one) for one in promotion.get("catalogs", ())]
    lines += ["", "Reference catalogues", *(catalogs or ["    none"])]
    by_name = {m["candidate"]: m for m in metrics}
    for solution in solutions:
        name = solution["candidate"]
        lines += ["", f"Candidate {name}: {solution['outcome']} {solution['wcsname']}".rstrip()]
        lines.append(f"    {solution['reason']}")
        for fit in solution.get("fits", []):
            mark = "*" if fit["chosen"] else " "
            lines.append(
                f"  {mark} fit {fit['file']}: {fit['outcome']}, quality {fit['fit_quality']}, "
                f"{fit['nmatches']} stars, rms {_value(fit['total_rms_mas'], 'mas')}"
                + (f" ({fit['reason']})" if fit["reason"] else "")
            )
            if fit["chosen"]:
                lines += [_check_line({**check, "name": f"fit {check['name']}"}) for check in fit["checks"]]
        lines += [_check_line(check) for check in by_name.get(name, {}).get("checks", [])]
    lines += ["", f"Promoted: {promotion['winner']} {promotion['wcsname'] or ''}".rstrip()]
    lines += [f"    {promotion['reason']}", "", "Products"]
    lines += [f"    {name}" for name in sorted({Path(f).name for f in files})]
    with whole(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
