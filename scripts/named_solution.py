"""Rule named_solution: a solution that the exposures carry, or that a folder of headerlets has for them."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.candidates import bundle, named


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        name = snakemake.wildcards.candidate
        skeletons = bundle.input_skeletons(inventory)
        if inventory.outcome == "process":
            way, text = next(iter(snakemake.params.wanted.items()))
            files = snakemake.input.headerlets
            if way == "headerlets":
                files = named.folder_files(text, files)
            solution = named.make(name, way, text, skeletons, files)
        else:
            solution = bundle.not_applicable(name, inventory.reason)
        bundle.write(snakemake.output.wcs, solution, skeletons)
        solution.write(snakemake.output.solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
