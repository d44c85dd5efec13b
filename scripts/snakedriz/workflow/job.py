"""What every script of a rule does around its work: a log file, a record of it, and an error a person can read."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import sys
import time
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

import snakedriz.workflow.blas  # noqa: F401  before numpy
from snakedriz.artefacts.job import Job, RequestedResources
from snakedriz.errors import SnakedrizError
from snakedriz.workflow import library, process_usage, run_summary


class _Without(io.TextIOBase):
    """A stream that some words never reach: messages of libraries show the addresses they were given."""

    def __init__(self, stream: TextIO, words: Collection[str]) -> None:
        self.stream, self.words = stream, words

    def write(self, text: str) -> int:
        return self.stream.write(_hidden(text, self.words))

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()


def _hidden(text: str, words: Collection[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "...")
    return text


@contextlib.contextmanager
def job(snakemake: Any, hide: Collection[str] = ()) -> Iterator[TextIO]:
    """Send stdout and stderr to the rule's log; on failure say on the terminal, in a few lines, what went wrong.

    Yields the open log. The traceback of an unexpected error goes to the log, the terminal gets its last line. What is
    in `hide` reaches neither. What the job asked for and took, and why it failed, is written beside its benchmark (see
    `snakedriz.workflow.run_summary`).
    """
    association = snakemake.wildcards.get("asn", "")
    what = association or snakemake.rule
    terminal: Any = _Without(sys.stderr, hide) if hide else sys.stderr
    record = _Record(snakemake, association, hide)
    record.write("running")
    with open(snakemake.log[0], "w", encoding="utf-8", buffering=1) as file:  # noqa: PTH123
        log: Any = _Without(file, hide) if hide else file
        try:
            library.check(snakemake.scriptdir)
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log), _logging_to(log):
                yield log
        except SnakedrizError as error:
            traceback.print_exc(file=log)
            print(f"\nsnakedriz: {what}: {error.reason}\n  what to do: {error.remedy}\n", file=terminal)
            record.write("failed", error.reason, error.remedy)
            raise SystemExit(1) from None
        except Exception as error:
            traceback.print_exc(file=log)
            said = f"{type(error).__name__}: {error}"
            print(
                f"\nsnakedriz: {what}: rule {snakemake.rule} stopped on an unexpected error: {said}"
                f"\n  what to do: see the traceback in {snakemake.log[0]}\n",
                file=terminal,
            )
            remedy = "Unexpected error: the traceback is in the log; check the files it names, else report it"
            record.write("failed", f"unexpected {said}", remedy)
            raise SystemExit(1) from None
    record.write("ok")


@contextlib.contextmanager
def _logging_to(log: TextIO) -> Iterator[None]:
    """Write what the library says of its work, from INFO on, into the log of the job."""
    logger, handler = logging.getLogger("snakedriz"), logging.StreamHandler(log)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Record:
    """The record of one job, written when it begins and when it ends."""

    def __init__(self, snakemake: Any, association: str, hide: Collection[str]) -> None:
        self._hide = hide
        log = str(snakemake.log[0])
        asked = snakemake.resources
        self._path = run_summary.record_path(log)
        self._begun = Job(
            rule=snakemake.rule,
            association=association,
            job=Path(log).stem,
            log=log,
            started=time.time(),
            host=socket.gethostname(),
            threads=snakemake.threads,
            requested=RequestedResources(
                mem_mb=_number(asked.get("mem_mb")),
                runtime=_number(asked.get("runtime")),
                disk_mb=_number(asked.get("disk_mb")),
            ),
            outcome="running",
            reason="",
            remedy="",
            used=None,
        )

    def write(self, outcome: Literal["running", "ok", "failed"], reason: str = "", remedy: str = "") -> None:
        reason, remedy = _hidden(reason, self._hide), _hidden(remedy, self._hide)
        used = None if outcome == "running" else process_usage.measure()
        told = {"outcome": outcome, "reason": reason, "remedy": remedy, "used": used}
        self._begun.model_copy(update=told).write(self._path)


def _number(value: Any) -> float | None:
    """Return a resource as a number; what is not known before the inputs are there is text of Snakemake's."""
    return value if isinstance(value, int | float) else None
