"""Rule sources: the source catalogue of one exposure."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.detection import sources as sources_
from snakedriz.files import read_json, write_table


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = read_json(snakemake.input.inventory)
        numbers = settings.detector_settings(snakemake.params.detectors, inventory["instrument"], inventory["detector"])
        exposure = next(e for e in inventory["exposures"] if e["rootname"] == snakemake.wildcards.root)
        trusted = exposure["used"] and read_json(snakemake.input.verification)["flags_trusted"]
        print("the default candidate's CR flags are", "used" if trusted else "ignored: its alignment is not verified")
        crmask = snakemake.input.crmask if trusted else None
        write_table(
            snakemake.output.table,
            sources_.find_sources(snakemake.input.exposure, numbers["sources"], crmask, trusted),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
