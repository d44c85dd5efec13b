"""What the detector does to a noise-free image: noise, cosmic rays, saturation and bleeding, defects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snakedriz.simulate.seeds import generator
from snakedriz.simulate.visit import Visit

Array = NDArray[np.float64]

DQ_BAD_COLUMN, DQ_HOT, DQ_WARM, DQ_SATURATED = 4, 16, 64, 256
"""Data quality bits of ACS; 16, 64 and 256 make the 336 that a pipeline MDRIZTAB tells AstroDrizzle to accept."""

HOT_RANGE = (0.14, 20.0)
"""Dark current of hot pixels, e-/s above normal."""

PIXEL_CM = 15e-4
"""Pitch of the ACS/WFC pixels, cm."""


@dataclass(frozen=True)
class Defects:
    """Defects of a chip, the same in all exposures: dark current in e-/s above normal, gain of bad columns, flags.

    ``residual`` is what is left of the dark current (e-/s) when the reference dark has been subtracted.
    """

    dark: Array
    response: Array
    flags: NDArray[np.int16]
    residual: Array


def hot_currents(deviates: Array, tail: float | None) -> Array:
    """Dark currents (e-/s above normal) of hot pixels, 0.14 to 20, for uniform ``deviates``.

    With ``tail`` the number above a current d falls as d to the power of -``tail``, else it falls by the same number
    per decade. WFC grew 390 new pixels a day above 0.08 e-/s and 16 above 1 (ACS Instrument Handbook for Cycle 14,
    table 4.3): -1.26.
    """
    low, high = HOT_RANGE
    if tail is None:
        return np.exp(np.log(low) + (np.log(high) - np.log(low)) * deviates)
    return np.asarray(low * (1.0 - deviates * (1.0 - (high / low) ** -tail)) ** (-1.0 / tail))


def chip_defects(
    shape: tuple[int, int], chip: int, hot: float, warm: float, columns: float, seed: int, tail: float | None = None,
    residual: float = 0.0, unflagged: float = 0.0,
) -> Defects:  # fmt: skip
    """Place the defects of one chip. ``hot``, ``warm``, ``columns`` are fractions of the pixels and of the columns.

    Hot pixels have 0.14 to 20 e-/s of dark current (`hot_currents`), warm ones 0.06 to 0.14 (the limits ACS flags them
    by). The reference dark is wrong by ``residual`` (1 sigma, relative) for each of them; it has never seen the share
    ``unflagged`` of the hot ones, which therefore keep all of their current and have no flag. A bad column starts at a
    random row and loses most of its signal from there to the edge away from the readout.
    """
    rows, n_columns = shape
    dark = np.zeros(shape)
    flags = np.zeros(shape, dtype=np.int16)
    rng = generator(seed, "hot pixels", chip)
    for fraction, limits, flag in ((warm, (0.06, 0.14), DQ_WARM), (hot, HOT_RANGE, DQ_HOT)):
        count = round(fraction * rows * n_columns)
        where = rng.choice(rows * n_columns, size=count, replace=False)
        if flag == DQ_HOT and tail is not None:
            dark.flat[where] = hot_currents(rng.uniform(size=count), tail)
        else:
            dark.flat[where] = np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]), size=count))
        flags.flat[where] = flag  # a pixel is warm or hot, not both
    rng = generator(seed, "reference dark", chip)
    left = dark * residual * rng.standard_normal(shape) if residual else np.zeros(shape)
    new = np.flatnonzero(flags == DQ_HOT)
    new = rng.choice(new, size=round(unflagged * len(new)), replace=False)
    left.flat[new], flags.flat[new] = dark.flat[new], 0
    response = np.ones(shape)
    rng = generator(seed, "bad columns", chip)
    for column in rng.choice(n_columns, size=round(columns * n_columns), replace=False):
        start = int(rng.integers(rows))
        span = slice(0, start + 1) if chip == 1 else slice(start, rows)  # chip 1 is read at its upper edge
        response[span, column] = rng.uniform(0.0, 0.4)
        flags[span, column] |= DQ_BAD_COLUMN
    return Defects(dark, response, flags, left)


def cosmic_rays(
    shape: tuple[int, int], exptime: float, rate: float, seed: int, index: int
) -> tuple[NDArray[np.float64], int]:
    """Electrons left by cosmic rays in one exposure of one chip, and the number of hits.

    ``rate`` in hits per cm2 and s (about 1.2 for HST: 1 to 2 per cent of the pixels in 1000 s). A hit is a straight
    track: most are near-vertical and 1 to 4 pixels long, a tail reaches 60; 100 e- per pixel of path (lognormal, and in
    proportion to the path in silicon), spread by diffusion over about a pixel.
    """
    rng = generator(seed, "cosmic rays", index)
    rows, columns = shape
    hits = int(rng.poisson(rate * exptime * rows * columns * PIXEL_CM**2))
    margin = 30.0
    # Hits are drawn on a wider field, so that tracks also enter through the edges; the density is that asked for.
    wider = (rows + 2 * margin) * (columns + 2 * margin) / (rows * columns)
    drawn = int(rng.poisson(hits * (wider - 1.0))) + hits
    inside = np.arange(drawn) < hits
    x = np.where(inside, rng.uniform(0, columns, drawn), rng.uniform(-margin, columns + margin, drawn))
    y = np.where(inside, rng.uniform(0, rows, drawn), rng.uniform(-margin, rows + margin, drawn))
    outside = inside | (x < 0) | (x >= columns) | (y < 0) | (y >= rows)
    x, y = x[outside], y[outside]
    n = len(x)
    zenith = np.arccos(np.sqrt(rng.uniform(size=n)))  # isotropic flux through a plane: p(theta) ~ sin theta cos theta
    length = np.minimum(1.0 * np.tan(zenith), 60.0)  # depth of the sensitive layer over the pitch is about 1
    path = np.hypot(length, 1.0)
    charge = 900.0 * rng.lognormal(0.0, 0.5, n) * path
    direction = rng.uniform(0, 2 * np.pi, n)
    points = np.ceil(8 * path).astype(int)
    owner = np.repeat(np.arange(n), points)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(points) - points, points)
    along = (step + 0.5) / points[owner] - 0.5
    spread = rng.normal(scale=0.35, size=(2, len(owner)))
    px = np.floor(x[owner] + along * length[owner] * np.cos(direction[owner]) + spread[0]).astype(int)
    py = np.floor(y[owner] + along * length[owner] * np.sin(direction[owner]) + spread[1]).astype(int)
    keep = (px >= 0) & (px < columns) & (py >= 0) & (py < rows)
    deposit = (charge / points)[owner]
    image: Array = np.bincount(py[keep] * columns + px[keep], weights=deposit[keep], minlength=rows * columns).astype(
        float
    )
    return image.reshape(shape), hits


def bleed(image: Array, full_well: float) -> NDArray[np.bool_]:
    """Clip pixels at ``full_well`` in place and move the excess along their columns, half each way.

    Charge is conserved except for what runs over the upper or lower edge. Returns the mask of full pixels.
    """
    columns = np.flatnonzero((image > full_well).any(axis=0))
    if len(columns):
        strip = image[:, columns]
        excess = np.maximum(strip - full_well, 0.0) / 2
        strip = np.minimum(strip, full_well)
        for order in (range(len(strip)), range(len(strip) - 1, -1, -1)):
            carried = np.zeros(len(columns))
            for row in order:
                carried += excess[row]
                taken = np.minimum(full_well - strip[row], carried)
                strip[row] += taken
                carried -= taken
        image[:, columns] = strip
    full: NDArray[np.bool_] = image >= full_well * (1 - 1e-9)
    return full


@dataclass(frozen=True)
class ChipFrame:
    """One chip of one exposure: science (e-), 1 sigma (e-), flags, electrons before read noise, cosmic-ray hits."""

    sci: NDArray[np.float32]
    err: NDArray[np.float32]
    dq: NDArray[np.int16]
    electrons: Array
    n_cosmic_rays: int


def expose(signal: Array, defects: Defects, exptime: float, visit: Visit, index: int) -> ChipFrame:
    """Turn expected electrons (sources and sky, shape of the chip) into what calacs would deliver.

    ``index`` numbers exposure and chip, for the random generators. Where ``visit.noise`` is False only the
    deterministic parts (defects, saturation) are applied, and ERR still says what the noise would have been. The
    Poisson noise is that of the flat-fielded electrons, i.e. the few per cent by which the flat changes it are left
    out.
    """
    seed, read_noise = visit.seed, visit.read_noise
    expected = signal * defects.response
    dark = defects.dark * exptime
    if visit.noise:
        rng = generator(seed, "photons", index)
        # Above 200 electrons a normal deviate serves as well as a Poisson one.
        electrons = expected + np.sqrt(expected) * rng.standard_normal(expected.shape)
        faint = expected < 200.0
        electrons[faint] = rng.poisson(expected[faint])
        rng = generator(seed, "dark current", index)
        hot = np.flatnonzero(dark)
        # calacs subtracts the mean dark; hot pixels are unstable, so some of the current (5 per cent) stays behind.
        shot = rng.poisson(dark.flat[hot]) - dark.flat[hot] * (1.0 + 0.05 * rng.standard_normal(len(hot)))
        electrons.flat[hot] += shot + defects.residual.flat[hot] * exptime
    else:
        electrons = expected + defects.residual * exptime
    rays, hits = cosmic_rays(expected.shape, exptime, visit.cr_rate, seed, index) if visit.cr_rate > 0 else (None, 0)
    if rays is not None:
        electrons += rays
    full = bleed(electrons, visit.full_well)
    sci = electrons.astype(np.float32)
    if visit.noise:
        sci += read_noise * generator(seed, "read noise", index).standard_normal(sci.shape, dtype=np.float32)
    err = np.sqrt(np.maximum(sci, 0.0) + np.float32(read_noise**2) + dark.astype(np.float32))
    dq = defects.flags.copy()
    dq[full] |= DQ_SATURATED
    return ChipFrame(sci, err.astype(np.float32), dq, electrons, hits)
