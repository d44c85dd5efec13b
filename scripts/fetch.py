"""The fetch rules: ask a service for what a visit needs and keep it; the name of the output says which service."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.services import addresses, fetching


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    config = settings.validate_config(snakemake.config)
    with job(snakemake, hide=addresses.secrets(config.services, os.environ)):
        fetcher = fetching.VisitFetcher(config, os.environ)
        wildcards = snakemake.wildcards
        ((what, path),) = snakemake.output.items()
        if what == "exposures":
            fetcher.exposures(path, wildcards.asns.split("_"))
        elif what == "references":
            fetcher.references(wildcards.visit)
        elif what == "catalog":
            fetcher.catalog(path, wildcards.visit, wildcards.catalog)
        elif what == "headerlets":
            fetcher.headerlets(path, wildcards.visit)
        else:
            fetcher.offsets(path, wildcards.visit)


if "snakemake" in globals():
    main(globals()["snakemake"])
