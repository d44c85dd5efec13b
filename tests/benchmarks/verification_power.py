"""Power study: how often is a displaced exposure noticed, and how often is a good visit refused?

    python tests/benchmarks/verification_power.py --hours 2 --jobs 2     run trials for so long
    python tests/benchmarks/verification_power.py --report               make docs/verification_power.md of them

Simulated visits (power_cases.CASES: detector, field and layout; power_frames makes them, whole detectors) with one
exposure, chip or half of the exposures displaced or turned, verified by the production code. Trials are kept in a file,
one JSON line each, as they end: a study that was interrupted goes on where it was. A line counts for the code and the
settings that it was made with. A trial depends on its case, defect and number only. Limits may be tuned with the set of
seeds `limits`; what is reported is the set `report`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in ("scripts", "tests"):
    sys.path.insert(0, str(ROOT / folder))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: two processes are meant to use two cores
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks import power_cases, power_report, power_trials  # noqa: E402
from benchmarks.power_trials import Task  # noqa: E402

RESULTS = ROOT / "tests/benchmarks/verification_power.jsonl"
TABLES, FRONT_PAGE = ROOT / "docs/verification_power.md", ROOT / "docs/verification.md"
MARKS = "<!-- power -->\n", "<!-- /power -->"


def run(wanted: Iterator[Task], path: Path, jobs: int, end: float) -> int:
    """Run trials until a time (`time.monotonic`), append their lines, and return how many there were.

    One that ends with an error is named, counts for nothing, and is tried again by the next run.
    """
    done = 0
    # spawn: BLAS does not survive a fork in every version
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: dict[Future[power_trials.Row], Task] = {}
        while True:
            if time.monotonic() < end:
                more = list(islice(wanted, jobs + 1 - len(running)))
                running |= {pool.submit(power_trials.run, task): task for task in more}
            if not running:
                return done
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                task = running.pop(future)
                if (error := future.exception()) is not None:
                    print(f"{task}: {error!r}", file=sys.stderr, flush=True)
                    continue
                power_trials.append(path, future.result())
                done += 1
                if done % 20 == 0:
                    print(f"{done} trials", file=sys.stderr, flush=True)


def report(rows: list[power_trials.Row], code: str, seeds: str) -> None:
    """Write the tables, and the goals on the front page."""
    TABLES.write_text(power_report.markdown(rows, code, seeds), encoding="utf-8")
    whole = FRONT_PAGE.read_text(encoding="utf-8")
    before, found, rest = whole.partition(MARKS[0])
    if not found or MARKS[1] not in rest:
        raise SystemExit(f"{FRONT_PAGE}: no place for the goals ({MARKS[0].strip()} ... {MARKS[1]})")
    goals = "\n".join(power_report.summary(rows))
    FRONT_PAGE.write_text(before + found + goals + rest[rest.index(MARKS[1]) :], encoding="utf-8")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog=f"cases: {', '.join(power_cases.CASES)}"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the trials (JSON lines)")
    parser.add_argument("--hours", type=float, default=0.0, help="run trials for so long")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seeds", choices=list(power_trials.SEEDS), default="report")
    parser.add_argument("--cases", nargs="+", choices=list(power_cases.CASES), metavar="CASE", default=None)
    parser.add_argument("--kinds", nargs="+", default=None, help="only these defects")
    parser.add_argument("--report", action="store_true", help=f"write {TABLES.relative_to(ROOT)}")
    parser.add_argument("--code", default=None, help="report the trials of another version of the code")
    return parser.parse_args(argv)


def main() -> None:
    """Run what is missing, and report on what this code made."""
    options = arguments()
    code = options.code or power_trials.fingerprint()
    first = power_trials.SEEDS[options.seeds]

    def known() -> list[power_trials.Row]:
        rows = power_trials.read(options.results)
        return [
            r for r in rows if r.code == code and first <= r.trial < first + 1_000_000 and r.case in power_cases.CASES
        ]

    if options.hours > 0:
        done = {row.task for row in known()}
        wanted = (
            task
            for task in power_trials.tasks(options.cases or list(power_cases.CASES), options.seeds)
            if task not in done and (options.kinds is None or task.kind in options.kinds)
        )
        run(wanted, options.results, options.jobs, time.monotonic() + 3600 * options.hours)
    rows = known()
    print(power_report.speed(rows))
    print("\n".join(power_report.summary(rows)))
    if options.report:
        report(rows, code, options.seeds)


if __name__ == "__main__":
    main()
