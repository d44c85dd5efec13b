"""Rule apriori_solution: the best pre-computed WCS, from database headerlets or guide-star offsets."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts import untyped
from snakedriz.candidates import stages
from snakedriz.exposures import skeleton


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        skeletons = skeleton.read_bundle(snakemake.input.wcs)
        solution = stages.apriori(
            skeletons,
            snakemake.params.headerlets,
            list(snakemake.input.get("offsets", [])),
            snakemake.params.enabled,
        )
        if solution["outcome"] != "ok":
            skeletons = {}
        skeleton.write_bundle(snakemake.output.wcs, skeletons, stages.about(solution))
        untyped.write(snakemake.output.solution, solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
