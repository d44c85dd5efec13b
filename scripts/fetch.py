"""The fetch rules: ask a service for what a visit needs and keep it; the folder of the output says which service."""

import os
from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz import settings
from snakedriz.services import addresses, fetching

if TYPE_CHECKING:
    snakemake: Any

config = settings.validate_config(snakemake.config).as_dict()
with job(snakemake, hide=addresses.secrets(config["services"], os.environ)):
    keeper = fetching.Keeper(config, os.environ)
    rule, wildcards = snakemake.rule, snakemake.wildcards
    if rule == "fetch_exposures":
        keeper.exposures(snakemake.output[0], wildcards.asns.split("_"))
    elif rule == "fetch_references":
        keeper.references(wildcards.visit)
    elif rule == "fetch_catalog":
        keeper.catalog(snakemake.output[0], wildcards.visit, wildcards.catalog)
    elif rule == "fetch_headerlets":
        keeper.headerlets(snakemake.output[0], wildcards.visit)
    else:
        keeper.offsets(snakemake.output[0], wildcards.visit)
