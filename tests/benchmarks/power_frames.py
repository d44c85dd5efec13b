"""Full-size single drizzles and products of simulated exposures, made in seconds.

An exposure is drawn on its detector's pixels (stars, noise, hot pixels, rays, bleeding, charge trails, afterglows), is
laid on the frame by a separable turbo kernel, and flagged by the rule of drizCR against the median or minimum.
What the drizzle stage writes of it (`snakedriz.drizzle.singles`) is what `snakedriz.verification` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import sparse
from snakedriz.drizzle import singles
from snakedriz.simulate.detector import bleed, cosmic_rays, hot_currents
from snakedriz.simulate.pixels import add_galaxy, add_spikes, add_stars, charge_trails, psf_peak

from benchmarks import power_fields
from benchmarks.power_detectors import DISTORTION_PX, Detector

#: Bit of the mask for pixels that are fixed to the detector, where bundles have one.
FIXED = int(getattr(singles, "FIXED", 0))
#: Nodes along each side of a chip, where bundles say where the detector's pixels lie.
NODES = int(getattr(singles, "NODES", 0))
Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Placed:
    """Where one exposure's pixels are taken to lie, and by what its stars are off.

    exptime   s
    origin    (x, y) of the frame, px from 0, at which the detector's first pixel lies
    shift     (x, y), px: where its stars lie on the frame less where they should
    turn      deg, about the middle of the detector
    upper     what the upper chip is off by beyond that
    """

    exptime: float
    origin: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    upper: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Visit:
    """What to make: the frame's shape (ny, nx), the field and where it lies (x0, y0, x1, y1), and the exposures."""

    detector: Detector
    field: power_fields.Field
    shape: tuple[int, int]
    boxes: tuple[tuple[float, float, float, float], ...]
    exposures: tuple[Placed, ...]
    seed: int

    @property
    def rootnames(self) -> list[str]:
        """One for each exposure."""
        return [f"jtest{number:02d}q" for number in range(1, len(self.exposures) + 1)]

    def rng(self, *purpose: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([self.seed, *purpose])

    def sources(self) -> power_fields.Sources:
        """The sources of the field."""
        return power_fields.draw(self.field, list(self.boxes), self.rng(1))


def on_detector(visit: Visit, index: int, positions: Array) -> Array:
    """Detector pixels (x, y from 0) at which an exposure sees positions (n, 2) of the frame."""
    placed, detector = visit.exposures[index], visit.detector
    factor, origin = np.array(detector.factor), np.array(placed.origin)
    middle = origin + np.array(detector.shape[::-1]) / factor / 2
    u, v = (positions - middle).T
    cos, sin = np.cos(np.radians(placed.turn)), np.sin(np.radians(placed.turn))
    seen = middle + np.column_stack([u * cos - v * sin, u * sin + v * cos]) + np.array(placed.shift)
    out = (seen - origin) * factor
    if detector.chips > 1:
        upper = out[:, 1] > detector.chip[0] + detector.gap / 2
        out[upper] += np.array(placed.upper) * factor
    # What the distortion leaves: waves some 1000 px long, the same in all exposures.
    phase = visit.rng(2).uniform(0, 2 * np.pi, 4)
    x, y = out.T / 160.0
    wave = np.column_stack([np.sin(x + 0.6 * y + phase[0]) + np.sin(0.5 * x - y + phase[1]),
                            np.sin(0.8 * x - y + phase[2]) + np.sin(x + 0.3 * y + phase[3])])  # fmt: skip
    return np.asarray(out + DISTORTION_PX * wave)


def common_stars(visit: Visit, sources: power_fields.Sources, least: float = 15.0) -> int:
    """Stars with a signal-to-noise ratio of `least`, not saturated, that an exposure shares with the best other one.

    The smallest number of the exposures.
    """
    detector, seen = visit.detector, []
    for index, placed in enumerate(visit.exposures):
        x, y = on_detector(visit, index, sources.stars[:, :2]).T
        light = sources.stars[:, 2] * placed.exptime
        background = 12 * (detector.sky * visit.field.sky * placed.exptime + detector.read_noise**2)
        good = light > least * np.sqrt(light + background)
        good &= light * psf_peak(detector.psf) < 0.9 * detector.full_well
        ny, nx = detector.shape
        good &= (x > 10) & (x < nx - 10) & (y > 10) & (y < ny - 10)
        for chip in range(1, detector.chips):
            edge = chip * (detector.chip[0] + detector.gap)
            good &= (y < edge - detector.gap - 10) | (y > edge + 10)
        seen.append(good)
    both = np.array(seen, dtype=int) @ np.array(seen, dtype=int).T
    np.fill_diagonal(both, 0)
    return int(both.max(axis=1).min())


def _signal(visit: Visit, index: int, sources: power_fields.Sources) -> Image:
    """Electrons of sources on the detector's pixels, without noise and sky."""
    detector, placed = visit.detector, visit.exposures[index]
    ny, nx = detector.shape
    image = np.zeros((ny, nx), np.float32)
    if visit.field.nebula:
        _add_nebula(image, visit, index)
    focus = float(visit.rng(3, index).standard_normal())
    at, discs = (on_detector(visit, index, part[:, :2]) for part in (sources.stars, sources.discs))
    near = ((at > -30) & (at < (nx + 30, ny + 30))).all(axis=1)
    x, y = at[near].T
    light = sources.stars[near, 2] * placed.exptime
    u, v = 2 * x / nx - 1, 2 * y / ny - 1
    width = (1 + detector.psf_field * (u**2 + v**2) / 2) * (1 + detector.breathing * focus)
    lean = detector.coma * focus * np.column_stack([u, v])
    add_stars(image, x + 1, y + 1, light * (1 - detector.spikes), detector.psf, width, lean)
    if detector.spikes:
        bright = light > 2e4
        add_spikes(image, x[bright] + 1, y[bright] + 1, light[bright], detector.scale, share=detector.spikes)
    matrix = np.diag([-detector.scale / detector.factor[0], detector.scale / detector.factor[1]])
    for (x0, y0), (_, _, rate, size, ratio, angle) in zip(discs, sources.discs, strict=True):
        if -100 < x0 < nx + 100 and -100 < y0 < ny + 100:
            add_galaxy(image, x0 + 1, y0 + 1, rate * placed.exptime, size, ratio, angle, matrix, detector.psf)
    for number, rows in enumerate(_chips(detector)):
        if detector.cte:
            image[rows] += charge_trails(image[rows], detector.cte, detector.chips > 1 and number == 1)
    image[_gap(detector)] = 0
    return image


def _chips(detector: Detector) -> list[slice]:
    """Rows of each chip."""
    step = detector.chip[0] + detector.gap
    return [slice(k * step, k * step + detector.chip[0]) for k in range(detector.chips)]


def _gap(detector: Detector) -> slice:
    """Rows without pixels."""
    return slice(detector.chip[0], detector.chip[0] + detector.gap) if detector.chips > 1 else slice(0, 0)


def _add_nebula(image: Image, visit: Visit, index: int) -> None:
    detector, placed = visit.detector, visit.exposures[index]
    corner = tuple(int(n) for n in visit.rng(4).integers(0, 10_000, 2))
    (fx, fy), (ny, nx) = detector.factor, detector.shape
    share = visit.field.nebula * (detector.scale / 0.05) ** 2 / (fx * fy) * placed.exptime
    for number, rows in enumerate(_chips(detector)):
        more = np.array(placed.upper if number else (0.0, 0.0)) + placed.shift
        x = placed.origin[0] + np.arange(nx) / fx - more[0]
        y = placed.origin[1] + np.arange(ny)[rows] / fy - more[1]
        image[rows] += share * power_fields.nebula(x, y, np.radians(placed.turn), (corner[0], corner[1]))


@dataclass
class Exposed:
    """Rates (e-/s, sky subtracted) of one exposure on its detector, and which pixels are of no use or fixed to it."""

    rate: Image
    good: Mask
    fixed: Mask  # hot, warm and bad pixels, as the DQ array has them flagged


@dataclass(frozen=True)
class _Dark:
    """Pixels with dark current (flat indices), e-/s, what is left of it, and whether they are flagged."""

    at: NDArray[np.intp]
    current: Array
    left: Array
    flagged: Mask


def _dark(visit: Visit) -> _Dark:
    """The same in all exposures. The reference dark is wrong by 5 per cent, and has never seen the new pixels."""
    detector, rng = visit.detector, visit.rng(5)
    size = detector.shape[0] * detector.shape[1]
    hot, warm = round(detector.hot * size), round(detector.warm * size)
    at = rng.choice(size, hot + warm, replace=False)
    current = np.concatenate([hot_currents(rng.uniform(size=hot), detector.tail), rng.uniform(0.06, 0.14, warm)])
    new = (rng.uniform(size=len(at)) < detector.new) & (np.arange(len(at)) < hot)
    left = np.where(new, current, 0.05 * current * rng.standard_normal(len(at)))
    return _Dark(at, current, left, ~new)


def _afterglow(visit: Visit, index: int) -> tuple[Array, Array, Array]:
    """Places (x, y) on the detector and electrons of what a former visit's stars left.

    0.01 to 0.3 e-/s in the brightest pixel, a thousand seconds after the stimulus at the first exposure; it falls as
    the time since (WFC3 Data Handbook, 8).
    """
    rng, detector = visit.rng(6), visit.detector
    x, y = (
        rng.uniform(0, detector.shape[1], detector.afterglows),
        rng.uniform(0, detector.shape[0], detector.afterglows),
    )
    start = sum(placed.exptime + 60.0 for placed in visit.exposures[:index])
    fading = 1000.0 / (1000.0 + start)
    peak = 10 ** rng.uniform(-2.0, -0.5, detector.afterglows)
    return x, y, peak / psf_peak(detector.psf) * fading * visit.exposures[index].exptime


def expose(visit: Visit, index: int, sources: power_fields.Sources, dark: _Dark) -> Exposed:
    """Draw one exposure."""
    detector, placed, rng = visit.detector, visit.exposures[index], visit.rng(7, index)
    image = _signal(visit, index, sources)
    if detector.afterglows:
        x, y, light = _afterglow(visit, index)
        add_stars(image, x + 1, y + 1, light, detector.psf, 1.2)
    sky, time = detector.sky * visit.field.sky * placed.exptime, placed.exptime
    if detector.read_noise == 0:
        image = (rng.poisson(image + sky) - sky).astype(np.float32)
    else:
        spread = np.sqrt(image + np.float32(sky + detector.read_noise**2))
        spread *= rng.standard_normal(image.shape, dtype=np.float32)
        image += spread
    flat = image.reshape(-1)
    shot = rng.poisson(dark.current * time) - dark.current * time
    flat[dark.at] += (shot + dark.left * time).astype(np.float32)
    if detector.rays:
        rate = detector.rays * (detector.pixel_um / 15.0) ** 2
        image += cosmic_rays(image.shape, time, rate, visit.seed, index)[0].astype(np.float32)
    if detector.bleeds:
        bleed(image, detector.full_well)
    else:
        np.minimum(image, np.float32(detector.full_well), out=image)
    image /= np.float32(time)
    good, fixed = np.ones(image.shape, bool), np.zeros(image.shape, bool)
    fixed.reshape(-1)[dark.at[dark.flagged]] = True
    own = visit.rng(8)
    for column in own.choice(image.shape[1] - 2, round(detector.columns * image.shape[1]), replace=False) + 1:
        start = int(own.integers(image.shape[0]))
        image[start:, column] = (image[start:, column - 1] + image[start:, column + 1]) / 2
        good[start:, column], fixed[start:, column] = False, True
    good[_gap(detector)], image[_gap(detector)] = False, 0.0
    return Exposed(image, good, fixed)


@dataclass(frozen=True)
class Grid:
    """How a detector lies on the frame: the part of it that it reaches, and the kernel along each axis."""

    window: tuple[slice, slice]
    nearest: tuple[NDArray[np.intp], NDArray[np.intp]]  # detector row and column under each of the window's
    rows: sparse.csr_array
    columns: sparse.csr_array
    origin: tuple[float, float]  # of the detector's first pixel, in the window
    factor: tuple[float, float]

    def drizzle(self, image: Image) -> Image:
        """The turbo kernel at pixfrac 1: each pixel of the window is the mean of the detector under it, by area."""
        return np.asarray((self.columns @ np.ascontiguousarray((self.rows @ image).T)).T)

    def under(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The detector's pixel under the middle of each of the window's."""
        return array[self.nearest[0]][:, self.nearest[1]]

    def blot(self, model: Image, y: NDArray[np.intp], x: NDArray[np.intp]) -> Image:
        """The window's `model`, interpolated at detector pixels."""
        gy = np.clip(self.origin[1] + y / self.factor[1], 0, model.shape[0] - 1.001)
        gx = np.clip(self.origin[0] + x / self.factor[0], 0, model.shape[1] - 1.001)
        iy, ix = gy.astype(np.intp), gx.astype(np.intp)
        fy, fx = (gy - iy).astype(np.float32), (gx - ix).astype(np.float32)
        low = model[iy, ix] * (1 - fx) + model[iy, ix + 1] * fx
        high = model[iy + 1, ix] * (1 - fx) + model[iy + 1, ix + 1] * fx
        return np.asarray(low * (1 - fy) + high * fy)


def grid_of(visit: Visit, index: int) -> Grid:
    """Lay an exposure's detector on the frame."""
    detector, placed = visit.detector, visit.exposures[index]
    window, nearest, kernels, origins = [], [], [], []
    for axis, size, number in ((1, visit.shape[0], detector.shape[0]), (0, visit.shape[1], detector.shape[1])):
        at = (np.arange(size) - placed.origin[axis]) * detector.factor[axis]
        inside = np.flatnonzero((at >= 0) & (at <= number - 1))
        part = slice(int(inside[0]), int(inside[-1]) + 1)
        window.append(part)
        pixel = np.rint(at[part]).astype(np.intp)
        nearest.append(pixel)
        edges = (np.arange(part.start, part.stop + 1) - 0.5 - placed.origin[axis]) * detector.factor[axis]
        low, high = edges[:-1, None], edges[1:, None]
        around = pixel[:, None] + np.arange(-1, 2)
        share = np.clip(np.minimum(high, around + 0.5) - np.maximum(low, around - 0.5), 0, None) / (high - low)
        where = np.repeat(np.arange(len(pixel)), 3), np.clip(around, 0, number - 1).ravel()
        kernels.append(sparse.csr_array((share.ravel().astype(np.float32), where), shape=(len(pixel), number)))
        origins.append(placed.origin[axis] - part.start)
    return Grid(
        (window[0], window[1]), (nearest[0], nearest[1]), kernels[0], kernels[1], (origins[1], origins[0]),
        detector.factor,
    )  # fmt: skip


def _strips(shape: tuple[int, int]) -> list[slice]:
    """Rows of a frame in portions: what several passes are made over should stay in the processor's cache."""
    return [slice(start, min(start + 64, shape[0])) for start in range(0, shape[0], 64)]


def _part(rows: slice, grid: Grid) -> tuple[slice, slice]:
    """Rows of a strip that an exposure's window has, counted in the strip and in the window."""
    first = grid.window[0].start
    low, high = max(rows.start, first), min(rows.stop, grid.window[0].stop)
    high = max(low, high)
    return slice(low - rows.start, high - rows.start), slice(low - first, high - first)


def combine(visit: Visit, images: list[Image], covered: list[Mask], grids: list[Grid]) -> Image:
    """Median of four, minimum of two, with AstroDrizzle's minmed: the minimum where the median lies far above it."""
    out = np.empty(visit.shape, np.float32)
    for rows in _strips(visit.shape):
        shape = (rows.stop - rows.start, visit.shape[1])
        depth = np.zeros(shape, np.uint8)
        lowest = [np.full(shape, np.inf, np.float32) for _ in range(3)]
        for image, cover, grid in zip(images, covered, grids, strict=True):
            here, own = _part(rows, grid)
            depth[here, grid.window[1]] += cover[own]
            value = np.where(cover[own], image[own], np.float32(np.inf))
            for level in lowest:
                part = level[here, grid.window[1]]
                larger = np.maximum(part, value)
                np.minimum(part, value, out=part)
                value = larger
        out[rows] = _middle(visit, depth, *lowest)
    return out


def _middle(visit: Visit, depth: NDArray[np.uint8], least: Image, second: Image, third: Image) -> Image:
    """The combination of what `depth` exposures cover, from the three smallest values."""
    least[depth == 0] = 0
    if depth.max() <= 2:
        return least
    middle = np.where(depth == 3, second, least)
    np.copyto(middle, (second + third) / 2, where=depth >= 4)
    times = [placed.exptime for placed in visit.exposures]
    if max(times) > 2 * min(times):  # then the workflow takes the median alone (`snakedriz.exposures.mdriztab`)
        return middle
    mean = float(np.mean(times))
    sky, noise = visit.detector.sky * visit.field.sky, visit.detector.read_noise**2
    limit = np.sqrt(np.clip(least + np.float32(sky), 0, None) * np.float32(mean) + np.float32(noise))
    np.copyto(middle, least, where=middle - least > limit * np.float32(4 / mean))
    return middle


def flags_of(visit: Visit, index: int, exposed: Exposed, grid: Grid, combined: Image) -> tuple[NDArray, NDArray]:
    """Rows and columns of what drizCR flags: |rate - model| > scale * derivative + snr * noise."""
    detector, time = visit.detector, visit.exposures[index].exptime
    if detector.cr_scale is None:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    sky, model = detector.sky * visit.field.sky, combined[grid.window]
    # Candidates first: the model at the nearest pixel of the frame differs by more than the noise of the sky.
    row, column = (
        np.clip(np.rint(origin + np.arange(size) / factor), 0, last - 1).astype(np.intp)
        for origin, size, factor, last in zip(
            grid.origin[::-1], exposed.rate.shape, grid.factor[::-1], model.shape, strict=True
        )
    )
    difference = np.abs(exposed.rate - model[row][:, column])
    faint = np.sqrt(sky * time + detector.read_noise**2) / time
    y, x = np.nonzero((difference > 0.9 * detector.cr_snr[1] * faint) & exposed.good)
    value = grid.blot(model, y, x)
    noise = np.sqrt(np.clip(value + sky, 0, None) * time + detector.read_noise**2) / time
    difference = np.abs(exposed.rate[y, x] - value)
    left = difference > detector.cr_snr[1] * noise
    y, x, value, noise, difference = (array[left] for array in (y, x, value, noise, difference))
    steps = [np.abs(grid.blot(model, y + dy, x + dx) - value) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    derivative = np.max(steps, axis=0) if len(y) else value
    first, second = (
        difference > scale * derivative + snr * noise
        for scale, snr in zip(detector.cr_scale, detector.cr_snr, strict=True)
    )
    image = np.zeros(np.add(exposed.rate.shape, 2), bool)
    for dy in range(3):
        for dx in range(3):
            image[y[first] + dy, x[first] + dx] = True
    flagged = first | (second & image[y + 1, x + 1])
    return y[flagged], x[flagged]


def _touched(shape: tuple[int, int], grid: Grid, y: NDArray[np.intp], x: NDArray[np.intp]) -> Mask:
    """The window's pixels within one of those that the middles of detector pixels fall on."""
    out = np.zeros(np.add(shape, 2), bool)
    row = np.rint(grid.origin[1] + y / grid.factor[1]).astype(np.intp)
    column = np.rint(grid.origin[0] + x / grid.factor[0]).astype(np.intp)
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    for dy in range(3):
        for dx in range(3):
            out[row[inside] + dy, column[inside] + dx] = True
    return out[1:-1, 1:-1]


def _header(visit: Visit) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.crval = [visit.shape[1] / 2, visit.shape[0] / 2], [150.0, 20.0]
    wcs.wcs.cd = np.diag([-visit.detector.scale, visit.detector.scale]) / 3600
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    header = wcs.to_header()
    header["BUNIT"] = "ELECTRONS/S"
    return header


def write(visit: Visit, directory: Path, sources: power_fields.Sources | None = None) -> tuple[Path, Path]:
    """Make a visit and write ``x_drc.fits`` and ``x_singles.fits`` as the drizzle stage does; return their paths."""
    sources = visit.sources() if sources is None else sources
    dark = _dark(visit)
    numbers = range(len(visit.exposures))
    grids = [grid_of(visit, index) for index in numbers]
    made = [expose(visit, index, sources, dark) for index in numbers]
    covered = [np.asarray(grid.under(one.good), bool) for grid, one in zip(grids, made, strict=True)]
    images = [np.where(cover, grid.drizzle(one.rate), np.float32(0))
              for grid, one, cover in zip(grids, made, covered, strict=True)]  # fmt: skip
    combined = combine(visit, images, covered, grids)
    flags = [flags_of(visit, index, made[index], grids[index], combined) for index in numbers]
    paths = directory / "x_drc.fits", directory / "x_singles.fits"
    _write_product(paths[0], visit, made, grids, images, covered, flags)
    fits.PrimaryHDU().writeto(paths[1])
    for index in numbers:
        _append(paths[1], visit, index, made[index], grids[index], images[index], covered[index], flags[index])
    return paths


def _write_product(
    path: Path, visit: Visit, made: list[Exposed], grids: list[Grid], images: list[Image], covered: list[Mask],
    flags: list[tuple[NDArray, NDArray]],
) -> None:  # fmt: skip
    """The mean of what was not flagged, weighted with exposure time."""
    lost = []
    for one, grid, (y, x) in zip(made, grids, flags, strict=True):
        lost.append([
            (grid.rows @ sparse.csr_array((values, (y, x)), shape=one.rate.shape) @ grid.columns.T).tocsr()
            for values in (np.ones(len(y), np.float32), one.rate[y, x])
        ])  # fmt: skip
    product, total = np.empty(visit.shape, np.float32), np.zeros(visit.shape, np.float32)
    for rows in _strips(visit.shape):
        light = np.zeros((rows.stop - rows.start, visit.shape[1]), np.float32)
        for index, (placed, grid) in enumerate(zip(visit.exposures, grids, strict=True)):
            here, own = _part(rows, grid)
            weight = covered[index][own] - lost[index][0][own].toarray()
            rate = images[index][own] - lost[index][1][own].toarray()
            empty = (weight < 1e-3) | ~covered[index][own]
            weight[empty], rate[empty] = 0, 0
            total[rows][here, grid.window[1]] += np.float32(placed.exptime) * weight
            light[here, grid.window[1]] += np.float32(placed.exptime) * rate
        with np.errstate(invalid="ignore", divide="ignore"):
            product[rows] = light / total[rows]
    header = _header(visit)
    fits.HDUList([
        fits.PrimaryHDU(), fits.ImageHDU(product, header, name="SCI"), fits.ImageHDU(total, header, name="WHT")
    ]).writeto(path)  # fmt: skip


def _nodes(visit: Visit, index: int) -> Array:
    """Where a regular grid of each chip's pixels lies in the frame: shape (chips, 2, n, n), x and y, px from 0."""
    detector, origin = visit.detector, visit.exposures[index].origin
    x = origin[0] + np.linspace(0, detector.shape[1] - 1, NODES) / detector.factor[0]
    rows = [np.linspace(part.start, part.stop - 1, NODES) for part in _chips(detector)]
    return np.array([np.meshgrid(x, origin[1] + y / detector.factor[1]) for y in rows])


def _append(
    path: Path, visit: Visit, index: int, one: Exposed, grid: Grid, image: Image, cover: Mask,
    flagged: tuple[NDArray, NDArray],
) -> None:  # fmt: skip
    """One exposure's extensions of the bundle."""
    header = _header(visit)
    header["ROOTNAME"], header["EXPTIME"] = visit.rootnames[index], float(visit.exposures[index].exptime)
    header["CRFLAGS"], header["NPIXELS"] = len(flagged[0]), int(np.count_nonzero(one.good))
    frame, mask = np.zeros(visit.shape, np.float32), np.zeros(visit.shape, np.uint8)
    frame[grid.window] = image
    part = mask[grid.window]
    part[...] = cover * np.uint8(singles.COVERED)
    part |= _touched(part.shape, grid, *flagged) * np.uint8(singles.CR_TOUCHED)
    chips = np.zeros(visit.detector.shape[0], np.uint8)
    for version, rows in enumerate(_chips(visit.detector), start=1):
        chips[rows] = version << singles.CHIP_SHIFT
    part |= chips[grid.nearest[0]][:, None]
    if FIXED:
        part |= _touched(part.shape, grid, *np.nonzero(one.fixed)) * np.uint8(FIXED)
    fits.append(path, frame, fits.Header([("EXTNAME", "SCI"), ("EXTVER", index + 1), *header.cards]), verify=False)
    about = [("EXTNAME", "MASK"), ("EXTVER", index + 1), ("ROOTNAME", visit.rootnames[index])]
    fits.append(path, mask, fits.Header(about), verify=False)
    if NODES:
        nodes = fits.Header([("EXTNAME", "DETECTOR"), *about[1:]])
        for number in range(1, visit.detector.chips + 1):
            nodes[f"CHIP{number}"] = number
        fits.append(path, _nodes(visit, index), nodes, verify=False)
