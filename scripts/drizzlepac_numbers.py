"""Rule drizzlepac_numbers: what drizzlepac 3.11 would say of one candidate."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts import untyped
from snakedriz.files import read_json
from snakedriz.verification import drizzlepac_numbers


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = read_json(snakemake.input.inventory)
        solution = read_json(snakemake.input.solution)
        product, singles = snakemake.input.drizzled or (None, None)
        chosen = {row["file"] for row in solution.get("fits", ()) if row["chosen"]}
        fits = [read_json(path) for path in snakemake.input.fits if Path(path).name in chosen]
        found = drizzlepac_numbers.assess(
            product=product,
            singles=singles,
            solution=solution,
            instrument=inventory["instrument"],
            detector=inventory["detector"],
            default_product=next(iter(snakemake.input.default), None),
            fit=fits[0] if fits else None,
        )
        untyped.write(snakemake.output.numbers, found)


if "snakemake" in globals():
    main(globals()["snakemake"])
