"""Whether exposures were taken on the same guide-star lock, so that the pointing error of one is that of the other.

Calibrated headers say little of guiding: FGSLOCK (FINE, COARSE, GYROS) and T_SGSTAR (guide star control, blank when
nothing was unusual). Guide stars are named in the engineering files (spt, jit) only, so the lock is taken to be the
same where exposures of one detector are of one visit, with the same roll, and nothing between them lost fine lock.
After an occultation by the Earth the same guide stars are acquired again; that repeats to some ten mas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snakedriz.exposures import screening
from snakedriz.exposures.visits import observed_visit

#: PA_V3 (deg) of exposures on one pair of guide stars differs by less: dithers of an arcmin turn it by 0.005.
SAME_ROLL = 0.01


@dataclass(frozen=True)
class Guiding:
    """How an exposure was guided; times are MJD, the roll is PA_V3 in deg (NaN where the header does not say)."""

    rootname: str
    detector: str
    lock: str
    control: str
    start: float
    end: float
    roll: float

    @classmethod
    def of(cls, rootname: str, primary: Mapping[str, Any]) -> Guiding:
        """Read the primary header of a calibrated exposure."""

        def number(keyword: str) -> float:
            value = primary.get(keyword)
            return float(value) if isinstance(value, int | float) else float("nan")

        text = screening.text
        return cls(
            rootname,
            f"{text(primary, 'INSTRUME')}/{text(primary, 'DETECTOR')}",
            text(primary, "FGSLOCK"),
            text(primary, "T_SGSTAR"),
            number("EXPSTART"),
            number("EXPEND"),
            number("PA_V3"),
        )


def gap(one: Guiding, other: Guiding) -> float:
    """Return the time between two exposures in days, 0 if they overlap; NaN where a header does not tell."""
    first, second = sorted((one, other), key=lambda g: (g.start, g.rootname))
    return max(second.start - first.end, 0.0) if second.start == second.start else float("nan")


def different_lock(one: Guiding, other: Guiding, every: Sequence[Guiding]) -> str:
    """Say why two exposures were not taken on the same lock; ``''`` if they were.

    Parameters
    ----------
    one, other : Guiding
    every : sequence of Guiding
        All exposures of the visit.
    """
    if observed_visit(one.rootname) != observed_visit(other.rootname):
        return f"{other.rootname} is of another visit"
    if one.detector != other.detector:
        return f"{other.rootname} is of another detector ({other.detector})"
    for exposure in (one, other):
        if exposure.lock != "FINE":
            return f"FGSLOCK of {exposure.rootname} is {exposure.lock or 'not set'}"
    if one.control != other.control:
        return f"T_SGSTAR of {one.rootname} is {one.control or 'blank'}, of {other.rootname} {other.control or 'blank'}"
    if not abs(one.roll - other.roll) <= SAME_ROLL:
        return f"PA_V3 of {one.rootname} is {one.roll:.4f}, of {other.rootname} {other.roll:.4f} deg"
    if not gap(one, other) >= 0.0:
        return f"EXPSTART or EXPEND of {one.rootname} or {other.rootname} is not set"
    first, last = sorted((one.start, other.start))
    lost = sorted(g.rootname for g in every if first < g.start < last and g.lock != "FINE")
    return f"fine lock was lost between them ({', '.join(lost)})" if lost else ""


def donor(one: Guiding, solved: Sequence[Guiding], every: Sequence[Guiding]) -> tuple[str | None, str]:
    """Find the exposure whose solution another may inherit.

    Parameters
    ----------
    one : Guiding
        The exposure without a solution.
    solved : sequence of Guiding
        Exposures with one.
    every : sequence of Guiding
        All exposures of the visit.

    Returns
    -------
    rootname : str or None
        The nearest in time that was taken on the same lock; None if there is none.
    why : str
        What says so, or why there is none.
    """
    ranked = sorted(solved, key=lambda g: (gap(one, g) if gap(one, g) >= 0.0 else float("inf"), g.rootname))
    reasons = []
    for other in ranked:
        reason = different_lock(one, other, every)
        if not reason:
            minutes = gap(one, other) * 1440.0
            return other.rootname, f"same visit and roll, FGSLOCK FINE in both and between, {minutes:.0f} min apart"
        reasons.append(reason)
    return None, "; ".join(dict.fromkeys(reasons)) or "no exposure has a solution"
