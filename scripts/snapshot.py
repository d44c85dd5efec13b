"""Rule snapshot: everything an association used, in one archive that makes its products again."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.files import read_json
from snakedriz.workflow import snapshot

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    params = snakemake.params
    contents = snapshot.gather(
        snakemake.wildcards.asn,
        params.associations,
        params.config,
        snakemake.input.exposures,
        [read_json(path) for path in snakemake.input.inventories],
        snakemake.input.fetched,
        snakemake.input.tables,
        snakemake.input.results,
        params.switches,
        params.workflow,
    )
    contents.write(snakemake.output.archive, f"{snakemake.wildcards.asn}_snapshot")
