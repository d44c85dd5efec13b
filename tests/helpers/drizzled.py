"""Drizzled frames with known truth: product and single drizzles of a visit, made directly on their common grid.

What AstroDrizzle would do is imitated only as far as verification sees it: singles are sky-subtracted rates with
cosmic rays in them, the CR step compares each with the median of all (the minimum of two) by the rule of drizCR, and
the product is the mean of what was not flagged, weighted with exposure time. Exposures with a sub-pixel phase of their
own (`Scene.phases`) go through the drizzle kernel: noise, rays and flags are those of detector pixels, and a single is
the detector's frame under the turbo kernel.
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
from scipy import ndimage, sparse
from scipy.special import erf
from snakedriz import settings
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import Verification
from snakedriz.drizzle import singles
from snakedriz.simulate.pixels import DISC_VARIANCES, DISC_WEIGHTS
from snakedriz.verification import frames, verification

Array = NDArray[np.float64]
SCALE = 0.05  # arcsec per pixel
_PSF = 0.85  # px, FWHM 2.0
_WING = 2.75  # width of the PSF's wing over that of its core, as snakedriz.simulate has them
SOLUTION = Solution(candidate="default", outcome="ok", reason="", wcsname="IDC_x", exposures=[])
_PAD = 40  # px of nebula beyond the frame: displaced exposures see other parts of it


@dataclass
class Scene:
    """What to make.

    Displacements are of the exposures' stars on the grid, (dx, dy) in px; `rotation_deg` turns an exposure about the
    middle of the frame. `flags`: "drizcr" as AstroDrizzle flags, "true" the rays and nothing else, "none". With a `gap`
    the lower and the upper half are two chips, and `chip_displaced` moves the upper one of an exposure, beside what
    `displaced` does to both.
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
    cr_scale: tuple[float, float] = (1.2, 0.7)  # driz_cr_scale and driz_cr_snr
    cr_snr: tuple[float, float] = (3.5, 3.0)
    minmed: bool = False  # the model is the minimum where the median lies far above it, as for few exposures
    jitter: float = 0.01  # px: each exposure's own registration error, as in a well guided visit
    dither: float = 0.0  # px: footprints move by this much per exposure
    full_well: float | None = None
    scale: float = SCALE
    psf_sigma: float = _PSF  # px, before integration over the pixel
    psf_wing: float = 0.0  # share of the light in a second Gaussian, 2.75 times as wide
    breathing: float = 0.0  # 1 sigma of each exposure's relative PSF width
    discs: bool = False  # galaxies are exponential discs of 0.35 arcsec half-light radius over 4.5 mag, not Gaussians
    nebula: float = 0.0  # electrons/s per pixel in the mean, lognormal of a power-law field, no point sources in it
    nebula_contrast: float = 0.5  # standard deviation of its logarithm over the frame
    nebula_index: float = 3.0  # power spectrum ~ k^-3: interstellar clouds have 2.7 to 3.5
    phases: bool = False  # each exposure has a random sub-pixel phase, and goes through the drizzle kernel
    stretch: tuple[float, float] = (0.0, 0.0)  # (x, y): detector pixels per grid pixel - 1; phases vary over the frame
    gap: int = 0  # px without data between two chips
    chip_displaced: dict[int, tuple[float, float]] = field(default_factory=dict)
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


