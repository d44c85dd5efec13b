"""Rule verification: one candidate measured, every check with value, limit and outcome."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import Verification
from snakedriz.verification import verification


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        numbers = settings.detector_settings(
            snakemake.params.detectors, str(inventory.instrument), str(inventory.detector)
        )
        product, singles = snakemake.input.drizzled or (None, None)
        default_product, default = snakemake.input.default or (None, None)
        reference = None if default is None else Verification.read(default)
        found = verification.verify(
            product=product,
            singles=singles,
            solution=Solution.read(snakemake.input.solution),
            settings=numbers["verification"],
            default_product=default_product,
            default=reference,
            threads=snakemake.threads,
        )
        if reference is not None and found.outcome == reference.outcome == "ok":
            found = _inherit(found, reference, *snakemake.input.geometry)
        found.write(snakemake.output.verification)


def _inherit(own: Verification, default: Verification, default_wcs: str, own_wcs: str) -> Verification:
    # stwcs takes 1 s, which the default's verification, that sources wait for, does not need
    from snakedriz.exposures import skeleton
    from snakedriz.verification import inheritance
    from snakedriz.wcs import relative_geometry

    geometry = relative_geometry.compare(skeleton.read_bundle(default_wcs), skeleton.read_bundle(own_wcs))
    return inheritance.inherit(own, default, geometry)


if "snakemake" in globals():
    main(globals()["snakemake"])
