"""What the jobs of a run took and asked for, and which of them failed, from the record that each job leaves.

A record lies beside the job's benchmark, ``<output>/<asn>/benchmarks/<job>.json``. It is written when the job begins
and again when it ends, so a job that was killed is one that never ended.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from snakedriz.artefacts.job import Job
from snakedriz.files import whole, write_json

#: Estimate by the measured column that must stay below it.
ESTIMATES = {"seconds": "runtime_s", "max_rss_mb": "mem_mb", "written_mb": "disk_mb"}
KILLED = "The job started but never reported an end: it was killed, or its machine was lost"
KILLED_REMEDY = (
    "if it was killed for memory (it had {mem_mb} MB), `--retries 2` asks for more at every attempt; otherwise run the "
    "same command again"
)


@dataclass(frozen=True)
class JobRow:
    """One line of the table of a run: what was measured, each estimate after it."""

    association: str
    rule: str
    job: str
    outcome: str
    seconds: float | None
    runtime_s: float | None
    cpu_seconds: float | None
    threads: int
    max_rss_mb: float | None
    mem_mb: float | None
    read_mb: float | None
    written_mb: float | None
    disk_mb: float | None
    host: str

    @classmethod
    def of(cls, job: Job) -> JobRow:
        """Return the line of a job.

        Memory is the larger of what the job's own process says, which leaves out all children but one, and what
        Snakemake saw of the whole family, which it looks at now and then only.
        """
        used, asked = job.used, job.requested
        memory = used and [used.max_rss_mb, *_sampled_memory(record_path(job.log).with_suffix(".tsv"))]
        took = {name: getattr(used, name, None) for name in ("seconds", "cpu_seconds", "read_mb", "written_mb")}
        return cls(
            association=job.association, rule=job.rule, job=job.job, outcome=job.outcome, threads=job.threads,
            host=job.host, max_rss_mb=max(memory) if memory else None, mem_mb=asked.mem_mb, disk_mb=asked.disk_mb,
            runtime_s=None if asked.runtime is None else 60 * asked.runtime, **took,
        )  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A job that failed or never ended: why, and what to do."""

    association: str
    rule: str
    job: str
    reason: str
    remedy: str
    log: str


def record_path(log: str | Path) -> Path:
    """Return where the record of a job is kept: where its log is, in ``benchmarks`` instead of ``logs``."""
    parts = list(Path(log).parts)
    for index in reversed(range(len(parts) - 1)):
        if parts[index] == "logs":
            parts[index] = "benchmarks"
            break
    return Path(*parts).with_suffix(".json")


def records(output: str | Path, since: float = 0) -> list[Job]:
    """Return the records below a results folder of jobs that began at `since` (s since 1970) or later, in that order.

    A job killed while it wrote leaves only a temporary file, which is no record.
    """
    found = [job for path in _paths(Path(output)) if (job := Job.read(path)).started >= since]
    return sorted(found, key=lambda job: (job.started, job.job))


def _paths(output: Path) -> Iterator[Path]:
    for pattern in ("benchmarks/*.json", "*/benchmarks/*.json", "visits/*/benchmarks/*.json"):
        yield from (path for path in output.glob(pattern) if not path.name.startswith("."))


def _sampled_memory(benchmark: Path) -> list[float]:
    """Return each max_rss of a benchmark of Snakemake's in MB; none where there is none, or the job was too short."""
    if not benchmark.exists():
        return []
    values = [line.get("max_rss") for line in csv.DictReader(io.StringIO(benchmark.read_text()), delimiter="\t")]
    return [round(float(value) * 1.048576, 1) for value in values if value not in (None, "", "NA", "-")]  # MiB there


def exceeded(rows: Iterable[JobRow]) -> list[str]:
    """Return one line for every measurement above the workflow's own estimate."""
    found = []
    for row in rows:
        for measured, estimate in ESTIMATES.items():
            value, limit = getattr(row, measured), getattr(row, estimate)
            if value is not None and limit is not None and value > limit:
                of = row.association or row.rule
                found.append(f"{row.job} of {of}: {measured} {value:g}, estimated {estimate} {limit:g}")
    return found


def by_rule(rows: Sequence[JobRow]) -> dict[str, dict[str, float | None]]:
    """Return for every rule the number of jobs, sums of times and bytes, largest memory, and the largest estimates."""
    found: dict[str, dict[str, float | None]] = {}
    for name in sorted({row.rule for row in rows}):
        mine = [row for row in rows if row.rule == name]
        total: dict[str, float | None] = {"jobs": len(mine), "failed": sum(row.outcome != "ok" for row in mine)}
        for column in ("seconds", "cpu_seconds", "read_mb", "written_mb"):
            total[column] = round(sum(getattr(row, column) or 0 for row in mine), 2)
        for column in ("seconds", "max_rss_mb", "written_mb", *ESTIMATES.values()):
            values = [value for row in mine if (value := getattr(row, column)) is not None]
            total[f"largest_{column}"] = max(values) if values else None
        found[name] = total
    return found


def failures(jobs: Iterable[Job]) -> list[Failure]:
    """Return the jobs that failed or never ended, by association."""
    found = []
    for job in (one for one in jobs if one.outcome != "ok"):
        reason, remedy = job.reason, job.remedy
        if job.outcome == "running":
            reason, remedy = KILLED, KILLED_REMEDY.format(mem_mb=job.requested.mem_mb)
        found.append(Failure(job.association, job.rule, job.job, reason, remedy, job.log))
    return sorted(found, key=lambda failure: (failure.association, failure.job))


def write(folder: str | Path, name: str, jobs: Sequence[Job]) -> Path:
    """Write the table of a run, ``<name>.tsv``, and ``<name>.json`` with the sums by rule and the failures.

    Returns the path of the table.
    """
    rows = [JobRow.of(job) for job in jobs]
    table = Path(folder) / f"{name}.tsv"
    with whole(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(JobRow)], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    failed = [asdict(failure) for failure in failures(jobs)]
    report: dict[str, Any] = {"rules": by_rule(rows), "exceeded": exceeded(rows), "failures": failed}
    write_json(table.with_suffix(".json"), report)
    return table


def summary(jobs: Sequence[Job]) -> str:
    """Say to a person which associations failed, why, and what to do; empty where none did."""
    failed = failures(jobs)
    if not failed:
        return ""
    names = sorted({failure.association for failure in failed if failure.association})
    others = sorted({job.association for job in jobs if job.association} - set(names))
    lines = [f"{len(failed)} job{'s' * (len(failed) > 1)} failed" + (f", of {', '.join(names)}" if names else "") + ":"]
    for failure in failed:
        lines += [
            f"  {failure.association or failure.rule}: {failure.job}",
            f"    why:  {failure.reason}",
            f"    do:   {failure.remedy}",
            f"    log:  {failure.log}",
        ]
    if others:
        lines.append(f"The other {len(others)} association{'s' * (len(others) > 1)} of this run had no failures.")
    lines.append("Fix the problem and run again; finished results are kept.")
    return "\n".join(lines)
