"""Rule snapshot: everything an association used, in one archive that makes its products again."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.files import read_json
from snakedriz.workflow import snapshot


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        params = snakemake.params
        contents = snapshot.gather(
            snakemake.wildcards.asn,
            params.associations,
            params.config,
            snakemake.input.exposures,
            [read_json(path) for path in snakemake.input.inventories],
            snakemake.input.fetched,
            snakemake.input.tables,
            snakemake.input.results,
            params.switches,
            params.workflow,
        )
        contents.write(snakemake.output.archive, f"{snakemake.wildcards.asn}_snapshot")


if "snakemake" in globals():
    main(globals()["snakemake"])
