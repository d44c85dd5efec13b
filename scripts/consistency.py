"""Rule consistency_of_visit: which WCS solution each exposure of a visit has active, and where they disagree."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import artefacts
from snakedriz.files import write_table
from snakedriz.tables import as_table
from snakedriz.wcs import consistency

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    # what the configuration groups is compared, whatever the headers say of the visit
    found = [replace(consistency.describe(path), visit=snakemake.wildcards.visit) for path in snakemake.input.exposures]
    groups = consistency.report(found)
    for group in groups:
        for text in group["warnings"]:
            print(f"snakedriz: {group['kind']} {group['name']}: {text}", file=sys.__stderr__)
    write_table(snakemake.output.table, as_table(consistency.rows(groups)))
    artefacts.write(snakemake.output.report, {"schema": "consistency/1", "groups": groups})
