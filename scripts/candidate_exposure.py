"""Rule candidate_exposure: one exposure with a candidate's WCS and CR flags."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.solution import Solution
from snakedriz.drizzle import cr_masks, outcome_header
from snakedriz.exposures import skeleton
from snakedriz.files import whole
from snakedriz.fits_headers.rootnames import ExposureKey


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    given, out = snakemake.input, snakemake.output
    with job(snakemake):
        solution = Solution.read(given.solution)
        if solution.outcome != "ok":
            outcome_header.write_card(out.exposure, solution)
            return
        key = ExposureKey(snakemake.wildcards.root, snakemake.wildcards.kind)
        found = skeleton.read_bundle(given.wcs, [key])[key]
        flags = cr_masks.read_bundle(given.crmask).get(key.rootname)
        with whole(out.exposure) as temporary:
            skeleton.join(found, given.exposure, temporary, dq=cr_masks.into_dq(flags))


if "snakemake" in globals():
    main(globals()["snakemake"])
