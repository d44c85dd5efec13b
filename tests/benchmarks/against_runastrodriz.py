"""Time, disk and truth: this workflow against drizzlepac.runastrodriz on one simulated association, in one session.

python tests/benchmarks/against_runastrodriz.py --work DIR [--small] [--only ours|theirs]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from services import services
from snakedriz.simulate import Visit, measure_offsets, simulate_visit
from snakedriz.simulate.truth import read_truth

ROOT = Path(__file__).resolve().parents[2]
ASN = "jdemo1010"
FULL = Visit(seed=2, chip_shape=(2048, 4096), n_stars=2000, n_reference=225, n_galaxies=300, pointing_error=(0.4, 0.45))


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def timed(command: list[str], cwd: Path, environment: dict[str, str], log: Path) -> dict[str, Any]:
    """Run a command; wall and CPU seconds of it and its children, blocks written, peak disk of the folder."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    load, peak = os.getloadavg()[0], 0
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=out, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, bytes_below(cwd))
            time.sleep(2)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "exit_code": process.returncode,
        "wall_s": round(time.monotonic() - start, 1),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "written_gb": round((after.ru_oublock - before.ru_oublock) * 512 / 1e9, 2),
        "peak_disk_gb": round(peak / 1e9, 2),
        "largest_process_gb": round(after.ru_maxrss / 1e6, 2),
        "load_before": load,
    }


def ours(simulation: Path, work: Path) -> dict[str, Any]:
    """Run the workflow with two cores."""
    work.mkdir()
    config = {
        "input": str(simulation / "data"), "output": "results", "references": {"jref": str(simulation / "ref")},
        "catalogs": [{"name": "GAIAeDR3", "file": str(simulation / "gaia.ecsv")}],
        "solutions": {"offsets": str(simulation / "offsets.ecsv")},
    }  # fmt: skip
    (work / "config.yaml").write_text(yaml.safe_dump(config))
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml",
        "--cores", "2",
    ]  # fmt: skip
    found = timed(command, work, dict(os.environ, OMP_NUM_THREADS="1"), work.parent / "ours.log")
    promotion = json.loads((work / "results" / ASN / "promotion.json").read_text())
    product = work / "results" / ASN / "final" / f"{ASN}_drc.fits"
    return {**found, "promoted": promotion["wcsname"], **truth_of(product, simulation)}


def theirs(simulation: Path, work: Path) -> dict[str, Any]:
    """Run runastrodriz on copies, which it changes, with its services answered on loopback."""
    from astropy.io import fits

    shutil.copytree(simulation / "data", work)
    with services(simulation) as urls:
        environment = dict(os.environ, jref=f"{simulation / 'ref'}/", OMP_NUM_THREADS="1", **urls)
        command = [str(Path(sys.executable).with_name("runastrodriz")), f"{ASN}_asn.fits"]
        found = timed(command, work, environment, work.parent / "theirs.log")
    product = work / f"{ASN}_drc.fits"
    name = fits.getheader(product, "SCI")["WCSNAME"]
    return {**found, "promoted": name, **truth_of(product, simulation)}


def truth_of(product: Path, simulation: Path) -> dict[str, Any]:
    """Distance of the product's stars from truth."""
    summary = measure_offsets(product, read_truth(simulation)).meta["summary"]
    return {"median_mas": round(summary["median_radial_mas"], 2), "scatter_mas": round(summary["scatter_mas"], 2)}


def main() -> None:
    """Simulate, run both, print a table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder on a disk with 40 GB free")
    parser.add_argument("--small", action="store_true", help="small frames: tries the benchmark itself")
    parser.add_argument("--only", choices=["ours", "theirs"])
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    simulation = work / "simulation"
    if not simulation.exists():
        simulate_visit(Visit(seed=1) if arguments.small else FULL, simulation)
    table: dict[str, Any] = {}
    for name, run in (("ours", ours), ("theirs", theirs)):
        if arguments.only in (None, name):
            table[name] = run(simulation, work / name)
            print(name, json.dumps(table[name]), flush=True)
    if len(table) == 2:
        for key in ("wall_s", "cpu_s", "written_gb", "peak_disk_gb"):
            print(f"{key}: theirs / ours = {table['theirs'][key] / table['ours'][key]:.1f}")
    (work / "result.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
