"""Star-like sources on drizzled frames: where they are, how wide, and what the CR step did to them.

Galaxies with a compact core count as well: what matters is that the same thing is found in every exposure. Hot pixels
are found in every exposure, too, and do not move with the sky. Those that are flagged are left out; the others are
narrower than any star, and are listed by themselves: where they lie says what to distrust (`registration`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.verification.frames import Frames, Image, Mask, SingleDrizzle, eroded, noise, source_response

Array = NDArray[np.float64]
_HALF = 5  # px: half the side of a star's stamp, 2.5 FWHM of HST's PSF
_WINDOW = 1.2  # px: width of the Gaussian window, between the PSF of WFC3/IR (0.5) and that of SBC (1.4)
_GRID = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1]


@dataclass(frozen=True)
class FrameStars:
    """The sources of one image, n of them, brightest first."""

    positions: Array  # shape (n, 2): centroids x, y in the frame, px from 0
    places: NDArray[np.intp]  # shape (n, 2): the pixels (x, y) of the image or mosaic that they were found at
    touched: NDArray[np.bool_]  # whether the CR step flagged something there
    chips: NDArray[np.intp]  # EXTVER of the chip, 0 where unknown
    #: shape (m, 2): centroids in the frame of what is too narrow for a star: hot pixels, and cosmic rays not flagged
    narrow: Array = field(default_factory=lambda: np.empty((0, 2)))

    def __len__(self) -> int:
        return len(self.positions)

    def of_chip(self, chip: int) -> FrameStars:
        """Return the sources of one chip."""
        return self.kept(self.chips == chip)

    def kept(self, which: NDArray[np.bool_]) -> FrameStars:
        """Return some of the sources, by a mask of length n."""
        return FrameStars(
            self.positions[which], self.places[which], self.touched[which], self.chips[which], self.narrow
        )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What `find` finds: positions are x, y in the image, px from 0."""

    positions: Array  # shape (n, 2): centroids of star-like sources, brightest first, those that were flagged last
    places: NDArray[np.intp]  # shape (n, 2): the pixels they were found at
    narrow: Array  # shape (m, 2): centroids of sources too narrow for a star that were not flagged


