"""Rule promotion: which candidate wins, and why. Reads JSON only."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.solution import Solution
from snakedriz.promotion import promotion
from snakedriz.settings import configuration

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    promotion.promote(
        Inventory.read(snakemake.input.inventory),
        [Solution.read(path) for path in snakemake.input.solutions],
        [Metrics.read(path) for path in snakemake.input.metrics],
        configuration.Promotion(**snakemake.params.promotion),
    ).write(snakemake.output.promotion)
