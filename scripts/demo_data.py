"""Rule demo_data: a simulated visit with known truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.simulate import Visit, simulate_visit

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    visit = Visit()
    if snakemake.params.visit["full_frame"]:
        visit = Visit(chip_shape=(2048, 4096), n_stars=2000, n_galaxies=300, n_reference=225)
    simulate_visit(visit, Path(snakemake.output.truth).parent)
