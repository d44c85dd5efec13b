"""Tables of the power study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.stats import beta

from benchmarks.power_cases import CASES, GOOD, LAYOUTS
from benchmarks.power_detectors import DETECTORS, JITTER_MAS, JITTER_ROLL_DEG, REACQUIRED_MAS, REPEATABILITY_MAS
from benchmarks.power_fields import FIELDS
from benchmarks.power_trials import REFUSED, UNMEASURED, VERIFIED, Row

#: Stars in common from which the goals hold, and the goals: share noticed at least, of good ones refused at most.
ENOUGH, NOTICED, FALSE = 20, 0.99, 0.01
NOT_DONE = "not done"


def interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a probability: never covers it less often than `confidence`."""
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(f"{hits} of {trials} trials")
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(beta.isf(tail, hits + 1, trials - hits))
    return low, high


def share(rows: Sequence[Row], hit: Callable[[Row], bool]) -> str:
    """How many of some trials, with the 95 % interval of the share in per cent."""
    if not rows:
        return NOT_DONE
    hits = sum(map(hit, rows))
    low, high = interval(hits, len(rows))
    digits = 1 if len(rows) >= 100 else 0
    return f"{hits}/{len(rows)} ({100 * low:.{digits}f}–{100 * high:.{digits}f} %)"


def _refused(row: Row) -> bool:
    return row.state == REFUSED


def _unmeasured(row: Row) -> bool:
    return row.state == UNMEASURED


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(line)} |" for line in lines), ""]


def _goal(row: Row) -> bool:
    return row.kind == "shift" and row.amount == CASES[row.case].camera.goal_px


def _met(rows: Sequence[Row], hit: Callable[[Row], bool], limit: float, at_least: bool) -> str:
    """Whether the interval lies within a goal, outside it, or on both sides."""
    if not rows:
        return ""
    low, high = interval(sum(map(hit, rows)), len(rows))
    within, outside = (low >= limit, high < limit) if at_least else (high <= limit, low > limit)
    return "yes" if within else "no" if outside else "open"


def summary(rows: Sequence[Row]) -> list[str]:
    """The goals, by detector, from the trials in which every exposure has `ENOUGH` stars in common with another."""
    lines = []
    for key in [*DETECTORS, ""]:
        own = [r for r in rows if r.common >= ENOUGH and CASES[r.case].detector in (key or DETECTORS)]
        good, wrong = [r for r in own if r.kind in GOOD], [r for r in own if _goal(r)]
        goal = f"{DETECTORS[key].goal_px:g} px" if key else ""
        lines.append((
            DETECTORS[key].name if key else "all", share(good, _refused), _met(good, _refused, FALSE, False),
            share(good, _unmeasured), goal, share(wrong, lambda r: r.noticed),
            _met(wrong, lambda r: r.noticed, NOTICED, True), share(wrong, _unmeasured),
            share(wrong, lambda r: r.state == VERIFIED and not r.named),
        ))  # fmt: skip
    head = ("detector", "good ones refused", "at most 1 %", "good ones unmeasured", "displaced by", "noticed",
            "at least 99 %", "unmeasured", "verified")  # fmt: skip
    return _table(head, lines)


def _by_amount(rows: Sequence[Row], kind: str, unit: str, title: str) -> list[str]:
    """A line per case, a column per amount: share noticed, and of the others how many were not measured."""
    amounts = sorted({a for case in CASES.values() for k, a in case.defects() if k == kind})
    lines = []
    for name, case in CASES.items():
        possible = [a for k, a in case.defects() if k == kind]
        cells = []
        for amount in amounts:
            some = [r for r in rows if (r.case, r.kind, r.amount) == (name, kind, amount)]
            text = share(some, lambda r: r.noticed) if amount in possible else ""
            silent = sum(_unmeasured(r) and not r.noticed for r in some)
            cells.append(text + (f", {silent} unmeasured" if silent else ""))
        if possible:
            lines.append((name, *cells))
    return [f"## {title}", "", *_table(("case", *(f"{amount:g} {unit}" for amount in amounts)), lines)]


