"""Rule snapshot: everything an association used, in one archive that makes its products again."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.workflow import snapshot


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    given, params, association = snakemake.input, snakemake.params, snakemake.wildcards.asn
    with job(snakemake):
        inventories = [Inventory.read(path) for path in given.inventories]
        used = snapshot.UsedFiles(given.exposures, inventories, given.fetched, given.tables, given.results)
        contents = snapshot.gather(
            association, params.associations, params.config, used, params.switches, params.workflow
        )
        contents.write(snakemake.output.archive, f"{association}_snapshot")


if "snakemake" in globals():
    main(globals()["snakemake"])
