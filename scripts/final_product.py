"""Rule final_product: the drizzled product with the promoted WCS, cosmic rays flagged afresh."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.drizzle import engine
from snakedriz.files import read_json
from snakedriz.products import final

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake) as log:
    promotion = read_json(snakemake.input.promotion)
    bundle = final.winner_bundle(promotion, snakemake.input.wcs)
    exposures, inventory = engine.read_exposures(snakemake.input.inventory, bundle, snakemake.wildcards.product)
    engine.drizzle(
        exposures,
        inventory["drizzle"]["parameters"],
        "flag",
        product=Path(snakemake.output.product),
        crmask=snakemake.output.crmask,
        cores=snakemake.threads,
        temporary_directory=snakemake.resources.tmpdir,
        log=log,
        finish=final.product_finisher(promotion, inventory),
    )
