"""Rule visit_solution: the best fit of the visit, written into the WCS of one association's exposures."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.alignment import fit_selection
from snakedriz.artefacts.visit_fit import VisitFit
from snakedriz.candidates import aposteriori, bundle
from snakedriz.exposures import skeleton


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        fits = [VisitFit.read(path) for path in snakemake.input.fits]
        chosen, reason = fit_selection.adopt(fits, snakemake.params.enabled)
        if fits:
            reason = f"visit {fits[0].visit} ({', '.join(fits[0].associations)}): {reason}"
        skeletons = skeleton.read_bundle(snakemake.input.wcs) if chosen else {}
        solution = aposteriori.make(skeletons, chosen, reason, candidate="visit")
        bundle.write(snakemake.output.wcs, solution, skeletons)
        aposteriori.with_fits(solution, fits, snakemake.input.fits, chosen).write(snakemake.output.solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
