"""benchmarks/<job>.json: what became of one job, and what it took."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from snakedriz.artefacts_.base import Amount, Artefact, Integer, Record, schema


class RequestedResources(Record):
    """What a job asked for; null: not known, or not asked for."""

    mem_mb: Amount | None
    runtime: Amount | None = Field(description="minutes")
    disk_mb: Amount | None


class UsedResources(Record):
    """What a job took."""

    seconds: Amount
    cpu_seconds: Amount
    max_rss_mb: Amount
    read_mb: Amount | None
    written_mb: Amount | None


class Job(Artefact):
    """What became of one job, and what it took."""

    schema_: Literal["job/1"] = schema("job/1")
    rule: str
    association: str = Field(description="empty for a job that belongs to none")
    job: str = Field(description="name of the job's log, without suffix")
    log: str
    started: Amount = Field(description="s since 1970, by the clock of the host")
    host: str
    threads: Integer
    requested: RequestedResources
    outcome: Literal["running", "ok", "failed"] = Field(description="running: no end was reported")
    reason: str = Field(description="why it failed")
    remedy: str = Field(description="what to do")
    used: UsedResources | None
