"""Rules picture_of_candidates and picture_of_associations: two products before and after, and their offset."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.errors import NotApplicable
from snakedriz.report import compare_images, pictures

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    products = snakemake.input.first, snakemake.input.second
    options = snakemake.params.pictures
    size = float(options["size_arcsec"])
    try:
        found = compare_images.compare(
            *products, snakemake.params.detectors, options["positions"], size, int(options["stars"])
        )
    except NotApplicable as outcome:
        found = compare_images.not_applicable(*products, outcome.reason, size)
    print(found.report["reason"] or pictures.offset_text(found.report))
    pictures.write(found, snakemake.output.picture)
