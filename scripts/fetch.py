"""The fetch rules: ask a service for what a visit needs and keep it; the folder of the output says which service."""

import os
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import settings
from snakedriz.services import addresses, fetching

if TYPE_CHECKING:
    snakemake: Any

config = settings.validate_config(snakemake.config)
with job(snakemake, hide=addresses.secrets(config.services, os.environ)):
    fetcher = fetching.VisitFetcher(config, os.environ)
    rule, wildcards = snakemake.rule, snakemake.wildcards
    if rule == "fetch_exposures":
        fetcher.exposures(snakemake.output[0], wildcards.asns.split("_"))
    elif rule == "fetch_references":
        fetcher.references(wildcards.visit)
    elif rule == "fetch_catalog":
        fetcher.catalog(snakemake.output[0], wildcards.visit, wildcards.catalog)
    elif rule == "fetch_headerlets":
        fetcher.headerlets(snakemake.output[0], wildcards.visit)
    else:
        fetcher.offsets(snakemake.output[0], wildcards.visit)
