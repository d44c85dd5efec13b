"""What a job asks of the machine: memory, time and scratch space, from the size of the exposures it works on.

Every estimate is a constant and a slope against the exposures' size, because the exposures are there before anything
runs: a scheduler that is asked for several jobs at once (a group) must know them all when it submits the first. The
numbers are above what the benchmarks of the demo and of a full-frame ACS/WFC visit of four exposures show (Snakemake's
`max_rss`, which counts shared pages once for every process), and below twice that where it is not small.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snakedriz.errors import SnakedrizError

#: No job asks for more memory than this, MB, however often it was tried: past it something else is wrong.
MEMORY_CEILING_MB = 64_000

Quantity = Literal["mem_mb", "runtime", "disk_mb"]


@dataclass(frozen=True)
class Estimate:
    """What the jobs of a rule ask for at the first attempt.

    Attributes
    ----------
    memory, minutes, disk : (float, float)
        Memory in MB, wall-clock in minutes, scratch space and outputs in MB: a constant, and what is added for every MB
        of exposures.
    """

    memory: tuple[float, float]
    minutes: tuple[float, float] = (10, 0.02)
    disk: tuple[float, float] = (100, 0)


# AstroDrizzle flagging cosmic rays in two processes took 1172 MB for 42 MB of exposures and 2711 MB for 671 MB; its
# scratch directory holds copies of the exposures, single drizzles and the product.
_DRIZZLE = Estimate(memory=(1200, 3), minutes=(10, 0.03), disk=(500, 5))
_SMALL = Estimate(memory=(300, 0), minutes=(5, 0))
_SOLUTION = Estimate(memory=(300, 0.1))

#: Estimates by rule.
ESTIMATES = {
    "inventory": Estimate(memory=(300, 0.1)),
    "default_solution": _SOLUTION,
    "apriori_solution": _SOLUTION,
    "named_solution": _SOLUTION,
    "aposteriori_solution": _SOLUTION,
    "visit_solution": _SOLUTION,
    "candidate_product": _DRIZZLE,
    "final_product": _DRIZZLE,
    "candidate_exposure": Estimate(memory=(300, 2), disk=(50, 2)),
    "final_exposure": Estimate(memory=(300, 2), disk=(50, 2)),
    "sources": Estimate(memory=(300, 4), disk=(50, 0.1)),
    "catalog": Estimate(memory=(400, 10)),
    "fit": Estimate(memory=(500, 0.2)),
    "visit_fit": Estimate(memory=(800, 0.2), minutes=(20, 0.02)),
    "verification": Estimate(memory=(500, 1.2)),
    "drizzlepac_numbers": Estimate(memory=(400, 1.5)),
    "astrometry": Estimate(memory=(400, 0.2)),
    "metrics": _SMALL,
    "promotion": _SMALL,
    "manifest": Estimate(memory=(300, 0)),
    "picture_of_candidates": Estimate(memory=(500, 3)),
    "picture_of_associations": Estimate(memory=(500, 3)),
    "consistency_of_visit": Estimate(memory=(400, 0.05)),
    "fetch_exposures": Estimate(memory=(800, 0), minutes=(600, 0)),
    "fetch_references": Estimate(memory=(800, 0), minutes=(120, 0)),
    "fetch_catalog": Estimate(memory=(800, 0), minutes=(30, 0)),
    "fetch_headerlets": Estimate(memory=(800, 0), minutes=(60, 0)),
    "fetch_offsets": Estimate(memory=(800, 0), minutes=(60, 0)),
    "snapshot_of_association": Estimate(memory=(400, 0), minutes=(10, 0.01), disk=(100, 1.2)),
    "missing_file": Estimate(memory=(100, 0), minutes=(1, 0), disk=(10, 0)),
    "demo_data": Estimate(memory=(300, 2), disk=(100, 2)),
}


def megabytes(paths: Iterable[str | Path]) -> float:
    """Return the size of files in MB; what is not there counts nothing, its job will say so."""
    return sum(_size(os.fspath(path)) for path in paths) / 1e6


@functools.cache
def _size(path: str) -> int:
    """Return the bytes of a file: asked a hundred times of each exposure when 1,000 associations are planned."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0


def request(rule: str, quantity: Quantity, size: float, attempt: int = 1) -> int:
    """Return what a job asks for.

    Parameters
    ----------
    rule : str
        Name of its rule.
    quantity : {"mem_mb", "runtime", "disk_mb"}
        Memory in MB, time in minutes, or disk space in MB.
    size : float
        Size in MB of what it works on.
    attempt : int
        1 at first. Memory doubles with every further attempt, up to `MEMORY_CEILING_MB`; time doubles as well, since a
        job that was short of memory may have been swapping; disk space stays.

    Raises
    ------
    SnakedrizError
        If there is no estimate for the rule.
    """
    if rule not in ESTIMATES:
        raise SnakedrizError(
            f"rule {rule}: there is no estimate of its memory, time and disk space",
            "add one to snakedriz.workflow.resources.ESTIMATES, above what its benchmark shows",
        )
    estimate = ESTIMATES[rule]
    if quantity == "disk_mb":
        return round(_at(estimate.disk, size))
    rung = 2 ** (attempt - 1)
    if quantity == "runtime":
        return round(_at(estimate.minutes, size) * rung)
    return min(round(_at(estimate.memory, size) * rung), MEMORY_CEILING_MB)


def is_fixed(rule: str, quantity: Quantity) -> bool:
    """Whether a rule's jobs all ask for the same, whatever they work on and however often they were tried."""
    return quantity == "disk_mb" and rule in ESTIMATES and ESTIMATES[rule].disk[1] == 0


def _at(line: tuple[float, float], size: float) -> float:
    return line[0] + line[1] * size
