"""Run the workflow as a user would, in a folder of its own."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
#: Configuration of a folder made by `simulate_visit`.
SIMULATED = {
    "input": "data",
    "output": "results",
    "references": {"jref": "ref"},
    "catalogs": [{"name": "GAIAeDR3", "file": "gaia.ecsv"}],
    "solutions": {"offsets": "offsets.ecsv"},
    "promotion": {"drizzlepac_numbers": False},  # a sixth of the time of a small visit
}

#: The shortest way through the workflow.
SHORT = {"candidates": ["default"], "catalogs": [], "solutions": {}}


class Run:
    """What a run of Snakemake said and did."""

    def __init__(self, done):
        self.code = done.returncode
        self.output = done.stdout
        self.rules = re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", done.stdout)

    @property
    def tail(self):
        """The end of the output, for the message of a failed test."""
        return f"exit code {self.code}\n{self.output[-6000:]}"


def write_config(folder, **changes):
    """Write config.yaml for a simulated visit, with changes."""
    path = Path(folder) / "config.yaml"
    path.write_text(yaml.safe_dump({**SIMULATED, **changes}))
    return path


def command(*arguments, root=ROOT):
    return [
        *SNAKEMAKE,
        "--snakefile",
        str(root / "Snakefile"),
        "--configfile",
        "config.yaml",
        "--cores",
        "2",
        *arguments,
    ]


def environment(**changes):
    """The test's environment without what would change the workflow's configuration, or the bits of its results."""
    names = ("ASTROMETRY_", "jref", "iref", "uref", "SNAKEMAKE_PROFILE", "PYTEST", "OPENBLAS_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(names)}
    return {**kept, "OMP_NUM_THREADS": "1", **changes}


def run(folder, *arguments, root=ROOT, **environ):
    return _run(folder, command(*arguments, root=root), environ)


def run_command(folder, *arguments, **environ):
    """Run Snakemake with these arguments alone."""
    return _run(folder, [*SNAKEMAKE, *arguments], environ)


def _run(folder, line, environ):
    done = subprocess.run(
        line, cwd=folder, env=environment(**environ), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return Run(done)


def digests(folder):
    """sha256 of every file below a folder, by relative name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def promotion(folder, asn="jdemo1010"):
    return json.loads((Path(folder) / "results" / asn / "promotion.json").read_text())


def row(found, candidate):
    return next(r for r in found["candidates"] if r["candidate"] == candidate)
