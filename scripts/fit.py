"""Rule fit: the exposures of an association fitted to one catalogue, by every method and with every geometry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from _job import job
from astropy.table import Table
from snakedriz import artefacts, settings
from snakedriz.alignment import exposure_sources, fitting
from snakedriz.candidates import stages
from snakedriz.files import read_json

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
    start = "default"
    skeletons: stages.Skeletons = {}
    if inventory["outcome"] == "process":
        start, skeletons = stages.starting_point(snakemake.input.start)
    sources = exposure_sources.collect(inventory, skeletons, snakemake.input.sources)
    catalog = Table.read(snakemake.input.catalog)
    for path in snakemake.output.fits:
        method: Any
        geometry: Any
        _, method, geometry = Path(path).stem.rsplit("_", 2)
        found = fitting.fit(sources, catalog, method, geometry, numbers, snakemake.wildcards.catalog)
        artefacts.write(path, {**found, "start": start})
