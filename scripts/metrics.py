"""Rule metrics: one file of a candidate's verification, astrometry and what drizzlepac would have said."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts.verification import Verification
from snakedriz.verification import metrics


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        # not asked for without catalogues, where it is switched off, or for what the configuration rules out
        astrometry, drizzlepac = snakemake.input.astrometry, snakemake.input.drizzlepac
        metrics.put_together(
            Verification.read(snakemake.input.verification),
            Astrometry.read(astrometry) if astrometry else None,
            DrizzlepacNumbers.read(drizzlepac) if drizzlepac else None,
        ).write(snakemake.output.metrics)


if "snakemake" in globals():
    main(globals()["snakemake"])