@dataclass(frozen=True)
class _Placing:
    """Where the pixels of a detector lie on the grid: detector = middle + factor (grid - middle) + phase, (x, y)."""

    middle: Array
    factor: Array
    phase: Array

    @property
    def trivial(self) -> bool:
        return bool(np.all(self.phase == 0) and np.all(self.factor == 1))

    def detector(self, grid: Array, axis: int) -> Array:
        return self.middle[axis] + self.factor[axis] * (grid - self.middle[axis]) + self.phase[axis]

    def grid(self, detector: Array, axis: int) -> Array:
        return self.middle[axis] + (detector - self.middle[axis] - self.phase[axis]) / self.factor[axis]

    def drizzle(self, image: Array) -> Array:
        """The turbo kernel at pixfrac 1: each grid pixel is the mean of the detector under it, by area."""
        if self.trivial:
            return image
        rows, columns = (self._overlap(size, axis) for axis, size in ((1, image.shape[0]), (0, image.shape[1])))
        return (columns @ (rows @ image).T).T

    def _overlap(self, size: int, axis: int) -> sparse.csr_array:
        """Share of each grid pixel's length (row) that lies on each detector pixel (column)."""
        edges = self.detector(np.arange(size + 1) - 0.5, axis)
        low, high = edges[:-1, None], edges[1:, None]
        pixel = np.rint(self.detector(np.arange(size, dtype=float), axis)).astype(int)[:, None] + np.arange(-1, 2)
        share = np.clip(np.minimum(high, pixel + 0.5) - np.maximum(low, pixel - 0.5), 0, None) / (high - low)
        at = np.repeat(np.arange(size), 3), np.clip(pixel, 0, size - 1).ravel()
        return sparse.csr_array((share.ravel(), at), shape=(size, size))

    def blot(self, model: Array) -> Array:
        """The model at the detector's pixels."""
        if self.trivial:
            return model
        y, x = (self.grid(np.arange(size, dtype=float), axis) for axis, size in ((1, len(model)), (0, len(model[0]))))
        order = 3 if model.dtype.kind == "f" else 0
        return ndimage.map_coordinates(model, np.meshgrid(y, x, indexing="ij"), order=order, mode="nearest")

    def reached(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The grid's pixels that lie within the detector."""
        y, x = (self.detector(np.arange(size, dtype=float), axis) for axis, size in ((1, shape[0]), (0, shape[1])))
        return np.logical_and.outer((y >= 0) & (y <= shape[0] - 1), (x >= 0) & (x <= shape[1] - 1))


@dataclass
class _Exposure:
    """One exposure: rate, true rays and what there is of the detector, coverage on the grid, first row of chip 2."""

    rate: Array
    hits: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    placing: _Placing
    second_chip: int


def _nebula(scene: Scene) -> Array | None:
    """Spline coefficients of a nebula on the grid and `_PAD` px around it, as PSF and pixel blur it."""
    if not scene.nebula:
        return None
    rng = np.random.default_rng([scene.seed, 8])
    shape = tuple(n + 2 * _PAD for n in scene.shape)
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    k[0, 0] = 1.0
    field_ = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) * k ** (-scene.nebula_index / 2), s=shape)
    cloud = np.exp(scene.nebula_contrast * field_ / field_.std())
    blurred = ndimage.gaussian_filter(scene.nebula * cloud / cloud.mean(), np.hypot(scene.psf_sigma, 12**-0.5))
    return ndimage.spline_filter(blurred, order=3)


def _sky(
    scene: Scene, sources: Array, nebula: Array | None, shift: Array, angle: float, width: float, placing: _Placing
) -> Array:
    """The detector's rates without noise. `sources`: rows of x, y, rate, sigma; `width`: of the PSF over nominal."""
    clean = np.zeros(scene.shape)
    ny, nx = scene.shape
    for px, py, rate, sigma in sources:
        u, v = px - nx / 2, py - ny / 2
        x = placing.detector(nx / 2 + u * np.cos(angle) - v * np.sin(angle) + shift[0], 0)
        y = placing.detector(ny / 2 + u * np.sin(angle) + v * np.cos(angle) + shift[1], 1)
        _star(clean, x, y, rate, np.sqrt(sigma**2 + (width**2 - 1) * scene.psf_sigma**2))
    if nebula is not None:
        x, y = (placing.grid(np.arange(n, dtype=float), axis) for axis, n in ((0, nx), (1, ny)))
        u, v = x[None] - shift[0] - nx / 2, y[:, None] - shift[1] - ny / 2
        there = ny / 2 - u * np.sin(angle) + v * np.cos(angle), nx / 2 + u * np.cos(angle) + v * np.sin(angle)
        clean += ndimage.map_coordinates(nebula, np.array(there) + _PAD, order=3, prefilter=False, mode="nearest")
    return clean


