"""Rule consistency_of_visit: which WCS solution each exposure of a visit has active, and where they disagree."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz.artefacts.consistency import Consistency
from snakedriz.files import write_table
from snakedriz.tables import as_table
from snakedriz.wcs import consistency


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        # what the configuration groups is compared, whatever the headers say of the visit
        found = [
            replace(consistency.describe(path), visit=snakemake.wildcards.visit) for path in snakemake.input.exposures
        ]
        groups = consistency.report(found)
        for group in groups:
            for text in group.warnings:  # for the terminal: stderr is the job's log here
                print(f"snakedriz: {group.kind} {group.name}: {text}", file=sys.__stderr__)
        write_table(snakemake.output.table, as_table(consistency.rows(groups)))
        Consistency(groups=groups).write(snakemake.output.report)


if "snakemake" in globals():
    main(globals()["snakemake"])
