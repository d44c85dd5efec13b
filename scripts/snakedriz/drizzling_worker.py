"""Run AstroDrizzle once, on the job described in a JSON file of the working directory. Started by `drizzling`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path


def main(job_file: str) -> None:
    """Read ``{"input": [...], "output": ..., "options": {...}}`` and run it."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    from drizzlepac.astrodrizzle import AstroDrizzle

    job = json.loads(Path(job_file).read_text())
    AstroDrizzle(job["input"], output=job["output"], **job["options"])


if __name__ == "__main__":
    main(sys.argv[1])
