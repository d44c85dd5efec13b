"""Rule verification: one candidate measured, every check with value, limit and outcome."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import settings
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import Verification
from snakedriz.verification import verification

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = Inventory.read(snakemake.input.inventory)
    numbers = settings.detector_settings(snakemake.params.detectors, str(inventory.instrument), str(inventory.detector))
    product, singles = snakemake.input.drizzled or (None, None)
    default_product, default = snakemake.input.default or (None, None)
    verification.verify(
        product=product,
        singles=singles,
        solution=Solution.read(snakemake.input.solution),
        settings=numbers["verification"],
        default_product=default_product,
        default=None if default is None else Verification.read(default),
        threads=snakemake.threads,
    ).write(snakemake.output.verification)
