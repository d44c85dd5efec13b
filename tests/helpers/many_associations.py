"""Many associations of header-only exposures, for what depends on their number and not on their pixels."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from astropy.io import fits

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "jdemo1"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
CONFIG = {
    "input": "data",
    "output": "results",
    "references": {"jref": "ref"},
    "catalogs": [{"name": "GAIAeDR3", "file": "gaia.ecsv"}],
    "solutions": {"offsets": "offsets.ecsv"},
}
DONE = "every job is taken for finished"
#: The workflow, with a hook before its first job that takes the place of all jobs.
FINISH = f"""
include: "{ROOT / "Snakefile"}"
from helpers import many_associations
onstart:
    many_associations.finish_jobs(workflow)
"""
#: Cards of the headers of an archive FLC (shared/data/headers/sample_flc_header.fits): primary, SCI, ERR and DQ.
CARDS = {"PRIMARY": 174, "SCI": 227, "ERR": 49, "DQ": 44}


def visit(number: int) -> str:
    """Return the six characters that begin all names of an association."""
    digits = ""
    for _ in range(5):
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return f"j{digits}"


def association(number: int) -> str:
    return f"{visit(number)}010"


def make(folder: Path, count: int, config: dict | None = None) -> None:
    """Write `count` associations of 4 exposures (ASN, RAW, FLT, FLC) below folder/data, and config.yaml.

    Every exposure has the headers of a simulated one, made as long as those of the archive's, and no pixels: HST's own
    convention for an array of one value (NAXIS = 0, NPIX1, NPIX2, PIXVALUE).
    """
    templates = _templates(folder)
    for number in range(count):
        name = visit(number)
        below = folder / "data" / name
        below.mkdir(parents=True)
        for file, raw in templates.items():
            renamed = raw.replace(TEMPLATE.encode(), name.encode()).replace(
                TEMPLATE.upper().encode(), name.upper().encode()
            )
            (below / file.replace(TEMPLATE, name)).write_bytes(renamed)
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **(config or {})}))


def _templates(folder: Path) -> dict[str, bytes]:
    """Simulate one visit and take its pixels away; reference files and tables stay in the folder."""
    from snakedriz.simulate import (  # the workflow finds its own library in the process of `finish`
        Visit,
        simulate_visit,
    )

    folder.mkdir(parents=True, exist_ok=True)
    small = Visit(chip_shape=(256, 512), n_stars=20, n_galaxies=0, noise=False)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        simulate_visit(small, Path(name))
        for kept in ("ref", "gaia.ecsv", "offsets.ecsv"):
            Path(name, kept).rename(folder / kept)
        found = {}
        for path in sorted(Path(name, "data").iterdir()):
            if path.name.endswith(("_flt.fits", "_flc.fits")):
                _take_pixels_away(path)
            found[path.name] = path.read_bytes()
    return found


def _take_pixels_away(path: Path) -> None:
    with fits.open(path) as hdul:
        stripped = fits.HDUList([fits.PrimaryHDU(header=hdul[0].header)])
        for hdu in hdul[1:]:
            header = hdu.header.copy()
            header["NPIX1"], header["NPIX2"], header["PIXVALUE"] = hdu.shape[1], hdu.shape[0], 1.0
            stripped.append(fits.ImageHDU(header=header))
    for hdu in stripped:
        for number in range(CARDS[hdu.name] - len(hdu.header)):
            hdu.header[f"OPUS{number}"] = (0.5 + number, "as long as an archive header")
    stripped.writeto(path, overwrite=True)


def finish(folder: Path, *arguments: str) -> None:
    """Write every output, log and benchmark of every job, empty, with the records Snakemake keeps of finished jobs.

    The jobs are those of Snakemake's own graph, and the records are written by its own code: what a complete run would
    have left, but for the content of the files, which the graph does not depend on.
    """
    snakefile = folder / "finish.smk"
    snakefile.write_text(FINISH)
    command = [sys.executable, "-m", "snakemake", "all", "--snakefile", str(snakefile), "--configfile", "config.yaml"]
    done = subprocess.run(
        [*command, "--cores", "1", *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert DONE in done.stderr, done.stderr[-2000:]
    snakefile.unlink()


def finish_jobs(workflow: Any) -> None:
    """Write what all jobs of a workflow would, and its records of them; then stop it."""
    from snakemake.exceptions import WorkflowError

    workflow.async_run(_write(workflow))
    raise WorkflowError(DONE)


async def _write(workflow: Any) -> None:
    # newer than the exposures, and later levels of the graph newer than earlier ones
    start = time.time()
    for number, level in enumerate(workflow.dag.toposorted()):
        for job in level:
            for name in (*job.output, *job.log, *([job.benchmark] if job.benchmark else [])):
                path = Path(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                os.utime(path, (start + number / 1000,) * 2)
            await workflow.persistence.finished(job)
