"""The injection study's check against AstroDrizzle itself: simulated exposures, drizzled by the library, verified."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from snakedriz.candidates import default
from snakedriz.drizzle import engine
from snakedriz.drizzle.drizzle_input import DrizzleInput
from snakedriz.exposures import mdriztab, skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.simulate import Visit, simulate_visit

from benchmarks.power_cases import against_others, draw, generator

CASE = "astrodrizzle-4"
AMOUNTS = (0.0, 0.2, 0.5)
PIXEL = 0.05  # arcsec, of the drizzled frame


@dataclass(frozen=True)
class Drizzled:
    """Product and singles of a visit, those of a second pass, the displaced exposure and its true shift (px)."""

    product: Path
    singles: Path
    second_pass: tuple[Path, Path]
    rootname: str
    error: np.ndarray


def visit(amount: float, trial: int) -> tuple[Visit, int, np.ndarray]:
    """Return a visit of four exposures with one displaced by `amount` px; the exposure and all errors, arcsec."""
    rng = generator(CASE, "shift", amount, trial)
    index, displacement, jitter = draw(rng, 4, amount)
    errors = jitter * PIXEL
    errors[index] += displacement * PIXEL
    return Visit(
        chip_shape=(256, 512), n_stars=120, n_galaxies=5, mag_range=(18.0, 24.0), make_raw=False,
        exposure_errors={i: (float(x), float(y)) for i, (x, y) in enumerate(errors)}, seed=int(rng.integers(2**31)),
    ), index, errors  # fmt: skip


def run(amount: float, trial: int, directory: Path) -> Drizzled:
    """Simulate a visit, give its exposures the default solution, drizzle them as the workflow does."""
    wanted, index, errors = visit(amount, trial)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = simulate_visit(wanted, directory / "visit")
        skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in truth.flc}
        default.make(skeletons, {"jref": str(truth.ref)})
    base = mdriztab.parameters(truth.references.mdriztab, "ANY", len(truth.flc))
    parameters = mdriztab.assemble(base, str(truth.references.mdriztab), wanted.exptimes, {}).parameters
    exposures = [
        DrizzleInput(ExposureKey.parse(path), path, skeletons[ExposureKey.parse(path)], float(exptime))
        for path, exptime in zip(truth.flc, wanted.exptimes, strict=True)
    ]
    first, second = (
        engine.DrizzleOutput(*(directory / f"{name}_{what}.fits" for what in ("drc", "crmask", "singles")))
        for name in ("x", "second")
    )
    with (directory / "x.log").open("w") as log:
        options = {"temporary_directory": directory, "log_file": log}
        engine.drizzle(exposures, parameters, first, **options)
        engine.drizzle(exposures, parameters, second, reuse=first.crmask, **options)
    with fits.open(first.singles) as bundle:
        matrix = WCS(bundle["SCI", 1].header).pixel_scale_matrix * 3600
    # Reported minus true: on the drizzled frame the sources lie by as much off, east and north
    true = against_others(errors @ np.linalg.inv(matrix).T, index)
    return Drizzled(first.product, first.singles, (second.product, second.singles), wanted.rootnames[index], true)
