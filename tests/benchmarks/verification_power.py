"""Injection study: how often is a displaced exposure noticed, and how often is a good visit refused?

    PYTHONPATH=scripts:tests python tests/benchmarks/verification_power.py --work DIR [--trials 100] [--jobs 2]
    PYTHONPATH=scripts:tests python tests/benchmarks/verification_power.py --work DIR --real 20

Simulated visits (power_cases.CASES, made by helpers.drizzled) have one exposure displaced or rotated, on top of the
0.01 to 0.03 px that all exposures of a guided visit are off. Each is verified three ways: as snakedriz measures it, as
the seed document defines it (focus and similarity index), and as drizzlepac 3.11 does (`drizzlepac_numbers`: equal to
its functions to the bit, as a test shows).
A visit that is not verified counts as caught; at displacement 0 it is a false alarm.

DIR/trials.csv   one line per trial, appended as they end: an interrupted study resumes where it was. A line counts only
                 for the code and the settings it was made with (column `code`).
DIR/power.ecsv   probability of being caught by case, displacement and verdict, with 95 % intervals
DIR/power.md     the same as tables, also printed
DIR/power.png    the same as plots

--real N adds N visits at each of 0, 0.2 and 0.5 px that go through AstroDrizzle itself: snakedriz.simulate, the default
solution, the drizzling and the same verification. drizzlepac is shown the single drizzles of a second pass, those
without the flagged pixels, as runastrodriz shows them. --frames wfc takes whole detectors: minutes and gigabytes a
trial. A trial depends on case, displacement and number only, so that --trials 200 after --trials 100 adds a hundred.
--record puts the figures of DIR into detectors.yaml (block `study`) and docs/verification.md.
"""

from __future__ import annotations

import argparse
import ast
import csv
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for folder in ("scripts", "tests"):
    sys.path.insert(0, str(ROOT / folder))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: two processes are meant to use two cores
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from astropy.table import Table  # noqa: E402
from helpers.drizzled import SOLUTION, numbers, write  # noqa: E402
from snakedriz.verification import verification  # noqa: E402

from benchmarks import power_cases, power_real, power_report, power_verdicts  # noqa: E402

Task = tuple[str, str, str, float, int]
KEY = ("code", "frames", "case", "kind", "amount", "trial")
FIELDS = (
    *KEY, "edge", "exposure", *power_verdicts.VERDICTS, "registration", "registration_limit", "focus", "similarity",
    "method", "off_x", "off_y", "err_x", "err_y",
)  # fmt: skip
#: Modules that the verdicts come from.
VERIFICATION = (
    "alignment/matching", "statistics", "verification/correlation", "verification/cr_census",
    "verification/drizzlepac_numbers", "verification/focus", "verification/frame_stars", "verification/frames",
    "verification/registration", "verification/sampled_regions", "verification/similarity",
    "verification/sparse_filters", "verification/star_width", "verification/verification",
)  # fmt: skip


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


def fingerprint() -> str:
    """Return a hash of what a trial depends on: the verification and its settings, the scenes, the cases."""
    library = Path(verification.__file__).parents[1]
    files = [library / f"{name}.py" for name in VERIFICATION] + [ROOT / "tests" / "helpers" / "drizzled.py"]
    files += [ROOT / "tests" / "benchmarks" / f"power_{name}.py" for name in ("cases", "real", "verdicts")]
    settings = [numbers(*case.split("/")) for case in sorted({c.detector for c in power_cases.CASES.values()})]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        digest.update(path.name.encode() + b"\0" + _statements(path).encode())
    return digest.hexdigest()[:10]


def trial(task: Task) -> dict[str, Any]:
    """Run one trial and return its line of trials.csv, without `code`."""
    frames, case, kind, amount, number = task
    with tempfile.TemporaryDirectory(prefix="snakedriz-power-") as name:
        directory = Path(name)
        if case == power_real.CASE:
            made = power_real.run(amount, number, directory)
            paths, second = (made.product, made.singles), made.second_pass
            rootname, true, detector, edge = made.rootname, made.error, "ACS/WFC", amount
        else:
            drawn = power_cases.make(case, kind, amount, number, frames)
            paths = write(drawn.scene, directory, second_pass=True)
            second = paths[0], directory / "x_second.fits"
            rootname, true = f"jtest{drawn.exposure + 1:02d}q", drawn.error
            detector, edge = power_cases.CASES[case].detector, drawn.edge
        found = verification.verify(*paths, SOLUTION, numbers(*detector.split("/")))
        shift = power_verdicts.shift_of(found, rootname)
        return {
            "frames": frames, "case": case, "kind": kind, "amount": amount, "trial": number, "edge": edge,
            "exposure": rootname, **power_verdicts.ours(found),
            **power_verdicts.drizzlepac_verdict(*second, detector), **power_verdicts.numbers_of(found),
            "method": shift.method, **power_verdicts.residual(shift, true),
        }  # fmt: skip