def _good(rows: Sequence[Row]) -> list[str]:
    lines = []
    for name, case in CASES.items():
        own = [r for r in rows if r.case == name]
        cells = []
        for kind in GOOD:
            some = [r for r in own if r.kind == kind]
            if kind in {k for k, _ in case.defects()}:
                cells += [share(some, _refused), share(some, _unmeasured)]
            else:
                cells += ["", ""]
        common = [r.common for r in own]
        lines.append((name, f"{min(common)} to {max(common)}" if common else "", *cells))
    words = {"none": "as guided", "reacquired": "guide stars reacquired", "drift": "drifted, and the WCS knows"}
    head = [f"{words[kind]}: {what}" for kind in GOOD for what in ("refused", "unmeasured")]
    return ["## Good visits", "", *_table(("case", "stars in common", *head), lines)]


def _errors(rows: Sequence[Row]) -> list[str]:
    lines = []
    for name in CASES:
        known = np.array([r.shift for r in rows if r.case == name and r.shift and r.amount <= 1])
        if len(known):
            off, quoted = known[:, :2], known[:, 2:]
            inside = [f"{100 * np.mean(np.abs(off) < n * quoted):.0f} %" for n in (1, 2)]
            spread = 1.4826 * float(np.median(np.abs(off)))
            lines.append((name, str(len(known)), f"{spread:.3f}", f"{np.median(quoted):.3f}", *inside))
    head = ("case", "trials", "measured - true, px (robust)", "68 % quoted, px (median)", "within", "within twice")
    return ["## The measured shifts", "", *_table(head, lines)]


def _about(rows: Sequence[Row], code: str, seeds: str) -> list[str]:
    wanted = {(name, kind, amount) for name, case in CASES.items() for kind, amount in case.defects()}
    done = {(r.case, r.kind, r.amount) for r in rows}
    fields = "; ".join(
        f"{name}: {field.stars[0]} to {field.stars[1]} stars"
        + (f", {field.galaxies} galaxies" if field.galaxies else "") + (", nebula" if field.nebula else "")
        for name, field in FIELDS.items()
    )  # fmt: skip
    times = "; ".join(f"{name}: {len(t)} exposures" for name, t in LAYOUTS.items())
    return [
        "# How far the verification can be trusted", "",
        "Made by `python tests/benchmarks/verification_power.py --report`; do not edit. Simulated visits of whole",
        "detectors with hot pixels, cosmic rays, bleeding, diffraction spikes, charge trails, afterglows, and a PSF",
        "that changes over the field and with focus (numbers and sources: tests/benchmarks/power_detectors.py), are",
        "verified by the production code. `measured` is the policy. Not noticed and not measured is *unmeasured*: not",
        "verified, for lack of evidence. Intervals hold 95 % (Clopper and Pearson).", "",
        f"Good visits: every exposure is off by {JITTER_MAS} mas (1 sigma per axis) and {JITTER_ROLL_DEG} deg; "
        f"reacquired: half of them by {REACQUIRED_MAS:g} mas more (rms). What must be noticed: 0.2 px, or twice the "
        f"{REPEATABILITY_MAS:g} mas that the pointing repeats to. Fields: {fields}. Layouts: {times}.", "",
        f"{len(rows)} trials of the set of seeds `{seeds}` with code {code}; "
        f"{len(wanted - done)} of {len(wanted)} kinds of trial not done. "
        + ("Limits were set on the other set of seeds." if seeds == "report" else "Limits are set on these seeds."), "",
    ]  # fmt: skip


def markdown(rows: Sequence[Row], code: str, seeds: str) -> str:
    """All tables."""
    text = [
        *_about(rows, code, seeds), f"## Goals, with {ENOUGH} stars or more in common", "", *summary(rows),
        *_good(rows), *_by_amount(rows, "shift", "px", "One exposure displaced: noticed"),
        *_by_amount(rows, "rotation", "deg", "One exposure turned: noticed"),
        *_by_amount(rows, "chip", "px", "One chip of an exposure displaced: noticed"),
        *_by_amount(rows, "visit", "px", "Half of the exposures displaced: noticed"), *_errors(rows),
    ]  # fmt: skip
    return "\n".join(text)


def speed(rows: Sequence[Row]) -> str:
    """Processor seconds of a trial by case, and how many an hour takes."""
    lines = [f"{'case':28s} {'trials':>6s} {'make':>6s} {'verify':>6s}"]
    for name in CASES:
        seconds = np.array([r.seconds for r in rows if r.case == name])
        if len(seconds):
            lines.append(f"{name:28s} {len(seconds):6d} {seconds[:, 0].mean():6.1f} {seconds[:, 1].mean():6.1f}")
    total = sum(sum(r.seconds) for r in rows)
    if total:
        lines.append(f"{3600 * len(rows) / total:.0f} trials an hour and core")
    return "\n".join(lines)
