"""Rule missing_file: say what is missing, what belongs there, and how to get it."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.services import fetching

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    fetching.refuse_without_network(snakemake.wildcards.file, **snakemake.params.folders)
