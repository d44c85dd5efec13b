"""Rule candidate_product: CR flags, single drizzles and product of one candidate."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.solution import Solution
from snakedriz.drizzle import cr_masks, drizzle_input, engine, outcome_header
from snakedriz.exposures import mdriztab


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    given, out = snakemake.input, snakemake.output
    with job(snakemake) as log:
        solution = Solution.read(given.solution)
        if solution.outcome != "ok":
            for path in out:
                outcome_header.write_card(path, solution)
            return
        inventory = Inventory.read(given.inventory)
        numbers = settings.detector_settings(
            snakemake.params.detectors, str(inventory.instrument), str(inventory.detector)
        )
        engine.drizzle(
            drizzle_input.read_inputs(inventory, given.wcs, snakemake.wildcards.product),
            inventory.drizzle.parameters,
            engine.DrizzleOutput(Path(out.product), Path(out.crmask), Path(out.singles)),
            reuse=cr_masks.to_reuse(given.default),
            fixed_bits=int(numbers["verification"]["registration"]["fixed_bits"]),
            cores=snakemake.threads,
            temporary_directory=snakemake.resources.tmpdir,
            log_file=log,
            finish=lambda product: mdriztab.record(product[0].header, inventory.drizzle),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