def _sources(scene: Scene, rng: np.random.Generator) -> Array:
    """Rows of x, y (grid), rate (electrons/s) and sigma (px) of the Gaussians that stars and galaxies are made of."""
    ny, nx = scene.shape
    x, y = rng.uniform(0, nx, scene.stars), rng.uniform(0, ny, scene.stars)
    ratio = (scene.faintest / scene.brightest) ** 0.7
    flux = scene.faintest * (1 - rng.uniform(0, 1, scene.stars) * (1 - ratio)) ** (-1 / 0.7) / 500.0
    gx, gy = rng.uniform(0, nx, scene.galaxies), rng.uniform(0, ny, scene.galaxies)
    gs, gf = rng.uniform(2.5, 6, scene.galaxies), scene.galaxy_flux / 500 * rng.uniform(0.3, 1, scene.galaxies)
    one, core = np.ones(scene.stars), scene.psf_sigma
    rows = [np.column_stack([x, y, flux * (1 - scene.psf_wing), one * core])]
    if scene.psf_wing:
        rows.append(np.column_stack([x, y, flux * scene.psf_wing, one * core * _WING]))
    if not scene.discs:
        return np.vstack([*rows, np.column_stack([gx, gy, gf, gs])])
    own = np.random.default_rng([scene.seed, 9])
    radius = np.clip(0.35 * np.exp(0.4 * own.normal(size=scene.galaxies)), 0.1, 1.5) / scene.scale
    rate = scene.galaxy_flux / 500 * 10 ** (-1.8 * own.uniform(0, 1, scene.galaxies))
    for share, variance in zip(DISC_WEIGHTS / DISC_WEIGHTS.sum(), DISC_VARIANCES, strict=True):
        rows.append(np.column_stack([gx, gy, rate * share, np.sqrt(variance * radius**2 + core**2)]))
    return np.vstack(rows)


def _expose(scene: Scene) -> list[_Exposure]:
    rng, own = np.random.default_rng(scene.seed), np.random.default_rng([scene.seed, 7])
    ny, nx = scene.shape
    sources, nebula = _sources(scene, rng), _nebula(scene)
    out = []
    for index, exptime in enumerate(scene.exptimes):
        shift = np.array(scene.displaced.get(index, (0, 0))) + rng.normal(0, scene.jitter, 2)
        angle = np.radians(scene.rotation_deg.get(index, 0.0))
        phase, width = own.uniform(-0.5, 0.5, 2), 1 + scene.breathing * own.normal()
        placing = _Placing(
            np.array([nx, ny]) / 2, 1 + np.array(scene.stretch), phase if scene.phases else np.zeros(2)
        )  # fmt: skip
        clean = _sky(scene, sources, nebula, shift, angle, width, placing)
        moved = round(scene.dither * index)
        middle = ny // 2 + moved  # of the gap
        if index in scene.chip_displaced:
            other = _sky(scene, sources, nebula, shift + scene.chip_displaced[index], angle, width, placing)
            clean[middle:] = other[middle:]
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
        if not placing.trivial:
            cover &= placing.reached(scene.shape)
        seen = placing.blot(cover)
        out.append(_Exposure(electrons / exptime - scene.sky, ray > 0, seen, cover, placing, middle))
    return out


def _drizcr(scene: Scene, made: list[_Exposure], images: list[Array]) -> list[NDArray[np.bool_]]:
    """Flag as drizCR does: |image - model| > scale * derivative + snr * noise, the derivative being the model's."""
    covered = [exposure.covered for exposure in made]
    stack = np.where(covered, images, np.nan)
    stack[:, ~np.any(covered, axis=0)] = 0.0
    lowest = np.nanmin(stack, axis=0)
    combined = lowest if len(images) == 2 else np.nanmedian(stack, axis=0)
    if scene.minmed:  # combine_nsigma "4 3", combine_grow 1
        mean = float(np.mean(scene.exptimes))
        excess = (combined - lowest) / (
            np.sqrt(np.clip(lowest + scene.sky, 0, None) * mean + scene.read_noise**2) / mean
        )
        near = ndimage.binary_dilation(excess > 4, structure=np.ones((3, 3), bool))
        combined = np.where((excess > 4) | (near & (excess > 3)), lowest, combined)
    flags = []
    for exposure, exptime in zip(made, scene.exptimes, strict=True):
        model = exposure.placing.blot(combined)
        padded = np.pad(model, 1, mode="edge")
        steps = ((0, 1), (0, -1), (1, 0), (-1, 0))
        derivative = np.max([np.abs(model - np.roll(padded, step, (0, 1))[1:-1, 1:-1]) for step in steps], axis=0)
        noise = np.sqrt(np.clip(model + scene.sky, 0, None) * exptime + scene.read_noise**2) / exptime
        difference = np.abs(exposure.rate - model)
        first = difference > scene.cr_scale[0] * derivative + scene.cr_snr[0] * noise
        second = difference > scene.cr_scale[1] * derivative + scene.cr_snr[1] * noise
        near = ndimage.binary_dilation(first, structure=np.ones((3, 3), bool))
        flags.append((first | (near & second)) & exposure.seen)
    return flags


