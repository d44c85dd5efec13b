"""Rule visit_fit: the exposures of all associations of a visit fitted to one catalogue as one body."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.alignment import exposure_sources, visit_fit
from snakedriz.artefacts.inventory import Inventory
from snakedriz.catalogs import field_catalog
from snakedriz.exposures import field, skeleton


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        every = [Inventory.read(path) for path in snakemake.input.inventories]
        inventories = [inventory for inventory in every if inventory.outcome == "process"]
        bundles = [skeleton.read_bundle(path) for path in snakemake.input.wcs]
        skeletons = {owner: found for bundle in bundles for owner, found in bundle.items()}
        numbers = visit_fit.finest_settings(snakemake.params.detectors, inventories, skeletons)
        catalog = field_catalog.in_field(
            snakemake.input.catalog,
            snakemake.wildcards.catalog,
            snakemake.params.options,
            field.outlines(skeletons),
            field_catalog.margin_arcsec(numbers["fitting"], skeletons),
            field.epochs(inventories),
        )
        found = visit_fit.fit(
            snakemake.wildcards.visit,
            {one.association: [exposure.rootname for exposure in one.exposures] for one in inventories},
            exposure_sources.collect_visit(inventories, skeletons, snakemake.input.sources),
            catalog,
            snakemake.wildcards.geometry,
            numbers,
            snakemake.wildcards.catalog,
        )
        found.write(snakemake.output.fit)


if "snakemake" in globals():
    main(globals()["snakemake"])
