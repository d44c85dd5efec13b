"""Rule named_solution: a solution that the exposures carry, or that a folder of headerlets has for them."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts
from snakedriz.candidates import named, stages
from snakedriz.exposures import skeleton
from snakedriz.files import read_json

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    name, wanted = snakemake.wildcards.candidate, dict(snakemake.params.wanted)
    skeletons: stages.Skeletons = {}
    if inventory["outcome"] == "process":
        for exposure in inventory["exposures"]:
            if exposure["used"]:
                for kind in inventory["kinds"]:
                    skeletons[f"{exposure['rootname']}_{kind}"] = skeleton.from_exposure(exposure[kind])
        files = snakemake.input.headerlets
        if "headerlets" in wanted:
            files = named.folder_files(wanted["headerlets"], files)
        solution = named.make(name, wanted, skeletons, files)
    else:
        solution = stages.not_applicable(name, inventory["reason"])
    if solution["outcome"] != "ok":
        skeletons = {}
    skeleton.write_bundle(snakemake.output.wcs, skeletons, stages.about(solution))
    artefacts.write(snakemake.output.solution, solution)
