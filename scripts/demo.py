"""Rule demo: run the workflow on the simulated visit, then say what it promoted and how far it is from the truth."""

import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

import snakedriz.workflow.blas  # noqa: F401  before numpy
from snakedriz.files import whole
from snakedriz.workflow.demo import report


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    params = snakemake.params
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", params.snakefile, "--directory", params.folder,
         "--configfile", params.configfile, "--cores", str(snakemake.threads)],
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        print(f"\nsnakedriz: the demo's own run failed; its logs are in {params.folder}/results", file=sys.stderr)
        raise SystemExit(1)
    text = report(Path(params.folder), params.association)
    print(text)
    with whole(snakemake.output[0]) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


if "snakemake" in globals():
    main(globals()["snakemake"])
