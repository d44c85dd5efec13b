"""Rule final_product: the promoted candidate's product; of the other kind of exposures one with its CR flags."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from astropy.io import fits
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.promotion import Promotion
from snakedriz.drizzle import cr_masks, drizzle_input, engine
from snakedriz.exposures import mdriztab
from snakedriz.products import final


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    given, out = snakemake.input, snakemake.output
    with job(snakemake) as log:
        inventory, promotion = Inventory.read(given.inventory), Promotion.read(given.promotion)
        finish = final.product_finisher(promotion, inventory)
        judged = final.of_winner(promotion, given.crmasks)
        product = final.product_of(judged)
        if snakemake.params.judged and product.is_file():
            final.deliver(product, out.product, finish)
            return

        def record_and_finish(product: fits.HDUList) -> None:
            mdriztab.record(product[0].header, inventory.drizzle)
            finish(product)

        reuse: str | Path | None = judged
        if snakemake.params.judged:  # the same once more, as the candidate was drizzled
            reuse = cr_masks.to_reuse([] if promotion.winner == "default" else given.default)
        engine.drizzle(
            drizzle_input.read_inputs(inventory, final.of_winner(promotion, given.wcs), snakemake.wildcards.product),
            inventory.drizzle.parameters,
            engine.DrizzleOutput(Path(out.product)),
            reuse=reuse,
            judged=judged,
            cores=snakemake.threads,
            temporary_directory=snakemake.resources.tmpdir,
            log_file=log,
            finish=record_and_finish,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
