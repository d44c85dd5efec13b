"""Rule sources: the source catalogue of one exposure."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import settings
from snakedriz import sources as sources_
from snakedriz.files import read_json, write_table

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
    verdict = read_json(snakemake.input.metrics)
    trusted = bool(verdict.get("flags_trusted", False))
    print("the default candidate's CR flags are", "used" if trusted else "ignored: its alignment is not verified")
    write_table(
        snakemake.output.table,
        sources_.find_sources(snakemake.input.exposure, numbers["sources"], snakemake.input.crmask, trusted),
    )
