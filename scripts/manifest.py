"""Rule manifest: the list of final files with their checksums, and the log a person reads."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import Promotion
from snakedriz.artefacts.solution import Solution
from snakedriz.products import manifest, trailer


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        manifest.write(snakemake.output.manifest, snakemake.input.final)
        trailer.write(
            snakemake.output.trailer,
            Inventory.read(snakemake.input.inventory),
            [Solution.read(path) for path in snakemake.input.solutions],
            [Metrics.read(path) for path in snakemake.input.metrics],
            Promotion.read(snakemake.input.promotion),
            snakemake.input.final,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
