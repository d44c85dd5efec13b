"""Rule fit: the exposures of an association fitted to one catalogue, by one method, with one geometry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from _job import job
from astropy.table import Table
from snakedriz import artefacts, candidates, field, fitting, settings
from snakedriz.files import read_json
from snakedriz.relative_alignment import ExposureSources

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
    start = "default"
    skeletons: candidates.Skeletons = {}
    if inventory["outcome"] == "process":
        start, skeletons = candidates.starting_point(snakemake.input.start)
    tables = {Path(path).stem: path for path in snakemake.input.sources}
    exposures = [
        ExposureSources(
            e["rootname"],
            skeletons[f"{e['rootname']}_{inventory['verification_kind']}"],
            Table.read(tables[e["rootname"]]),
            float(e["exptime"]),
            field.epoch(e),
        )
        for e in inventory["exposures"]
        if e["used"] and e["alignable"]
    ]
    found = fitting.fit(
        exposures,
        Table.read(snakemake.input.catalog),
        snakemake.wildcards.method,
        snakemake.wildcards.geometry,
        numbers,
        snakemake.wildcards.catalog,
    )
    artefacts.write(snakemake.output.fit, {**found, "start": start})
