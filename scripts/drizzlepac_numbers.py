"""Rule drizzlepac_numbers: what drizzlepac 3.11 would say of one candidate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.artefacts.fit import Fit
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.verification import drizzlepac_numbers

if TYPE_CHECKING:
    snakemake: Any

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
