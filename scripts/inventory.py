"""Rule inventory: the facts of every exposure of an association, what is used, and why not."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.exposures import association
from snakedriz.exposures.inventory import Surroundings, build


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        params, config = snakemake.params, snakemake.params.config
        index = association.FileIndex(config["input"], exclude=[config["output"]])
        around = Surroundings(
            config["references"], config["drizzle"], os.environ, params.detectors, params.switches, params.versions
        )
        found = build(association.read(index, snakemake.wildcards.asn), index, around)
        found.write(snakemake.output.inventory)


if "snakemake" in globals():
    main(globals()["snakemake"])
