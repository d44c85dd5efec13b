"""What every script of a rule does around its work: a log file, and an error a person can read."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from snakedriz.errors import SnakedrizError

# Threads inside libraries would only compete with the other jobs of the workflow.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# OpenBLAS picks its kernels by the CPU, and with them the last bits of a fit: these run wherever there is AVX2.
_cpu = Path("/proc/cpuinfo")
if _cpu.exists() and "avx2" in _cpu.read_text(encoding="ascii", errors="replace")[:4000].split():
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[TextIO]:
    """Send stdout and stderr to the rule's log; on failure say on the terminal, in a few lines, what went wrong.

    Yields the open log. The traceback of an unexpected error goes to the log, the terminal gets its last line.
    """
    association = snakemake.wildcards.get("asn", "")
    terminal = sys.stderr
    with open(snakemake.log[0], "w", encoding="utf-8", buffering=1) as log:  # noqa: PTH123
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
