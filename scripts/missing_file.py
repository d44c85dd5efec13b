"""Rule missing_file: say what is missing, what belongs there, and how to get it."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.services import fetching


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        fetching.refuse_without_network(snakemake.wildcards.file, **snakemake.params.folders)


if "snakemake" in globals():
    main(globals()["snakemake"])
