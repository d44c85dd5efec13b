"""The trials of the power study: which to run, in what order, one of them, and the file that they are kept in."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from helpers.drizzled import SOLUTION
from snakedriz import settings
from snakedriz.artefacts.verification import Verification
from snakedriz.verification import verification

from benchmarks import power_cases, power_frames

#: First trial of each set of seeds: limits are set on the one, the tables are made of the other.
SEEDS = {"limits": 0, "report": 1_000_000}
VERIFIED, REFUSED, UNMEASURED = "verified", "refused", "unmeasured"
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Task:
    """One trial to be run; `amount` in px or deg."""

    case: str
    kind: str
    amount: float
    trial: int


@dataclass(frozen=True)
class Row:
    """What became of a trial.

    state    "verified", "refused" (a check failed) or "unmeasured"
    named    whether a failed check names an exposure that is wrong
    common   stars that every exposure shares with another (`power_frames.common_stars`)
    shift    measured minus true shift of one exposure against the median of the others (x, y; px), and the half-widths
             of the 68 % interval that were quoted; empty where it was not measured or is not defined
    seconds  of processor time, for making the frames and for verifying them
    """

    code: str
    case: str
    kind: str
    amount: float
    trial: int
    state: str
    named: bool
    documented: bool
    common: int
    shift: tuple[float, ...]
    seconds: tuple[float, float]

    @property
    def task(self) -> Task:
        """What it is the result of."""
        return Task(self.case, self.kind, self.amount, self.trial)

    @property
    def noticed(self) -> bool:
        """Whether what is wrong was said to be wrong."""
        return self.state == REFUSED or self.named


def _statements(path: Path) -> str:
    """Return a module without its comments and docstrings: to reword one is no reason to repeat hours of trials."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


@functools.cache
def fingerprint() -> str:
    """Return a hash of what a trial depends on: the verification and its settings, what is simulated, the cases."""
    library = Path(verification.__file__).parents[1]
    files = [*(library / "verification").glob("*.py"), library / "alignment/matching.py", library / "statistics.py"]
    files += [library / f"simulate/{name}.py" for name in ("detector", "pixels")]
    files += [_HERE / f"power_{name}.py" for name in ("cases", "detectors", "fields", "frames")]
    digest = hashlib.sha256()
    for case in sorted({case.camera.name for case in power_cases.CASES.values()}):
        digest.update(json.dumps(numbers(case), sort_keys=True).encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + _statements(path).encode())
    return digest.hexdigest()[:10]


@functools.cache
def numbers(detector: str) -> dict[str, Any]:
    """Return the block `verification` of detectors.yaml for a detector like ACS/WFC."""
    found = settings.detector_settings(settings.load_detectors(), *detector.split("/"))["verification"]
    return dict(found)


def state_of(found: Verification) -> str:
    """Return in a word what the policy `measured` makes of a visit."""
    if found.verified["measured"]:
        return VERIFIED
    failed = any(check.passed is False for check in found.checks if "measured" in (check.policy or ()))
    return REFUSED if failed or getattr(found, "relative", None) == "failed" else UNMEASURED


def _shift(found: Verification, made: power_frames.Visit, index: int) -> tuple[float, ...]:
    if found.registration is None:
        return ()
    row = next(r for r in found.registration.exposures if r.rootname == made.rootnames[index])
    if row.dx is None or row.dy is None or row.dx_err is None or row.dy_err is None:
        return ()
    shifts = np.array([placed.shift for placed in made.exposures])
    true = shifts[index] - np.median(np.delete(shifts, index, axis=0), axis=0)
    return tuple(round(float(v), 5) for v in (row.dx - true[0], row.dy - true[1], row.dx_err, row.dy_err))


def run(task: Task) -> Row:
    """Run one trial."""
    start = time.process_time()
    made = power_cases.make(task.case, task.kind, task.amount, task.trial)  # type: ignore[arg-type]
    visit, sources = made.visit, made.visit.sources()
    with tempfile.TemporaryDirectory(prefix="snakedriz-power-") as name:
        paths = power_frames.write(visit, Path(name), sources)
        middle = time.process_time()
        found = verification.verify(*paths, SOLUTION, numbers(visit.detector.name))
        end = time.process_time()
    # What comes after a semicolon is about exposures that could not be measured, and about limits.
    notes = [check.note.partition(";")[0] for check in found.checks if check.passed is False]
    several = power_cases.CASES[task.case].layout == "mosaic" or task.kind in ("visit", "chip", "rotation")
    return Row(
        fingerprint(), **asdict(task), state=state_of(found),
        named=any(visit.rootnames[index] in note for index in made.wrong for note in notes),
        documented=bool(found.verified["documented"]), common=power_frames.common_stars(visit, sources),
        shift=() if several else _shift(found, visit, (made.wrong or (0,))[0]),
        seconds=(round(middle - start, 2), round(end - middle, 2)),
    )  # fmt: skip


def tasks(cases: list[str], seeds: str) -> Iterator[Task]:
    """Yield trials without end, some of every case early: a study that is interrupted is a study.

    In every round a case has a good visit, one with an exposure off by as much as must be noticed, and one of what else
    can be wrong with it in turn; thrice that where frames are small.
    """
    for turn in count():
        for name in cases:
            case = power_cases.CASES[name]
            first: list[tuple[str, float]] = [("none", 0.0), ("shift", case.camera.goal_px)]
            others = [defect for defect in case.defects() if defect not in first]
            repeats = 1 if case.large else 3
            for number in range(turn * repeats, (turn + 1) * repeats):
                trial, which = divmod(number, len(others))
                for kind, amount in first:
                    yield Task(name, kind, amount, SEEDS[seeds] + number)
                yield Task(name, *others[which], SEEDS[seeds] + trial)


def read(path: Path) -> list[Row]:
    """Read the rows of a file; lines that were cut short, or that other versions of this wrote, are left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found = json.loads(line)
            rows.append(Row(**{**found, "shift": tuple(found["shift"]), "seconds": tuple(found["seconds"])}))
        except (ValueError, TypeError, KeyError):
            continue
    return rows


def append(path: Path, row: Row) -> None:
    """Add a row to a file."""
    line = json.dumps(asdict(row), sort_keys=True) + "\n"
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, 2)
            line = line if file.read() == b"\n" else "\n" + line  # after one that was cut short
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
