"""Drizzled frames with known truth: product and single drizzles of a visit, made directly on their common grid.

What AstroDrizzle would do is imitated only as far as verification sees it: singles are sky-subtracted rates with
cosmic rays in them, the CR step compares each with the median of all (the minimum of two) by the rule of drizCR, and
the product is the mean of what was not flagged, weighted with exposure time. Pixels of the detector are those of the
grid; benchmarks/power_frames.py makes whole detectors with a kernel between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import erf
from snakedriz import settings
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import Verification
from snakedriz.drizzle import singles
from snakedriz.verification import frames, verification

Array = NDArray[np.float64]
SCALE = 0.05  # arcsec per pixel
_PSF = 0.85  # px, FWHM 2.0
_CR_SCALE, _CR_SNR = (1.2, 0.7), (3.5, 3.0)  # driz_cr_scale and driz_cr_snr
SOLUTION = Solution(candidate="default", outcome="ok", reason="", wcsname="IDC_x", exposures=[])


@dataclass
class Scene:
    """What to make.

    Displacements are of the exposures' stars on the grid, (dx, dy) in px; `rotation_deg` turns an exposure about the
    middle of the frame. `flags`: "drizcr" as AstroDrizzle flags, "true" the rays and nothing else, "none". With a `gap`
    the lower and the upper half are two chips.
    """

    shape: tuple[int, int] = (400, 400)
    exptimes: Sequence[float] = (500.0, 500.0, 500.0, 500.0)
    stars: int = 80
    brightest: float = 3e4  # electrons in the brightest star in 500 s; flux distribution N(>F) ~ F^-0.7
    faintest: float = 1.5e3
    galaxies: int = 0
    galaxy_flux: float = 2e4  # electrons in 500 s
    displaced: dict[int, tuple[float, float]] = field(default_factory=dict)
    rotation_deg: dict[int, float] = field(default_factory=dict)
    flags: str = "drizcr"
    rays: float = 2e-6  # per pixel and second: 1e-3 hits in 500 s, 0.5 per cent of the pixels
    sky: float = 0.1  # electrons/s per pixel
    read_noise: float = 4.0
    jitter: float = 0.01  # px: each exposure's own registration error, as in a well guided visit
    dither: float = 0.0  # px: footprints move by this much per exposure
    full_well: float | None = None
    scale: float = SCALE
    gap: int = 0  # px without data between two chips
    seed: int = 1


def _star(image: Array, x: float, y: float, flux: float, sigma: float = _PSF) -> None:
    ny, nx = image.shape
    half = int(np.ceil(6 * sigma))
    x0, y0 = max(0, int(x) - half), max(0, int(y) - half)
    x1, y1 = min(nx, int(x) + half + 2), min(ny, int(y) + half + 2)
    if x1 <= x0 or y1 <= y0:
        return
    ex = 0.5 * np.diff(erf((np.arange(x0, x1 + 1) - 0.5 - x) / (np.sqrt(2) * sigma)))
    ey = 0.5 * np.diff(erf((np.arange(y0, y1 + 1) - 0.5 - y) / (np.sqrt(2) * sigma)))
    image[y0:y1, x0:x1] += flux * np.outer(ey, ex)


def _rays(shape: tuple[int, int], number: int, rng: np.random.Generator) -> Array:
    """Tracks of 1 to 6 px, 200 to 5,000 electrons per pixel."""
    image = np.zeros(shape)
    y, x = rng.uniform(0, shape[0], number), rng.uniform(0, shape[1], number)
    length, angle = rng.integers(1, 7, number), rng.uniform(0, np.pi, number)
    charge = 200 * 25 ** rng.uniform(0, 1, number)
    for step in range(6):
        on = length > step
        iy = np.clip((y + step * np.sin(angle))[on].astype(int), 0, shape[0] - 1)
        ix = np.clip((x + step * np.cos(angle))[on].astype(int), 0, shape[1] - 1)
        np.add.at(image, (iy, ix), charge[on])
    return image


@dataclass
class _Exposure:
    """One exposure: rate, true rays, coverage, first row of chip 2."""

    rate: Array
    hits: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    second_chip: int


def _sky(scene: Scene, sources: Array, shift: Array, angle: float) -> Array:
    """The rates without noise. `sources`: rows of x, y, rate, sigma."""
    clean = np.zeros(scene.shape)
    ny, nx = scene.shape
    for px, py, rate, sigma in sources:
        u, v = px - nx / 2, py - ny / 2
        x = nx / 2 + u * np.cos(angle) - v * np.sin(angle) + shift[0]
        y = ny / 2 + u * np.sin(angle) + v * np.cos(angle) + shift[1]
        _star(clean, x, y, rate, sigma)
    return clean


def _sources(scene: Scene, rng: np.random.Generator) -> Array:
    """Rows of x, y (grid), rate (electrons/s) and sigma (px) of the Gaussians that stars and galaxies are."""
    ny, nx = scene.shape
    x, y = rng.uniform(0, nx, scene.stars), rng.uniform(0, ny, scene.stars)
    ratio = (scene.faintest / scene.brightest) ** 0.7
    flux = scene.faintest * (1 - rng.uniform(0, 1, scene.stars) * (1 - ratio)) ** (-1 / 0.7) / 500.0
    gx, gy = rng.uniform(0, nx, scene.galaxies), rng.uniform(0, ny, scene.galaxies)
    gs, gf = rng.uniform(2.5, 6, scene.galaxies), scene.galaxy_flux / 500 * rng.uniform(0.3, 1, scene.galaxies)
    stars = np.column_stack([x, y, flux, np.full(scene.stars, _PSF)])
    return np.vstack([stars, np.column_stack([gx, gy, gf, gs])])


def _expose(scene: Scene) -> list[_Exposure]:
    rng = np.random.default_rng(scene.seed)
    ny, nx = scene.shape
    sources = _sources(scene, rng)
    out = []
    for index, exptime in enumerate(scene.exptimes):
        shift = np.array(scene.displaced.get(index, (0, 0))) + rng.normal(0, scene.jitter, 2)
        angle = np.radians(scene.rotation_deg.get(index, 0.0))
        clean = _sky(scene, sources, shift, angle)
        moved = round(scene.dither * index)
        middle = ny // 2 + moved  # of the gap
        electrons = rng.poisson((clean + scene.sky) * exptime) + rng.normal(0, scene.read_noise, scene.shape)
        ray = _rays(scene.shape, rng.poisson(scene.rays * exptime * nx * ny), rng)
        electrons += ray
        if scene.full_well is not None:
            electrons = np.minimum(electrons, scene.full_well)
        cover = np.zeros(scene.shape, bool)
        cover[max(0, moved) : ny + min(0, moved), max(0, moved) : nx + min(0, moved)] = True
        if scene.dither:  # the other edge as well: what an exposure does not see
            cover[ny - max(0, round(scene.dither * (len(scene.exptimes) - 1 - index))) :, :] = False
        cover[middle - scene.gap // 2 : middle - scene.gap // 2 + scene.gap] = False
        out.append(_Exposure(electrons / exptime - scene.sky, ray > 0, cover, middle))
    return out


def _drizcr(scene: Scene, made: list[_Exposure], images: list[Array]) -> list[NDArray[np.bool_]]:
    """Flag as drizCR does: |image - model| > scale * derivative + snr * noise, the derivative being the model's."""
    covered = [exposure.covered for exposure in made]
    stack = np.where(covered, images, np.nan)
    stack[:, ~np.any(covered, axis=0)] = 0.0
    lowest = np.nanmin(stack, axis=0)
    combined = lowest if len(images) == 2 else np.nanmedian(stack, axis=0)
    flags = []
    for exposure, exptime in zip(made, scene.exptimes, strict=True):
        padded = np.pad(combined, 1, mode="edge")
        steps = ((0, 1), (0, -1), (1, 0), (-1, 0))
        derivative = np.max([np.abs(combined - np.roll(padded, step, (0, 1))[1:-1, 1:-1]) for step in steps], axis=0)
        noise = np.sqrt(np.clip(combined + scene.sky, 0, None) * exptime + scene.read_noise**2) / exptime
        difference = np.abs(exposure.rate - combined)
        first = difference > _CR_SCALE[0] * derivative + _CR_SNR[0] * noise
        second = difference > _CR_SCALE[1] * derivative + _CR_SNR[1] * noise
        near = ndimage.binary_dilation(first, structure=np.ones((3, 3), bool))
        flags.append((first | (near & second)) & exposure.covered)
    return flags


