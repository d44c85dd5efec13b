"""Rule verification: one candidate measured, every check with value, limit and outcome."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.artefacts import untyped
from snakedriz.files import read_json
from snakedriz.verification import verdict


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = read_json(snakemake.input.inventory)
        solution = read_json(snakemake.input.solution)
        numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
        product, singles = snakemake.input.drizzled or (None, None)
        default_product, default_verification = snakemake.input.default or (None, None)
        found = verdict.assess_candidate(
            product=product,
            singles=singles,
            solution=solution,
            settings=numbers["verification"],
            default_product=default_product,
            default_metrics=None if default_verification is None else read_json(default_verification),
            threads=snakemake.threads,
        )
        untyped.write(snakemake.output.verification, found)


if "snakemake" in globals():
    main(globals()["snakemake"])
