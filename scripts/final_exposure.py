"""Rule final_exposure: one exposure with the promoted WCS, its CR flags, and its headerlet."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.promotion import Promotion
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.products import final


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    given, out = snakemake.input, snakemake.output
    with job(snakemake):
        promotion = Promotion.read(given.promotion)
        key = ExposureKey(snakemake.wildcards.root, snakemake.wildcards.kind)
        bundle, crmask = (final.of_winner(promotion, paths) for paths in (given.wcs, given.crmasks))
        final.write_exposure(
            final.FinalInput(key, bundle, Path(given.exposure), crmask),
            Inventory.read(given.inventory),
            promotion,
            out.exposure,
            out.headerlet,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
