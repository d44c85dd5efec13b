"""Rule named_solution: a solution that the exposures carry, or that a folder of headerlets has for them."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts import untyped
from snakedriz.candidates import named, stages
from snakedriz.exposures import skeleton
from snakedriz.files import read_json
from snakedriz.fits_headers.rootnames import ExposureKey


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = read_json(snakemake.input.inventory)
        name, wanted = snakemake.wildcards.candidate, dict(snakemake.params.wanted)
        skeletons: skeleton.Skeletons = {}
        if inventory["outcome"] == "process":
            for exposure in inventory["exposures"]:
                if exposure["used"]:
                    for kind in inventory["kinds"]:
                        skeletons[ExposureKey(exposure["rootname"], kind)] = skeleton.from_exposure(exposure[kind])
            files = snakemake.input.headerlets
            if "headerlets" in wanted:
                files = named.folder_files(wanted["headerlets"], files)
            solution = named.make(name, wanted, skeletons, files)
        else:
            solution = stages.not_applicable(name, inventory["reason"])
        if solution["outcome"] != "ok":
            skeletons = {}
        skeleton.write_bundle(snakemake.output.wcs, skeletons, stages.about(solution))
        untyped.write(snakemake.output.solution, solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
