"""Rule demo_data: a simulated visit with known truth."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.simulate import Visit, simulate_visit


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        visit = Visit()
        if snakemake.params.visit["full_frame"]:
            visit = Visit(chip_shape=(2048, 4096), n_stars=2000, n_galaxies=300, n_reference=225)
        simulate_visit(visit, Path(snakemake.output.truth).parent)


if "snakemake" in globals():
    main(globals()["snakemake"])
