"""Rule final_product: the drizzled product with the promoted WCS, cosmic rays flagged afresh."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.promotion import Promotion
from snakedriz.drizzle import drizzle_input, engine
from snakedriz.products import final


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    given, out = snakemake.input, snakemake.output
    with job(snakemake) as log:
        inventory, promotion = Inventory.read(given.inventory), Promotion.read(given.promotion)
        bundle = final.winner_bundle(promotion, given.wcs)
        engine.drizzle(
            drizzle_input.read_inputs(inventory, bundle, snakemake.wildcards.product),
            inventory.drizzle.parameters,
            engine.DrizzleOutput(Path(out.product), Path(out.crmask)),
            cores=snakemake.threads,
            temporary_directory=snakemake.resources.tmpdir,
            log_file=log,
            finish=final.product_finisher(promotion, inventory),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