def _on_grid(flag: NDArray[np.bool_], placing: _Placing) -> NDArray[np.bool_]:
    """The grid's pixels that the centres of flagged detector pixels fall on."""
    if placing.trivial:
        return flag
    out = np.zeros_like(flag)
    y, x = np.nonzero(flag)
    iy, ix = np.rint(placing.grid(y, 1)).astype(int), np.rint(placing.grid(x, 0)).astype(int)
    inside = (iy >= 0) & (iy < out.shape[0]) & (ix >= 0) & (ix < out.shape[1])
    out[iy[inside], ix[inside]] = True
    return out


def write(scene: Scene, directory: Path, name: str = "x", second_pass: bool = False) -> tuple[Path, Path]:
    """Write ``<name>_drc.fits`` and ``<name>_singles.fits`` as the drizzle stage does; return their paths.

    With `second_pass` also ``<name>_second.fits``: single drizzles without the flagged pixels, 0 where nothing is left,
    as they are when the flags of a first pass are used (runastrodriz verifies those).
    """
    made = _expose(scene)
    images = [np.where(e.covered, e.placing.drizzle(e.rate), 0.0) for e in made]
    if scene.flags == "drizcr":
        flags = _drizcr(scene, made, images)
    else:
        flags = [(e.hits & e.seen) if scene.flags == "true" else np.zeros_like(e.hits) for e in made]
    total, light = np.zeros(scene.shape), np.zeros(scene.shape)
    for e, flag, exptime in zip(made, flags, scene.exptimes, strict=True):
        total += np.where(e.covered, exptime * e.placing.drizzle(np.where(flag, 0.0, 1.0)), 0.0)
        light += np.where(e.covered, exptime * e.placing.drizzle(np.where(flag, 0.0, e.rate)), 0.0)
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
    bundle, second = fits.HDUList([fits.PrimaryHDU()]), fits.HDUList([fits.PrimaryHDU()])
    for index, (image, exposure, flag) in enumerate(zip(images, made, flags, strict=True), start=1):
        own = header.copy()
        own["ROOTNAME"], own["EXPTIME"] = f"jtest{index:02d}q", float(scene.exptimes[index - 1])
        own["CRFLAGS"], own["NPIXELS"] = int(np.count_nonzero(flag)), int(np.count_nonzero(exposure.seen))
        touched = ndimage.binary_dilation(_on_grid(flag, exposure.placing), structure=np.ones((3, 3), bool))
        mask = exposure.covered * np.uint8(1) + touched * np.uint8(2)
        if scene.gap:
            upper = np.arange(scene.shape[0])[:, None] >= exposure.second_chip
            mask |= np.where(upper, 2 << singles.CHIP_SHIFT, 1 << singles.CHIP_SHIFT).astype(np.uint8)
        bundle += [
            fits.ImageHDU(image.astype(np.float32), own, name="SCI", ver=index),
            fits.ImageHDU(mask, fits.Header([("ROOTNAME", own["ROOTNAME"])]), name="MASK", ver=index),
        ]
        if second_pass:
            kept = np.where(exposure.covered, exposure.placing.drizzle(np.where(flag, 0.0, 1.0)), 0.0)
            light = exposure.placing.drizzle(np.where(flag, 0.0, exposure.rate))
            cleaned = np.where(kept > 0, light / np.where(kept > 0, kept, 1), 0.0)
            second.append(fits.ImageHDU(cleaned.astype(np.float32), own, name="SCI", ver=index))
    bundle.writeto(paths[1], overwrite=True)
    if second_pass:
        second.writeto(directory / f"{name}_second.fits", overwrite=True)
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
