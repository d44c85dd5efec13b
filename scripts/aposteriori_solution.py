"""Rule aposteriori_solution: the best of the fits, written into every exposure's WCS."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts
from snakedriz.alignment import fit_selection
from snakedriz.candidates import stages
from snakedriz.exposures import skeleton
from snakedriz.files import read_json

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    fits = [read_json(path) for path in snakemake.input.fits]
    chosen, reason = fit_selection.adopt(fits, snakemake.params.enabled)
    skeletons = stages.starting_point(snakemake.input.start)[1] if chosen else {}
    solution = stages.aposteriori(skeletons, chosen, reason)
    solution["fits"] = stages.fit_summaries(fits, snakemake.input.fits, chosen)
    skeleton.write_bundle(snakemake.output.wcs, skeletons, stages.about(solution))
    artefacts.write(snakemake.output.solution, solution)
