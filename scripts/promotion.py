"""Rule promotion: which candidate wins, and why. Reads JSON only."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts
from snakedriz.files import read_json
from snakedriz.promotion import decision

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    artefacts.write(
        snakemake.output.promotion,
        decision.promote(
            read_json(snakemake.input.inventory),
            [read_json(path) for path in snakemake.input.solutions],
            [read_json(path) for path in snakemake.input.metrics],
            snakemake.params.promotion,
        ),
    )
