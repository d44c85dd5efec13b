"""Measure the workflow against drizzlepac.runastrodriz on the same simulated ACS/WFC association.

    PYTHONPATH=scripts:tests python tests/benchmarks/against_runastrodriz.py --work DIR [--small]
        [--skip-runastrodriz] [--output FILE]

Linux only. DIR must not hold a run yet; DIR/visit becomes the simulated visit, DIR/ours and DIR/runastrodriz the
folders of the runs, which go one after the other, the workflow first. How each figure is measured:

wall             from the start of the process to its end
cpu              user + system time of the process and all its descendants, from wait4
others           CPU time that the machine spent meanwhile on anything else: compare walls only where it is small
written          passed to write() (wchar) and sent towards the disk (write_bytes) by the tree: what this process's
                 /proc/self/io, which takes in descendants that ended, grew by
disk             blocks used below the run's folder, scratch files included, beyond those at its start (which for
                 runastrodriz are its own copies of the inputs, which it changes): largest seen, and at the end
memory           proportional set size of the tree, largest sum seen; and of a single process the largest resident set
median offset    of the product's stars from the truth of the simulation

Disk and memory are sampled every half second; peaks between samples are missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from astropy.io import fits
from helpers.pipeline_services import serve
from snakedriz.simulate import Truth, Visit, measure_offsets, simulate_visit

ROOT = Path(__file__).resolve().parents[2]
SMALL = Visit(seed=1)
FULL = Visit(seed=2, chip_shape=(2048, 4096), n_stars=2000, n_reference=225, n_galaxies=300, pointing_error=(0.4, 0.45))
SAMPLING = 0.5  # seconds
LIMIT = 3600.0  # seconds a run may take
TICK = os.sysconf("SC_CLK_TCK")
ROWS: list[tuple[str, str, float, str]] = [  # label, key, divisor, format
    ("exit code", "exit_code", 1, "d"),
    ("wall, s", "wall_s", 1, ".1f"),
    ("CPU, s", "cpu_s", 1, ".1f"),
    ("CPU of others meanwhile, s", "others_cpu_s", 1, ".1f"),
    ("load average (1 min) at start", "load_start", 1, ".2f"),
    ("load average (1 min) at end", "load_end", 1, ".2f"),
    ("written, write(), MB", "wchar_bytes", 1e6, ".0f"),
    ("written, towards disk, MB", "write_bytes", 1e6, ".0f"),
    ("disk at its largest, MB", "disk_peak_bytes", 1e6, ".0f"),
    ("disk at the end, MB", "disk_end_bytes", 1e6, ".0f"),
    ("memory of the tree (PSS), MB", "memory_peak_bytes", 1e6, ".0f"),
    ("largest process (RSS), MB", "largest_process_bytes", 1e6, ".0f"),
    ("promoted", "wcsname", 1, "s"),
    ("stars measured", "stars", 1, "d"),
    ("median offset, mas", "median_radial_mas", 1, ".2f"),
]


def fields_of(path: str, separator: str | None = None) -> dict[str, int]:
    """Names and first numbers of a file below /proc; nothing where its process has ended."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return {}
    split = (line.split(separator) for line in lines)
    return {part[0].rstrip(":"): int(part[1]) for part in split if len(part) > 1 and part[1].strip().isdigit()}


def tree(root: int) -> list[int]:
    """Process ids of a process and its descendants."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(place.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def disk_used(folder: Path) -> int:
    """Bytes of the blocks below a folder; links are not followed, hard links count once."""
    blocks = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(directory, name))  # noqa: PTH118 - many, often
            except FileNotFoundError:
                continue
            blocks[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(blocks.values())


def busy_seconds() -> float:
    """CPU seconds the machine has spent on anything since it started."""
    values = [int(v) for v in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(values[:8]) - values[3] - values[4]) / TICK


class Sampler(threading.Thread):
    """Watches a process tree and a folder until told to stop."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self.pid, self.folder = pid, folder
        self.memory = self.largest = self.disk = 0
        self.done = threading.Event()

    def run(self) -> None:
        """Sample; sizes in bytes."""
        while not self.done.is_set():
            pids = tree(self.pid)
            self.memory = max(self.memory, 1024 * sum(fields_of(f"/proc/{p}/smaps_rollup").get("Pss", 0) for p in pids))
            self.largest = max(self.largest, *(1024 * fields_of(f"/proc/{p}/status").get("VmHWM", 0) for p in pids))
            self.disk = max(self.disk, disk_used(self.folder))
            self.done.wait(SAMPLING)


