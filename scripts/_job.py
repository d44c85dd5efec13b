"""What every script of a rule does around its work: a log file, a record of it, and an error a person can read."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from snakedriz import accounting, artefacts, usage
from snakedriz.errors import SnakedrizError

# Threads inside libraries would only compete with the other jobs of the workflow.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[TextIO]:
    """Send stdout and stderr to the rule's log; on failure say on the terminal, in a few lines, what went wrong.

    Yields the open log. The traceback of an unexpected error goes to the log, the terminal gets its last line. What the
    job asked for and took, and why it failed, is written beside its benchmark (see `snakedriz.accounting`).
    """
    association = snakemake.wildcards.get("asn", "")
    terminal = sys.stderr
    record = _Record(snakemake, association)
    record.write("running")
    with open(snakemake.log[0], "w", encoding="utf-8", buffering=1) as log:  # noqa: PTH123
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield log
        except SnakedrizError as error:
            traceback.print_exc(file=log)
            print(f"\nsnakedriz: {association}: {error}\n", file=terminal)
            record.write("failed", *_said(str(error)))
            raise SystemExit(1) from None
        except Exception as error:
            traceback.print_exc(file=log)
            said = f"{type(error).__name__}: {error}"
            print(
                f"\nsnakedriz: {association}: rule {snakemake.rule} stopped on an unexpected error: {said}"
                f"\n(the traceback is in {snakemake.log[0]})\n",
                file=terminal,
            )
            remedy = "an error nobody foresaw: the traceback is in the log; check the files it names, else report it"
            record.write("failed", f"unexpected {said}", remedy)
            raise SystemExit(1) from None
    record.write("ok")


def _said(message: str) -> tuple[str, str]:
    """Divide an error's message into what was found and, after its last semicolon, what to do."""
    reason, _, remedy = message.rpartition("; ")
    return (reason, remedy) if reason else (message, "mend or replace the file it names")


class _Record:
    """The record of one job, written when it begins and when it ends."""

    def __init__(self, snakemake: Any, association: str) -> None:
        log = str(snakemake.log[0])
        asked = snakemake.resources
        self._path = accounting.record_path(log)
        self._fields = {
            "schema": "job/1",
            "rule": snakemake.rule,
            "association": association,
            "job": Path(log).stem,
            "log": log,
            "started": time.time(),
            "host": socket.gethostname(),
            "threads": snakemake.threads,
            "requested": {name: _number(asked.get(name)) for name in ("mem_mb", "runtime", "disk_mb")},
        }

    def write(self, outcome: str, reason: str = "", remedy: str = "") -> None:
        used = None if outcome == "running" else usage.measure()
        artefacts.write(
            self._path, {**self._fields, "outcome": outcome, "reason": reason, "remedy": remedy, "used": used}
        )


def _number(value: Any) -> float | None:
    """Return a resource as a number; what is not known before the inputs are there is text of Snakemake's."""
    return value if isinstance(value, int | float) else None
