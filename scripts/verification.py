"""Rule verification: one candidate measured, every check with value, limit and outcome."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts, settings
from snakedriz.files import read_json
from snakedriz.verification import verdict

if TYPE_CHECKING:
    snakemake: Any

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
    artefacts.write(snakemake.output.verification, found)
