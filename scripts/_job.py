"""What every script of a rule does around its work: a log file, and an error a person can read."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Collection, Iterator
from typing import Any, TextIO

from snakedriz.errors import SnakedrizError

# Threads inside libraries would only compete with the other jobs of the workflow.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


class _Without(io.TextIOBase):
    """A stream that some words never reach: messages of libraries show the addresses they were given."""

    def __init__(self, stream: TextIO, words: Collection[str]) -> None:
        self.stream, self.words = stream, sorted(words, key=len, reverse=True)

    def write(self, text: str) -> int:
        for word in self.words:
            text = text.replace(word, "...")
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()


@contextlib.contextmanager
def job(snakemake: Any, hide: Collection[str] = ()) -> Iterator[TextIO]:
    """Send stdout and stderr to the rule's log; on failure say on the terminal, in a few lines, what went wrong.

    Yields the open log. The traceback of an unexpected error goes to the log, the terminal gets its last line. What is
    in `hide` reaches neither.
    """
    association = snakemake.wildcards.get("asn", "")
    terminal: Any = _Without(sys.stderr, hide) if hide else sys.stderr
    with open(snakemake.log[0], "w", encoding="utf-8", buffering=1) as file:  # noqa: PTH123
        log: Any = _Without(file, hide) if hide else file
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield log
        except SnakedrizError as error:
            traceback.print_exc(file=log)
            print(f"\nsnakedriz: {association}: {error}\n", file=terminal)
            raise SystemExit(1) from None
        except Exception as error:
            traceback.print_exc(file=log)
            print(
                f"\nsnakedriz: {association}: rule {snakemake.rule} stopped on an unexpected error: "
                f"{type(error).__name__}: {error}\n(the traceback is in {snakemake.log[0]})\n",
                file=terminal,
            )
            raise SystemExit(1) from None
