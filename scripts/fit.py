"""Rule fit: the exposures of an association fitted to one catalogue, by every method and with every geometry."""

import sys
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from astropy.table import Table
from snakedriz import settings
from snakedriz.alignment import exposure_sources, fitting
from snakedriz.artefacts.inventory import Inventory
from snakedriz.candidates import bundle


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        numbers = settings.detector_settings(
            snakemake.params.detectors, str(inventory.instrument), str(inventory.detector)
        )
        start = bundle.StartingPoint("default", {})
        if inventory.outcome == "process":
            start = bundle.starting_point(snakemake.input.start)
        sources = exposure_sources.collect(inventory, start.skeletons, snakemake.input.sources)
        catalog = Table.read(snakemake.input.catalog)
        kinds = product(snakemake.params.methods, snakemake.params.geometries)
        for path, (method, geometry) in zip(snakemake.output.fits, kinds, strict=True):
            found = fitting.fit(
                sources, catalog, method, geometry, numbers, snakemake.wildcards.catalog, start.candidate
            )
            reason = "; ".join(filter(None, [found.reason, start.note]))
            found.model_copy(update={"reason": reason}).write(path)


if "snakemake" in globals():
    main(globals()["snakemake"])
