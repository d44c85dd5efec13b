"""Rule final_product: the drizzled product with the promoted WCS, cosmic rays flagged afresh."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.drizzle import engine
from snakedriz.files import read_json
from snakedriz.products import final


def main(snakemake: Any) -> None:
    """Do the work of the job."""
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


if "snakemake" in globals():
    main(globals()["snakemake"])
