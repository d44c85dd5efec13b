"""Rule apriori_solution: the best pre-computed WCS, from database headerlets or guide-star offsets."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.candidates import apriori, bundle
from snakedriz.exposures import skeleton


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        skeletons = skeleton.read_bundle(snakemake.input.wcs)
        offsets = list(snakemake.input.get("offsets", []))
        solution = apriori.make(skeletons, snakemake.params.headerlets, offsets, snakemake.params.enabled)
        bundle.write(snakemake.output.wcs, solution, skeletons)
        solution.write(snakemake.output.solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
