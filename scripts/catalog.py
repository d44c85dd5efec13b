"""Rule catalog: a reference catalogue in normal form, at the epochs of the exposures, cut to their field."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.artefacts.inventory import Inventory
from snakedriz.catalogs import field_catalog
from snakedriz.exposures import field, skeleton
from snakedriz.files import write_table


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        detector = inventory.instrument or "", inventory.detector or ""
        numbers = settings.detector_settings(snakemake.params.detectors, *detector)
        skeletons = skeleton.read_bundle(snakemake.input.wcs) if inventory.outcome == "process" else {}
        table = field_catalog.in_field(
            snakemake.input.file,
            snakemake.wildcards.catalog,
            snakemake.params.options,
            field.outlines(skeletons),
            field_catalog.margin_arcsec(numbers["fitting"], skeletons),
            field.epochs([inventory]),
        )
        write_table(snakemake.output.table, table)


if "snakemake" in globals():
    main(globals()["snakemake"])
