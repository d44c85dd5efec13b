"""Rule final_exposure: one exposure with the promoted WCS, its CR flags, and its headerlet."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.files import read_json
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.products import final


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        promotion = read_json(snakemake.input.promotion)
        final.write_exposure(
            owner=ExposureKey(snakemake.wildcards.root, snakemake.wildcards.kind),
            bundle=final.winner_bundle(promotion, snakemake.input.wcs),
            source=snakemake.input.exposure,
            crmask=snakemake.input.crmask,
            inventory=read_json(snakemake.input.inventory),
            promotion=promotion,
            exposure_out=snakemake.output.exposure,
            headerlet_out=snakemake.output.headerlet,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
