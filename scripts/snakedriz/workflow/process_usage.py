"""What a process and the children it has waited for took of the machine, as the operating system counts it."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from pathlib import Path

from snakedriz.artefacts.job import UsedResources

_IMPORTED = time.monotonic()
#: MB in what getrusage gives memory in: bytes on macOS, kibibytes elsewhere.
_UNIT = 1e-6 if sys.platform == "darwin" else 1024e-6


def measure() -> UsedResources:
    """Return what this process has used since it began.

    Its CPU time is that of its children, too. Memory is that of the larger of the process and its largest child, which
    is less than their sum. Bytes are those that passed through reads and writes (not memory maps), None where the
    system does not say.
    """
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    read, written = _bytes()
    return UsedResources(
        seconds=round(_age(), 2),
        cpu_seconds=round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 2),
        max_rss_mb=round(max(_peak(own.ru_maxrss), children.ru_maxrss * _UNIT), 1),
        read_mb=read,
        written_mb=written,
    )


def _age() -> float:
    """Return the seconds since this process began; where the system does not say, since this module was imported."""
    with contextlib.suppress(OSError, AttributeError):
        # the fields after the name in brackets, which may hold blanks; starttime is the 22nd of all (proc(5))
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - _IMPORTED


def _peak(usage: int) -> float:
    """Return the largest memory of this process in MB.

    Not getrusage's, where there is better: on Linux it begins with the memory of the process that started this one, and
    a Snakemake with a large graph has more than most jobs.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024e-6
    return usage * _UNIT


def _bytes() -> tuple[float | None, float | None]:
    """Return the MB read and written; /proc counts those of children once they have been waited for."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:  # another system, or a container that hides it
        return None, None
    counts = {key: int(value) for key, value in (line.split(": ") for line in lines)}
    return round(counts["rchar"] / 1e6, 2), round(counts["wchar"] / 1e6, 2)
