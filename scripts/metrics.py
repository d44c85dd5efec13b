"""Rule metrics: astrometry of one candidate; one file of it, the verification and what drizzlepac would have said."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.alignment import astrometry
from snakedriz.artefacts import untyped
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.files import read_json
from snakedriz.verification import verdict


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
        untyped.write(
            snakemake.output.metrics,
            verdict.complete(
                read_json(snakemake.input.verification),
                # a candidate that the configuration rules out has nothing to compare
                found.to_json() if found and snakemake.input.catalogs else None,
                read_json(drizzlepac) if drizzlepac else None,
            ),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
