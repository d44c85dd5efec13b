"""What the jobs of a run took and asked for, and which of them failed, from the record that each job leaves.

A record lies beside the job's benchmark, ``<output>/<asn>/benchmarks/<job>.json``. It is written when the job begins
and again when it ends, so a job that was killed is one that never ended.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz.files import read_json, whole, write_json

#: Columns of the table of a run: what was measured, each estimate after it.
COLUMNS = (
    "association", "rule", "job", "outcome", "seconds", "runtime_s", "cpu_seconds", "threads", "max_rss_mb", "mem_mb",
    "read_mb", "written_mb", "disk_mb", "host",
)  # fmt: skip
#: Estimate by the measured column that must stay below it.
ESTIMATES = {"seconds": "runtime_s", "max_rss_mb": "mem_mb", "written_mb": "disk_mb"}
KILLED = "it was killed or its machine was lost: it began, and nothing was heard of it since"
KILLED_REMEDY = (
    "if it was killed for memory (it had {mem_mb} MB), `--retries 2` asks for more at every attempt; otherwise run the "
    "same command again"
)


def record_path(log: str | Path) -> Path:
    """Return where the record of a job is kept: where its log is, in ``benchmarks`` instead of ``logs``."""
    parts = list(Path(log).parts)
    for index in reversed(range(len(parts) - 1)):
        if parts[index] == "logs":
            parts[index] = "benchmarks"
            break
    return Path(*parts).with_suffix(".json")


def records(output: str | Path, since: float = 0) -> list[dict[str, Any]]:
    """Return the records below a results folder of jobs that began at `since` (s since 1970) or later, in that order.

    What cannot be read as a record is none: a job killed while it wrote leaves only the temporary file.
    """
    found = [record for path in _paths(Path(output)) if (record := read_json(path))["started"] >= since]
    return sorted(found, key=lambda record: (record["started"], record["job"]))


def _paths(output: Path) -> Iterator[Path]:
    for pattern in ("benchmarks/*.json", "*/benchmarks/*.json", "visits/*/benchmarks/*.json"):
        yield from (path for path in output.glob(pattern) if not path.name.startswith("."))


def row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return one line of the table of a run.

    Memory is the larger of what the job's own process says, which leaves out all children but one, and what Snakemake
    saw of the whole family, which it looks at now and then only.
    """
    used = dict(record["used"] or {})
    sampled = _sampled_memory(record_path(record["log"]).with_suffix(".tsv"))
    if used and sampled is not None:
        used["max_rss_mb"] = max(used["max_rss_mb"], sampled)
    requested = record["requested"]
    runtime = requested["runtime"]
    values = {
        **{key: record[key] for key in ("association", "rule", "job", "outcome", "threads", "host")},
        **used,
        "mem_mb": requested["mem_mb"],
        "disk_mb": requested["disk_mb"],
        "runtime_s": None if runtime is None else 60 * runtime,
    }
    return {column: values.get(column) for column in COLUMNS}


def _sampled_memory(benchmark: Path) -> float | None:
    """Return max_rss of a benchmark of Snakemake's in MB; None where there is none, or the job was too short."""
    if not benchmark.exists():
        return None
    values = [line.get("max_rss") for line in csv.DictReader(io.StringIO(benchmark.read_text()), delimiter="\t")]
    numbers = [float(value) for value in values if value not in (None, "", "NA", "-")]
    return round(max(numbers) * 1.048576, 1) if numbers else None  # MiB there


def exceeded(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for every measurement above the workflow's own estimate."""
    return [
        f"{row['job']} of {row['association'] or row['rule']}: {measured} {row[measured]:g}, estimated "
        f"{estimate} {row[estimate]:g}"
        for row in rows
        for measured, estimate in ESTIMATES.items()
        if row[measured] is not None and row[estimate] is not None and row[measured] > row[estimate]
    ]


def by_rule(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return for every rule the number of jobs, sums of times and bytes, largest memory, and the largest estimates."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({row["rule"] for row in rows}):
        mine = [row for row in rows if row["rule"] == name]
        total: dict[str, Any] = {"jobs": len(mine), "failed": sum(row["outcome"] != "ok" for row in mine)}
        for column in ("seconds", "cpu_seconds", "read_mb", "written_mb"):
            total[column] = round(sum(row[column] or 0 for row in mine), 2)
        for column in ("seconds", "max_rss_mb", "written_mb", *ESTIMATES.values()):
            values = [row[column] for row in mine if row[column] is not None]
            total[f"largest_{column}"] = max(values) if values else None
        found[name] = total
    return found


def failures(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the jobs that failed or never ended, each with reason and remedy, by association."""
    failed = []
    for record in found:
        if record["outcome"] == "failed":
            failed.append(dict(record))
        elif record["outcome"] == "running":
            remedy = KILLED_REMEDY.format(mem_mb=record["requested"]["mem_mb"])
            failed.append({**record, "outcome": "failed", "reason": KILLED, "remedy": remedy})
    return sorted(failed, key=lambda record: (record["association"], record["job"]))


def write(folder: str | Path, name: str, found: Sequence[Mapping[str, Any]]) -> Path:
    """Write the table of a run, ``<name>.tsv``, and ``<name>.json`` with the sums by rule and the failures.

    Returns the path of the table.
    """
    rows = [row(record) for record in found]
    table = Path(folder) / f"{name}.tsv"
    with whole(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    kept = ("association", "rule", "job", "reason", "remedy", "log")
    failed = [{key: record[key] for key in kept} for record in failures(found)]
    write_json(table.with_suffix(".json"), {"rules": by_rule(rows), "exceeded": exceeded(rows), "failures": failed})
    return table


def summary(found: Sequence[Mapping[str, Any]]) -> str:
    """Say to a person which associations failed, why, and what to do; empty where none did."""
    failed = failures(found)
    if not failed:
        return ""
    names = sorted({record["association"] for record in failed if record["association"]})
    others = sorted({record["association"] for record in found if record["association"]} - set(names))
    lines = [f"{len(failed)} job{'s' * (len(failed) > 1)} failed" + (f", of {', '.join(names)}" if names else "") + ":"]
    for record in failed:
        lines += [
            f"  {record['association'] or record['rule']}: {record['job']}",
            f"    why:  {record['reason']}",
            f"    do:   {record['remedy']}",
            f"    log:  {record['log']}",
        ]
    if others:
        count = len(others)
        lines.append(f"The other {count} association{'s' * (count > 1)} of this run went as far as asked.")
    lines.append("Run the same command again when this is mended: what is finished stays.")
    return "\n".join(lines)
