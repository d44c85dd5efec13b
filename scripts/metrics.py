"""Rule metrics: astrometry of one candidate; one file of it, the verification and what drizzlepac would have said."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.alignment import astrometry
from snakedriz.artefacts.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import Verification
from snakedriz.verification import metrics


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        solution = Solution.read(snakemake.input.solution)
        numbers = settings.detector_settings(
            snakemake.params.detectors, str(inventory.instrument), str(inventory.detector)
        )
        found = None
        if "astrometry" in snakemake.output.keys():  # noqa: SIM118 - not a mapping
            of = snakemake.input
            found = astrometry.of_candidate(inventory, solution, of.wcs, of.sources, of.catalogs, of.fits, numbers)
            found.write(snakemake.output.astrometry)
        drizzlepac = snakemake.input.drizzlepac
        metrics.put_together(
            Verification.read(snakemake.input.verification),
            # a candidate that the configuration rules out has nothing to compare
            found if found and snakemake.input.catalogs else None,
            DrizzlepacNumbers.read(drizzlepac) if drizzlepac else None,
        ).write(snakemake.output.metrics)


if "snakemake" in globals():
    main(globals()["snakemake"])
