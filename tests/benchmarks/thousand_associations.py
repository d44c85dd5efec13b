"""Time and memory of a dry run, and of a run with nothing to do, with many associations of 4 exposures.

    PYTHONPATH=scripts python tests/benchmarks/thousand_associations.py --work DIR [--count 1000]

Exposures are header-only; the finished state is written by Snakemake's own code (see `many_associations.finish`).
Limits for 1,000: the plan (`-n -q`) 60 s and 2 GB, a run with nothing to do 90 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import many_associations


def measured(folder: Path, *arguments: str) -> tuple[str, str]:
    """Run Snakemake in `folder`; return a line of figures and what it said."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(many_associations.ROOT / "Snakefile")]
    began = time.monotonic()
    run = subprocess.Popen(
        [*command, "--configfile", "config.yaml", "--cores", "2", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert run.stdout is not None
    said = run.stdout.read()
    _, status, used = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(said[-3000:])
    cpu = used.ru_utime + used.ru_stime
    return f"{time.monotonic() - began:7.1f} s {cpu:7.1f} s CPU {used.ru_maxrss * 1024e-9:6.2f} GB", said


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, required=True, help="folder to work in, 1 MB an association")
    options.add_argument("--count", type=int, default=1000)
    given = options.parse_args()
    folder = given.work / str(given.count)
    many_associations.make(folder, given.count)
    one = many_associations.association(given.count // 2)
    total = ""
    for name, arguments in (
        ("dry run", ["-n"]),
        ("dry run, -q", ["-n", "-q"]),
        ("dry run of one", ["-n", "--config", f"associations={one}"]),
        ("inventory of one, run", [f"results/{one}/inventory.json"]),
        ("dry run of a tenth, --batch", ["-n", "--batch", "all=1/10"]),
    ):
        figures, said = measured(folder, *arguments)
        total = total or next(line.split()[1] for line in said.splitlines() if line.startswith("total "))
        print(f"{name:<30}{figures}", flush=True)
    many_associations.finish(folder)
    figures, said = measured(folder)
    assert "Nothing to be done" in said, said[-3000:]
    files = sum(len(names) for _, _, names in os.walk(folder / "results"))
    kept = sum(len(names) for _, _, names in os.walk(folder / ".snakemake/metadata"))
    print(f"{'nothing to do':<30}{figures}")
    print(f"{given.count} associations, {total} jobs, {files} files in results, {kept} in .snakemake/metadata")


if __name__ == "__main__":
    main()
