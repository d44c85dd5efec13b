"""Rule candidate_exposure: one exposure with a candidate's WCS and CR flags."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.drizzle import engine, outcome_header
from snakedriz.exposures import skeleton
from snakedriz.files import read_json, whole

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    solution = read_json(snakemake.input.solution)
    owner = f"{snakemake.wildcards.root}_{snakemake.wildcards.kind}"
    if solution["outcome"] == "ok":
        found = skeleton.read_bundle(snakemake.input.wcs, [owner])[owner]
        flags = engine.read_crmask(snakemake.input.crmask).get(snakemake.wildcards.root)
        with whole(snakemake.output.exposure) as temporary:
            skeleton.join(found, snakemake.input.exposure, temporary, dq=engine.with_cr_flags(flags))
    else:
        outcome_header.write_card(snakemake.output.exposure, solution)
