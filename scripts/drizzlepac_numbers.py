"""Rule drizzlepac_numbers: what drizzlepac 3.11 would say of one candidate."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.fit import Fit
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.verification import drizzlepac_numbers


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        solution = Solution.read(snakemake.input.solution)
        product, singles = snakemake.input.drizzled or (None, None)
        chosen = solution.chosen_fit and solution.chosen_fit.file
        fit = next((Fit.read(path) for path in snakemake.input.fits if Path(path).name == chosen), None)
        drizzlepac_numbers.assess(
            product=product,
            singles=singles,
            solution=solution,
            instrument=str(inventory.instrument),
            detector=str(inventory.detector),
            default_product=next(iter(snakemake.input.default), None),
            fit=fit,
        ).write(snakemake.output.numbers)


if "snakemake" in globals():
    main(globals()["snakemake"])
