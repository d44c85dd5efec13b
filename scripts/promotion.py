"""Rule promotion: which candidate wins, and why. Reads JSON only."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.solution import Solution
from snakedriz.promotion import promotion
from snakedriz.settings import configuration


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        promotion.promote(
            Inventory.read(snakemake.input.inventory),
            [Solution.read(path) for path in snakemake.input.solutions],
            [Metrics.read(path) for path in snakemake.input.metrics],
            configuration.Promotion(**snakemake.params.promotion),
        ).write(snakemake.output.promotion)


if "snakemake" in globals():
    main(globals()["snakemake"])
