"""Rule metrics: astrometry of one candidate; one file of it, the verification and what drizzlepac would have said."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from astropy.table import Table
from snakedriz import settings
from snakedriz.alignment import astrometry, exposure_sources
from snakedriz.artefacts import untyped
from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts.verification import Verification
from snakedriz.exposures import skeleton
from snakedriz.files import read_json
from snakedriz.verification import metrics


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = read_json(snakemake.input.inventory)
        solution = read_json(snakemake.input.solution)
        numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
        found = None
        if "astrometry" in snakemake.output.keys():  # noqa: SIM118 - not a mapping
            if solution["outcome"] != "ok" or inventory["outcome"] != "process":
                found = astrometry.not_applicable(
                    snakemake.wildcards.candidate, solution["reason"] or inventory["reason"]
                )
            else:
                # stars are held out of a fit of these exposures; that of a visit is of others, too, and no input here
                chosen = next((fit["file"] for fit in solution.get("fits", []) if fit["chosen"]), None)
                fits = {Path(path).name: path for path in snakemake.input.fits}
                found = astrometry.measure(
                    snakemake.wildcards.candidate,
                    exposure_sources.collect(
                        inventory, skeleton.read_bundle(snakemake.input.wcs), snakemake.input.sources
                    ),
                    {Path(path).stem: Table.read(path) for path in snakemake.input.catalogs},
                    numbers,
                    read_json(fits[chosen]) if chosen and fits else None,
                )
            untyped.write(snakemake.output.astrometry, found)
        drizzlepac = snakemake.input.drizzlepac
        metrics.put_together(
            Verification.read(snakemake.input.verification),
            # a candidate that the configuration rules out has nothing to compare
            Astrometry.read(snakemake.output.astrometry) if found and snakemake.input.catalogs else None,
            DrizzlepacNumbers.read(drizzlepac) if drizzlepac else None,
        ).write(snakemake.output.metrics)


if "snakemake" in globals():
    main(globals()["snakemake"])
