"""Rule promotion: which candidate wins, and why. Reads JSON only."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts import untyped
from snakedriz.files import read_json
from snakedriz.promotion import decision


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        untyped.write(
            snakemake.output.promotion,
            decision.promote(
                read_json(snakemake.input.inventory),
                [read_json(path) for path in snakemake.input.solutions],
                [read_json(path) for path in snakemake.input.metrics],
                snakemake.params.promotion,
            ),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
