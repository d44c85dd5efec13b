"""Rule candidate_exposure: one exposure with a candidate's WCS and CR flags."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.drizzle import engine, outcome_header
from snakedriz.exposures import skeleton
from snakedriz.files import read_json, whole
from snakedriz.fits_headers.rootnames import ExposureKey


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        solution = read_json(snakemake.input.solution)
        owner = ExposureKey(snakemake.wildcards.root, snakemake.wildcards.kind)
        if solution["outcome"] == "ok":
            found = skeleton.read_bundle(snakemake.input.wcs, [owner])[owner]
            flags = engine.read_crmask(snakemake.input.crmask).get(snakemake.wildcards.root)
            with whole(snakemake.output.exposure) as temporary:
                skeleton.join(found, snakemake.input.exposure, temporary, dq=engine.with_cr_flags(flags))
        else:
            outcome_header.write_card(snakemake.output.exposure, solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