def read_rows(path: Path, code: str, frames: str) -> list[dict[str, str]]:
    """Read the whole lines of trials.csv that this code made; the last may have been cut short."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [r for r in rows if r["code"] == code and r["frames"] == frames and None not in r.values() and None not in r]


def key(row: dict[str, Any]) -> Task:
    """Return what a line is about."""
    return row["frames"], row["case"], row["kind"], float(row["amount"]), int(row["trial"])


def tasks(options: argparse.Namespace) -> Iterator[Task]:
    """Yield the trials asked for, the first of every case and displacement first: an interrupted study is a study."""
    cases = options.cases or list(power_cases.CASES)
    for number in range(options.trials):
        for case in cases:
            for kind in options.kinds:
                for amount in power_cases.AMOUNTS[kind]:
                    if options.amounts is None or amount in options.amounts:
                        yield options.frames, case, kind, amount, number
    for number in range(options.real):
        for amount in power_real.AMOUNTS:
            yield options.frames, power_real.CASE, "shift", amount, number


def run(wanted: list[Task], path: Path, code: str, jobs: int) -> None:
    """Run trials and append their lines."""
    fresh = not path.exists()
    if not fresh and not path.read_bytes().endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")  # after a line cut short
    # spawn: drizzlepac and BLAS do not survive a fork in every version
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, restval="")
        if fresh:
            writer.writeheader()
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for done, row in enumerate(pool.imap_unordered(trial, wanted), start=1):
                writer.writerow({"code": code, **row})
                file.flush()
                if done % 100 == 0 or done == len(wanted):
                    print(f"{done} of {len(wanted)} trials", file=sys.stderr, flush=True)


def report(rows: list[dict[str, str]], work: Path, code: str) -> None:
    """Write power.ecsv, power.md and power.png, and print the tables."""
    cases = [*power_cases.CASES, power_real.CASE]
    rows = sorted(rows, key=lambda r: (cases.index(r["case"]), r["kind"], float(r["amount"]), int(r["trial"])))
    table = power_report.summary(rows)
    table.meta = {"code": code, "confidence": 0.95, "interval": "Clopper-Pearson", "jitter_px": power_cases.JITTER}
    table.write(work / "power.ecsv", format="ascii.ecsv", overwrite=True)
    text = power_report.markdown(table, cases) + "\n" + power_report.accuracy(rows, cases)
    (work / "power.md").write_text(text, encoding="utf-8")
    power_report.plot(table, cases, work / "power.png")
    print(text)


def put(path: Path, start: str, end: str, text: str) -> None:
    """Replace what stands in a file after `start` and before `end`, or its end where `end` is empty."""
    whole = path.read_text(encoding="utf-8")
    before, found, rest = whole.partition(start)
    if not found or end not in rest:
        raise SystemExit(f"{path}: no place for the figures ({start!r} ... {end!r})")
    path.write_text(before + start + text + (rest[rest.index(end) :] if end else ""), encoding="utf-8")


def record(work: Path) -> None:
    """Put the figures of a study into the configuration and the front page."""
    table = Table.read(work / "power.ecsv")
    command = f"python tests/benchmarks/verification_power.py --work DIR --trials {int(max(table['trials']))} --record"
    put(
        ROOT / "scripts" / "snakedriz" / "settings" / "detectors.yaml",
        "# study\n",
        "",
        power_report.record(table, command),
    )
    notes = {}
    for name, case in power_cases.CASES.items():
        stars = f"{case.stars[0]} to {case.stars[1]} stars" if case.stars else ""
        notes[name] = f"{case.detector}, {len(case.exptimes)}: {'; '.join(filter(None, (stars, case.note)))}"
    put(
        ROOT / "docs/verification.md",
        "<!-- power -->\n",
        "<!-- /power -->",
        power_report.front_page(table[np.isin(table["case"], list(notes))], notes),
    )


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog=f"cases: {', '.join(power_cases.CASES)}"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the results")
    parser.add_argument("--trials", type=int, default=None, help="per case and displacement; 100, or 0 with --real")
    parser.add_argument("--quick", action="store_true", help="10 trials")
    parser.add_argument("--real", type=int, default=0, metavar="N", help="N visits per displacement with AstroDrizzle")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--frames", choices=list(power_cases.SIDES), default="small")
    parser.add_argument("--cases", nargs="+", choices=list(power_cases.CASES), metavar="CASE", default=None)
    parser.add_argument("--kinds", nargs="+", choices=list(power_cases.AMOUNTS), default=list(power_cases.AMOUNTS))
    parser.add_argument("--amounts", nargs="+", type=float, default=None, help="only these, px and deg")
    parser.add_argument(
        "--record", action="store_true", help="put the figures into detectors.yaml and docs/verification.md"
    )
    options = parser.parse_args(argv)
    if options.trials is None:
        options.trials = 10 if options.quick else (0 if options.real else 100)
    return options


def main() -> None:
    """Run what is missing, and report on everything that this code made."""
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    path, code = options.work / "trials.csv", fingerprint()
    done = {key(row) for row in read_rows(path, code, options.frames)}
    wanted = [task for task in tasks(options) if task not in done]
    if wanted:
        run(wanted, path, code, options.jobs)
    rows = read_rows(path, code, options.frames)
    if not rows:
        raise SystemExit(f"{path} has no trials of this code ({code}) with {options.frames} frames; ask for some")
    report(rows, options.work, code)
    if options.record:
        record(options.work)


if __name__ == "__main__":
    main()
