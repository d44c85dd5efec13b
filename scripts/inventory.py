"""Rule inventory: the facts of every exposure of an association, what is used, and why not."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.exposures import association, inventory
from snakedriz.files import write_json


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        config = dict(snakemake.params.config)
        index = association.FileIndex(config["input"], exclude=[config["output"]])
        found = inventory.build(
            association.read(index, snakemake.wildcards.asn),
            index,
            config,
            os.environ,
            snakemake.params.detectors,
        )
        found["switches"] = dict(snakemake.params.switches)
        found["software"] = dict(snakemake.params.versions)
        write_json(snakemake.output.inventory, found)


if "snakemake" in globals():
    main(globals()["snakemake"])
