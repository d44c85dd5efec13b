"""Rule sources: the source catalogue of one exposure."""

import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the library beside this script, whatever is installed

from snakedriz.workflow.job import job
from snakedriz import settings
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.verification import Verification
from snakedriz.detection import sources as sources_
from snakedriz.files import write_table

log = logging.getLogger("snakedriz.sources")


def main(snakemake: Any) -> None:
    """Do the work of the job."""
    with job(snakemake):
        inventory = Inventory.read(snakemake.input.inventory)
        detector = inventory.instrument or "", inventory.detector or ""
        numbers = settings.detector_settings(snakemake.params.detectors, *detector)
        exposure = next(e for e in inventory.exposures if e.rootname == snakemake.wildcards.root)
        trusted = exposure.used and Verification.read(snakemake.input.verification).flags_trusted
        log.info("CR flags of the default candidate: %s", "used" if trusted else "ignored (alignment not verified)")
        crmask = snakemake.input.crmask if trusted else None
        write_table(
            snakemake.output.table,
            sources_.find_sources(snakemake.input.exposure, numbers["sources"], crmask, trusted),
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
