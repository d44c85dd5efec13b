"""What is done once a run, before its first job and after its last one: by the process that a person starts."""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from snakedriz.workflow import run_summary
from snakedriz.workflow.results_lock import ResultsLock


class MakesFiles(Protocol):
    """A job of Snakemake's, as far as it matters here."""

    @property
    def output(self) -> Iterable[str]:
        """Paths of its outputs."""


Job = TypeVar("Job", bound=MakesFiles)


class Run:
    """One run of the workflow.

    Parameters
    ----------
    results : path
        The results folder.
    """

    def __init__(self, results: str | Path) -> None:
        self.results = Path(results)
        self.started = time.time()

    def lock(self) -> None:
        """Take the results folder until this process ends.

        Raises
        ------
        SnakedrizError
            If another run has it.
        """
        lock = ResultsLock(self.results, Path.cwd())
        lock.take()
        atexit.register(lock.release)

    def summarize(self) -> tuple[str, Path | None]:
        """Write the table of this run; return what to say of failures, and where the table is."""
        found = run_summary.records(self.results, since=self.started)
        if not found:
            return "", None
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.started))
        return run_summary.summary(found), run_summary.write(self.results / "runs", name, found)


class Outdated:
    """Outputs that are there before a run and that it is to make anew.

    Parameters
    ----------
    jobs : iterable of jobs
        All jobs of the run whose outputs count.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._before = [(job, path, found) for job in jobs for path in job.output if (found := _identity(path))]

    def left(self) -> list[MakesFiles]:
        """Return the jobs that have not made, or removed, all of these outputs of theirs."""
        return list({id(job): job for job, path, found in self._before if _identity(path) == found}.values())


def _identity(path: str) -> tuple[int, int] | None:
    """Return what a file that is made anew has not got any more; None where there is none."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
