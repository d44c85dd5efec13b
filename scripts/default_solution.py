"""Rule default_solution: the distortion model applied to every exposure of an association."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.candidates import bundle, default


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        skeletons = bundle.input_skeletons(inventory)
        if inventory.outcome == "process":
            solution = default.make(skeletons, snakemake.params.references)
        else:
            solution = bundle.not_applicable("default", inventory.reason)
        bundle.write(snakemake.output.wcs, solution, skeletons)
        solution.write(snakemake.output.solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
