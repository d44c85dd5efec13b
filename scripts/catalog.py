"""Rule catalog: a reference catalogue in normal form, at the epochs of the exposures, cut to their field."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import settings
from snakedriz.catalogs import field_catalog
from snakedriz.exposures import field, skeleton
from snakedriz.files import read_json, write_table

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
    skeletons = skeleton.read_bundle(snakemake.input.wcs) if inventory["outcome"] == "process" else {}
    table = field_catalog.in_field(
        snakemake.input.file,
        snakemake.wildcards.catalog,
        snakemake.params.options,
        field.outlines(skeletons),
        numbers["fitting"]["margin_arcsec"],
        field.epochs([inventory]),
    )
    write_table(snakemake.output.table, table)
