"""Rule inventory: the facts of every exposure of an association, what is used, and why not."""

import os
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.exposures import association, inventory
from snakedriz.files import write_json

if TYPE_CHECKING:
    snakemake: Any

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