def find(
    image: Image, covered: Mask, settings: Mapping[str, Any], touched: Mask | None = None, fixed: Mask | None = None
) -> Found:
    """Find star-like sources in a sky-subtracted image, which may have cosmic rays in it.

    Parameters
    ----------
    image, covered : ndarrays of float32 and bool, shape (ny, nx)
    settings : mapping
        `log_sigma_px`, and of `registration`: `detect_nsigma`, `star_share`, `least_width_px`, `most_stars`.
    touched : ndarray of bool, optional
        Where the CR step flagged something: mostly cosmic rays, which would crowd out the stars, but possibly all the
        stars of a displaced exposure. `most_stars` are taken of what was not flagged, and half as many of what was.
    fixed : ndarray of bool, optional
        Where flagged pixels of the detector contributed: nothing there is a source.

    Notes
    -----
    A local maximum of -LoG counts if its brightest pixel holds less than `star_share` of the light in 3 x 3 pixels,
    which most cosmic rays exceed, and if its narrower axis has a width (`widths`) of at least `least_width_px`: the
    light of a single pixel of the detector lies in 2 x 2 drizzled ones, 0.5 px wide at most, and two neighbours are
    wide along one axis only. Centroids are means under a Gaussian window that follows the star (the XWIN parameters of
    SExtractor).
    """
    options = settings["registration"]
    response = source_response(image, float(settings["log_sigma_px"]))
    threshold = float(options["detect_nsigma"]) * noise(response, covered)
    x, y = _peaks(response, threshold, covered if fixed is None else covered & ~fixed, covered)
    flagged = touched[y, x] if touched is not None else np.zeros(len(x), bool)
    light = sum((image[y + dy, x + dx].astype(float) for dy, dx in _CORE), start=np.zeros(len(x)))
    light -= 9 * _sky(image, x, y)
    broad = (light > 0) & (_peak(image, x, y) < float(options["star_share"]) * light)
    most, positions, places = int(options["most_stars"]), [], []
    narrow = [np.flatnonzero(~flagged & ~broad & (light > 0))]
    for which, number in ((broad & ~flagged, most), (broad & flagged, most // 2)):
        chosen = np.flatnonzero(which)[: 2 * number]
        stamps = cut(image, x[chosen], y[chosen])
        offset, good = centroids(stamps)
        star = good & (_widths(stamps, offset)[0] >= float(options["least_width_px"]))
        places.append(np.column_stack([x, y])[chosen[star]][:number])
        positions.append(places[-1] + offset[star][:number])
        narrow.append(chosen[~star & ~flagged[chosen]])
    few = np.sort(np.concatenate(narrow))[: _MOST_NARROW * most]
    return Found(np.concatenate(positions), np.concatenate(places), _middles(image, x[few], y[few]))


def _peaks(response: Image, threshold: float, valid: Mask, covered: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return x and y of local maxima above a threshold, highest first, whose stamps lie within `covered`."""
    if threshold <= 0:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    y, x = np.nonzero((response > threshold) & eroded(covered, _HALF + 2) & valid)
    # Only at the candidates: a maximum filter of the whole image takes as long as the rest together.
    around = np.full(len(x), -np.inf, np.float32)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            np.maximum(around, response[y + dy, x + dx], out=around)
    top = response[y, x] >= around
    y, x = y[top], x[top]
    order = np.lexsort((x, y, -response[y, x]))
    return x[order], y[order]


def _middles(image: Image, x: NDArray[np.intp], y: NDArray[np.intp]) -> Array:
    """Centroids (n, 2) of the light in 3 x 3 pixels, above the lowest of them."""
    core = np.array([image[y + dy, x + dx] for dy, dx in _CORE], dtype=float).reshape(9, len(x))
    core -= core.min(axis=0)
    total = np.maximum(core.sum(axis=0), 1e-30)
    steps = np.array(_CORE, dtype=float)
    return np.column_stack([x + steps[:, 1] @ core / total, y + steps[:, 0] @ core / total])


_MOST_NARROW = 20  # times `most_stars`: narrow sources are counted, and may be many
_CORE = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def _sky(image: Image, x: NDArray[np.intp], y: NDArray[np.intp]) -> Array:
    """Median of eight pixels on the rim of each stamp."""
    rim = [(dy, dx) for dy in (-_HALF, 0, _HALF) for dx in (-_HALF, 0, _HALF) if (dy, dx) != (0, 0)]
    return np.asarray(np.median([image[y + dy, x + dx] for dy, dx in rim], axis=0), dtype=float)


def _peak(image: Image, x: NDArray[np.intp], y: NDArray[np.intp]) -> Array:
    """Highest of the 3 x 3 pixels, less the sky."""
    return np.asarray(np.max([image[y + dy, x + dx] for dy, dx in _CORE], axis=0) - _sky(image, x, y), dtype=float)


def of_single(single: SingleDrizzle, frames: Frames, settings: Mapping[str, Any]) -> FrameStars:
    """Return the sources of a single drizzle, positions in the frame."""
    found = find(single.image, single.covered, settings, single.touched, single.fixed if single.fixed.size else None)
    x, y = found.places.T
    chips = single.chips[y, x] if single.chips.size else np.zeros(len(x))
    to_frame = single.regions.to_frame
    return FrameStars(
        to_frame(found.positions), found.places, single.touched[y, x], chips.astype(np.intp), to_frame(found.narrow)
    )  # fmt: skip


def of_frames(frames: Frames, settings: Mapping[str, Any]) -> list[FrameStars]:
    """Return the sources of every single drizzle (`of_single`)."""
    return frames.each(lambda single: of_single(single, frames, settings), frames.singles)


def cut(image: Image, x: NDArray[np.intp], y: NDArray[np.intp]) -> Array:
    """Return stamps, shape (n, 11, 11), less their median; places nearer to an edge than 5 px are not allowed."""
    stamps = image[y[:, None, None] + _GRID[0], x[:, None, None] + _GRID[1]].astype(float)
    return stamps - np.median(stamps.reshape(len(x), _GRID[0].size), axis=1)[:, None, None]


def centroids(stamps: Array, steps: int = 8) -> tuple[Array, NDArray[np.bool_]]:
    """Windowed centroids of stamps, shape (n, 2) relative to their middle (x, y), and which converged."""
    centre = np.zeros((len(stamps), 2))
    good = np.ones(len(stamps), dtype=bool)
    for _ in range(steps):
        weight = stamps * _window(centre)
        total = weight.sum(axis=(1, 2))
        good &= total > 0
        total = np.where(total > 0, total, 1.0)
        dx, dy = (_GRID[axis][None] - centre[:, 1 - axis, None, None] for axis in (1, 0))
        # Twice the shift of the windowed mean: exact for a Gaussian star as wide as the window
        step = 2 * np.column_stack([(weight * dx).sum(axis=(1, 2)), (weight * dy).sum(axis=(1, 2))]) / total[:, None]
        centre += np.clip(step, -0.5, 0.5)
    good &= np.abs(centre).max(axis=1, initial=0) < 2.0
    return centre, good


def _window(centre: Array) -> Array:
    dx, dy = _GRID[1][None] - centre[:, 0, None, None], _GRID[0][None] - centre[:, 1, None, None]
    return np.asarray(np.exp(-(dx**2 + dy**2) / (2 * _WINDOW**2)))


def widths(stamps: Array) -> Array:
    """Gaussian sigmas (px) of stars within 2 px of the middle of sky-subtracted stamps (n, 11, 11).

    From second moments under a Gaussian window, which is taken out: 1/sigma^2 = 1/m^2 - 1/window^2, m^2 the windowed
    second moment per axis. NaN where the moments are not those of a star.
    """
    centre, good = centroids(stamps)
    mean = _widths(stamps, centre)[1]
    return np.where(good, mean, np.nan)


def _widths(stamps: Array, centre: Array) -> tuple[Array, Array]:
    """Sigmas (px) of the narrower axis and of the mean of both, for known centroids; the method is that of `widths`.

    The narrower axis is 0 wide where its moment is not positive; the mean is NaN where it is not that of a star.
    """
    weight = stamps * _window(centre)
    dx, dy = _GRID[1][None] - centre[:, 0, None, None], _GRID[0][None] - centre[:, 1, None, None]
    total = weight.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        xx, yy, xy = ((weight * product).sum(axis=(1, 2)) / total for product in (dx * dx, dy * dy, dx * dy))
        mean = (xx + yy) / 2
        narrow = mean - np.hypot((xx - yy) / 2, xy)
        inverse, inverse_narrow = 1.0 / mean - 1.0 / _WINDOW**2, 1.0 / narrow - 1.0 / _WINDOW**2
        return (
            # As wide as the window and wider is no pixel.
            np.where((total > 0) & (narrow > 0), 1.0 / np.sqrt(np.maximum(inverse_narrow, 0.01)), 0.0),
            np.where((total > 0) & (mean > 0) & (inverse > 0), 1.0 / np.sqrt(inverse), np.nan),
        )
