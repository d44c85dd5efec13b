"""Rule aposteriori_solution: the best of the fits, written into every exposure's WCS."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.alignment import fit_selection
from snakedriz.artefacts.fit import Fit
from snakedriz.candidates import aposteriori, bundle


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        fits = [Fit.read(path) for path in snakemake.input.fits]
        chosen, reason = fit_selection.adopt(fits, snakemake.params.enabled)
        skeletons = bundle.starting_point(snakemake.input.start).skeletons if chosen else {}
        solution = aposteriori.make(skeletons, chosen, reason)
        bundle.write(snakemake.output.wcs, solution, skeletons)
        aposteriori.with_fits(solution, fits, snakemake.input.fits, chosen).write(snakemake.output.solution)


if "snakemake" in globals():
    main(globals()["snakemake"])