def write(scene: Scene, directory: Path, name: str = "x") -> tuple[Path, Path]:
    """Write ``<name>_drc.fits`` and ``<name>_singles.fits`` as the drizzle stage does; return their paths."""
    made = _expose(scene)
    images = [np.where(e.covered, e.rate, 0.0) for e in made]
    if scene.flags == "drizcr":
        flags = _drizcr(scene, made, images)
    else:
        flags = [(e.hits & e.covered) if scene.flags == "true" else np.zeros_like(e.hits) for e in made]
    total, light = np.zeros(scene.shape), np.zeros(scene.shape)
    for e, flag, exptime in zip(made, flags, scene.exptimes, strict=True):
        total += np.where(e.covered, exptime * np.where(flag, 0.0, 1.0), 0.0)
        light += np.where(e.covered, exptime * np.where(flag, 0.0, e.rate), 0.0)
    product = np.where(total > 0, light / np.where(total > 0, total, 1), np.nan)
    wcs = WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.crval = [scene.shape[1] / 2, scene.shape[0] / 2], [150.0, 20.0]
    wcs.wcs.cd = np.diag([-scene.scale, scene.scale]) / 3600
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    header = wcs.to_header()
    header["BUNIT"] = "ELECTRONS/S"
    paths = directory / f"{name}_drc.fits", directory / f"{name}_singles.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(product.astype(np.float32), header, name="SCI"),
            fits.ImageHDU(total.astype(np.float32), header, name="WHT"),
        ]
    ).writeto(paths[0], overwrite=True)
    bundle = fits.HDUList([fits.PrimaryHDU()])
    for index, (image, exposure, flag) in enumerate(zip(images, made, flags, strict=True), start=1):
        own = header.copy()
        own["ROOTNAME"], own["EXPTIME"] = f"jtest{index:02d}q", float(scene.exptimes[index - 1])
        own["CRFLAGS"], own["NPIXELS"] = int(np.count_nonzero(flag)), int(np.count_nonzero(exposure.covered))
        touched = ndimage.binary_dilation(flag, structure=np.ones((3, 3), bool))
        mask = exposure.covered * np.uint8(1) + touched * np.uint8(2)
        if scene.gap:
            upper = np.arange(scene.shape[0])[:, None] >= exposure.second_chip
            mask |= np.where(upper, 2 << singles.CHIP_SHIFT, 1 << singles.CHIP_SHIFT).astype(np.uint8)
        bundle += [
            fits.ImageHDU(image.astype(np.float32), own, name="SCI", ver=index),
            fits.ImageHDU(mask, fits.Header([("ROOTNAME", own["ROOTNAME"])]), name="MASK", ver=index),
        ]
    bundle.writeto(paths[1], overwrite=True)
    return paths


def numbers(instrument: str = "ACS", detector: str = "WFC") -> dict[str, Any]:
    """Return the block `verification` of detectors.yaml."""
    return settings.detector_settings(settings.load_detectors(), instrument, detector)["verification"]


def read(scene: Scene, directory: Path) -> frames.Frames:
    """Make a scene and read it back, prepared."""
    return frames.prepare(frames.read(*write(scene, directory)), float(numbers()["log_sigma_px"]))


def assess(scene: Scene, directory: Path, **others: Any) -> Verification:
    """Make a scene and verify it as a candidate."""
    return verification.verify(*write(scene, directory), SOLUTION, numbers(), **others)


def check(found: Verification, name: str) -> Check:
    """Return one check by name."""
    return next(check for check in found.checks if check.name == name)
