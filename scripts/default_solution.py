"""Rule default_solution: the distortion model applied to every exposure of an association."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts
from snakedriz.candidates import stages
from snakedriz.exposures import skeleton
from snakedriz.files import read_json

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    skeletons: stages.Skeletons = {}
    if inventory["outcome"] == "process":
        for exposure in inventory["exposures"]:
            if exposure["used"]:
                for kind in inventory["kinds"]:
                    skeletons[f"{exposure['rootname']}_{kind}"] = skeleton.from_exposure(exposure[kind])
        solution = stages.default(skeletons, snakemake.params.references)
    else:
        solution = stages.not_applicable("default", inventory["reason"])
    skeleton.write_bundle(snakemake.output.wcs, skeletons, stages.about(solution))
    artefacts.write(snakemake.output.solution, solution)
