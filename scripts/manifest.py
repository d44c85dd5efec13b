"""Rule manifest: the list of final files with their checksums, and the log a person reads."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.files import read_json
from snakedriz.products import manifest


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        manifest.write_manifest(snakemake.output.manifest, snakemake.input.final)
        manifest.write_trailer(
            snakemake.output.trailer,
            read_json(snakemake.input.inventory),
            [read_json(path) for path in snakemake.input.solutions],
            [read_json(path) for path in snakemake.input.metrics],
            read_json(snakemake.input.promotion),
            snakemake.input.final,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
