"""Rule final_exposure: one exposure with the promoted WCS, its CR flags, and its headerlet."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.files import read_json
from snakedriz.products import final

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    promotion = read_json(snakemake.input.promotion)
    final.write_exposure(
        owner=f"{snakemake.wildcards.root}_{snakemake.wildcards.kind}",
        bundle=final.winner_bundle(promotion, snakemake.input.wcs),
        source=snakemake.input.exposure,
        crmask=snakemake.input.crmask,
        inventory=read_json(snakemake.input.inventory),
        promotion=promotion,
        exposure_out=snakemake.output.exposure,
        headerlet_out=snakemake.output.headerlet,
    )
