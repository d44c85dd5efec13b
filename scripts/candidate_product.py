"""Rule candidate_product: CR flags, single drizzles and product of one candidate."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.drizzle import engine, outcome_header
from snakedriz.exposures import mdriztab
from snakedriz.files import read_json


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake) as log:
        out = snakemake.output
        solution = read_json(snakemake.input.solution)
        if solution["outcome"] != "ok":
            for path in out:
                outcome_header.write_card(path, solution)
        else:
            exposures, inventory = engine.read_exposures(
                snakemake.input.inventory, snakemake.input.wcs, snakemake.wildcards.product
            )
            reuse = None
            if snakemake.input.default:
                verdict, crmask = snakemake.input.default
                reuse = crmask if read_json(verdict).get("flags_trusted", False) else None
            engine.drizzle(
                exposures,
                inventory["drizzle"]["parameters"],
                "reuse" if reuse else "flag",
                product=Path(out.product),
                crmask=out.crmask,
                singles=out.singles,
                reuse=reuse,
                cores=snakemake.threads,
                temporary_directory=snakemake.resources.tmpdir,
                log=log,
                finish=lambda product: mdriztab.record(product[0].header, inventory["drizzle"]),
            )


if "snakemake" in globals():
    main(globals()["snakemake"])
