"""Rule manifest: the list of final files with their checksums, and the log a person reads."""

from typing import TYPE_CHECKING, Any

from _job import job
from snakedriz.files import read_json
from snakedriz.products import manifest

if TYPE_CHECKING:
    snakemake: Any

with job(snakemake):
    manifest.write_manifest(snakemake.output.manifest, snakemake.input.final)
    manifest.write_trailer(
        snakemake.output.trailer,
        read_json(snakemake.input.inventory),
        [read_json(path) for path in snakemake.input.solutions],
        [read_json(path) for path in snakemake.input.metrics],
        read_json(snakemake.input.promotion),
        snakemake.input.final,
    )
