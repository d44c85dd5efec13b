"""Rule named_solution: a solution that the exposures carry, or that a folder of headerlets has for them."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts, candidates, skeleton, solution_candidates
from snakedriz.files import read_json

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    inventory = read_json(snakemake.input.inventory)
    name, wanted = snakemake.wildcards.candidate, dict(snakemake.params.wanted)
    skeletons: candidates.Skeletons = {}
    if inventory["outcome"] == "process":
        for exposure in inventory["exposures"]:
            if exposure["used"]:
                for kind in inventory["kinds"]:
                    skeletons[f"{exposure['rootname']}_{kind}"] = skeleton.from_exposure(exposure[kind])
        files = snakemake.input.headerlets
        if "headerlets" in wanted:
            files = solution_candidates.folder_files(wanted["headerlets"], files)
        solution = solution_candidates.make(name, wanted, skeletons, files)
    else:
        solution = candidates.not_applicable(name, inventory["reason"])
    if solution["outcome"] != "ok":
        skeletons = {}
    skeleton.write_bundle(snakemake.output.wcs, skeletons, candidates.about(solution))
    artefacts.write(snakemake.output.solution, solution)
