"""Rule astrometry: one candidate's exposures against each other and the catalogues."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.alignment import astrometry
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        numbers = settings.detector_settings(
            snakemake.params.detectors, str(inventory.instrument), str(inventory.detector)
        )
        astrometry.of_candidate(
            inventory,
            Solution.read(snakemake.input.solution),
            snakemake.input.wcs,
            snakemake.input.sources,
            snakemake.input.catalogs,
            numbers,
        ).write(snakemake.output.astrometry)


if "snakemake" in globals():
    main(globals()["snakemake"])
