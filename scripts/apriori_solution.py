"""Rule apriori_solution: the best pre-computed WCS, from database headerlets or guide-star offsets."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts
from snakedriz.candidates import stages
from snakedriz.exposures import skeleton

if TYPE_CHECKING:
    snakemake: Any

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
    artefacts.write(snakemake.output.solution, solution)
