"""Rule fit: the exposures of an association fitted to one catalogue, by every method and with every geometry."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from astropy.table import Table
from snakedriz import settings
from snakedriz.alignment import exposure_sources, fitting
from snakedriz.artefacts import untyped
from snakedriz.artefacts.inventory import Inventory
from snakedriz.candidates import bundle
from snakedriz.exposures.skeleton import Skeletons


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
        start = "default"
        skeletons: Skeletons = {}
        if inventory["outcome"] == "process":
            start, skeletons = bundle.starting_point(snakemake.input.start)
        sources = exposure_sources.collect(inventory, skeletons, snakemake.input.sources)
        catalog = Table.read(snakemake.input.catalog)
        for path in snakemake.output.fits:
            method: Any
            geometry: Any
            _, method, geometry = Path(path).stem.rsplit("_", 2)
            found = fitting.fit(sources, catalog, method, geometry, numbers, snakemake.wildcards.catalog)
            untyped.write(path, {**found, "start": start})


if "snakemake" in globals():
    main(globals()["snakemake"])
