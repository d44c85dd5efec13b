"""Rules picture_of_candidates and picture_of_associations: two products before and after, and their offset."""

import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.errors import NotApplicable
from snakedriz.report import compare_images, pictures

log = logging.getLogger("snakedriz.picture")


def main(snakemake: Any) -> None:
    """Do the work of the job."""
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
        log.info("%s", found.report.reason or pictures.offset_text(found.report))
        pictures.write(found, snakemake.output.picture)


if "snakemake" in globals():
    main(globals()["snakemake"])