def measured(command: list[str], folder: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Run a command in a folder, its output to run.log there, and measure it."""
    scratch = folder / "tmp"
    scratch.mkdir()
    environ = {**environ, "TMPDIR": str(scratch)}
    disk, written, busy = disk_used(folder), fields_of("/proc/self/io"), busy_seconds()
    load, start = os.getloadavg()[0], time.monotonic()
    with (folder / "run.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    sampler = Sampler(process.pid, folder)
    sampler.start()
    timer = threading.Timer(LIMIT, process.terminate)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.done.set()
    sampler.join()
    cpu = usage.ru_utime + usage.ru_stime
    grown = {key: value - written[key] for key, value in fields_of("/proc/self/io").items()}
    end = disk_used(folder)
    return {
        "command": command,
        "exit_code": process.returncode,
        "wall_s": wall,
        "cpu_s": cpu,
        "others_cpu_s": busy_seconds() - busy - cpu,
        "load_start": load,
        "load_end": os.getloadavg()[0],
        "wchar_bytes": grown["wchar"],
        "write_bytes": grown["write_bytes"],
        "cancelled_write_bytes": grown["cancelled_write_bytes"],
        "disk_start_bytes": disk,
        "disk_peak_bytes": max(sampler.disk, end) - disk,
        "disk_end_bytes": end - disk,
        "memory_peak_bytes": sampler.memory,
        "largest_process_bytes": sampler.largest,
    }


def judged(product: Path, exposures: list[Path], truth: Truth) -> dict[str, Any]:
    """What was promoted, by the product's and the exposures' headers, and how far its stars are from the truth."""
    if not product.is_file():
        return {"wcsname": None, "stars": 0, "median_radial_mas": None}
    summary = measure_offsets(product, truth).meta["summary"]
    names = {path.name: str(fits.getval(path, "WCSNAME", ("SCI", 1))) for path in exposures if path.is_file()}
    return {
        "wcsname": str(fits.getval(product, "WCSNAME", "SCI")),
        "exposures": names,
        "stars": summary["n"],
        **{key: value for key, value in summary.items() if key != "n"},
    }


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would change either pipeline's course, one thread per process."""
    names = ("ASTROMETR", "GSSS_", "PIPELINE_", "RAISE_PIPELINE", "jref", "iref", "uref", "SNAKEMAKE_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(names)}
    return {**kept, "OMP_NUM_THREADS": "1", **changes}


def run_ours(truth: Truth, folder: Path) -> dict[str, Any]:
    """The workflow, reading the visit's files where they are."""
    folder.mkdir()
    visit = Path(os.path.relpath(truth.directory, folder))
    config = {
        "input": str(visit / "data"),
        "output": "results",
        "references": {"jref": str(visit / "ref")},
        "catalogs": [{"name": "GAIAeDR3", "file": str(visit / "gaia.ecsv")}],
        "solutions": {"offsets": str(visit / "offsets.ecsv")},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "config.yaml"), "--cores", "2"]
    found = measured(command, folder, environment())
    final = folder / "results" / truth.visit.asn / "final"
    found |= judged(final / f"{truth.visit.asn}_drc.fits", [final / path.name for path in truth.flc], truth)
    return found


def run_theirs(truth: Truth, folder: Path) -> dict[str, Any]:
    """runastrodriz, on copies, its services on loopback."""
    shutil.copytree(truth.data, folder, copy_function=shutil.copyfile)
    command = [str(Path(sys.executable).with_name("runastrodriz")), truth.asn_table.name]
    with serve(truth) as (services, places):
        found = measured(command, folder, environment(**places, jref=f"{truth.ref}/"))
    found["requests"] = dict(services.asked)
    found |= judged(folder / f"{truth.visit.asn}_drc.fits", [folder / path.name for path in truth.flc], truth)
    return found


def table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of the runs side by side."""
    lines = [["", *runs]]
    for label, key, divisor, form in ROWS:
        values = [run.get(key) for run in runs.values()]
        shown = ["-" if v is None else format(v / divisor if divisor != 1 else v, form) for v in values]
        lines.append([label, *shown])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def main() -> int:
    """Run both, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the visit and both runs")
    parser.add_argument("--small", action="store_true", help="chips of 512 x 1024 pixels instead of full frames")
    parser.add_argument("--skip-runastrodriz", action="store_true", help="only the workflow")
    parser.add_argument("--output", type=Path, help="JSON file (by default against_runastrodriz.json in the folder)")
    options = parser.parse_args()
    work = options.work.resolve()
    if any((work / name).exists() for name in ("visit", "ours", "runastrodriz")):
        parser.error(f"{work} already holds a run")
    work.mkdir(parents=True, exist_ok=True)
    truth = simulate_visit(SMALL if options.small else FULL, work / "visit")
    runs = {"workflow": run_ours(truth, work / "ours")}
    print(table(runs), flush=True)
    if not options.skip_runastrodriz:
        runs["runastrodriz"] = run_theirs(truth, work / "runastrodriz")
        print("\n" + table(runs), flush=True)
    packages = ("snakedriz", "snakemake", "drizzlepac", "stwcs", "photutils", "astropy", "numpy")
    found = {
        "visit": "small" if options.small else "full frame",
        "cpus": len(os.sched_getaffinity(0)),
        "versions": {name: metadata.version(name) for name in packages},
        "runs": runs,
    }
    output = options.output or work / "against_runastrodriz.json"
    output.write_text(json.dumps(found, indent=2) + "\n")
    return max(abs(run["exit_code"]) for run in runs.values())


if __name__ == "__main__":
    sys.exit(main())
