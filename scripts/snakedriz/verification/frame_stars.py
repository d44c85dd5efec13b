"""Star-like sources on drizzled frames: where they are, how wide, and what the CR step did to them.

Galaxies with a compact core count as well: what matters is that the same thing is found in every exposure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

    def __len__(self) -> int:
        return len(self.positions)

    def of_chip(self, chip: int) -> FrameStars:
        """Return the sources of one chip."""
        here = self.chips == chip
        return FrameStars(self.positions[here], self.places[here], self.touched[here], self.chips[here])


def find(
    image: Image, covered: Mask, settings: Mapping[str, Any], touched: Mask | None = None
) -> tuple[Array, NDArray[np.intp]]:
    """Find star-like sources in a sky-subtracted image, which may have cosmic rays in it.

    Parameters
    ----------
    image, covered : ndarrays of float32 and bool, shape (ny, nx)
    settings : mapping
        `log_sigma_px`, and of `registration`: `detect_nsigma`, `star_share`, `most_stars`.
    touched : ndarray of bool, optional
        Where the CR step flagged something: mostly cosmic rays, which would crowd out the stars, but possibly all the
        stars of a displaced exposure. `most_stars` are taken of what was not flagged, and half as many of what was.

    Returns
    -------
    positions, places : arrays of float and integers, shape (n, 2)
        Centroids x, y (px, from 0) and the pixels they were found at, brightest first; those that were flagged last.

    Notes
    -----
    A local maximum of -LoG counts if its brightest pixel holds less than `star_share` of the light in 3 x 3 pixels,
    which most cosmic rays exceed. Centroids are means under a Gaussian window that follows the star (the XWIN
    parameters of SExtractor).
    """
    options = settings["registration"]
    response = source_response(image, float(settings["log_sigma_px"]))
    threshold = float(options["detect_nsigma"]) * noise(response, covered)
    if threshold <= 0:
        return np.empty((0, 2)), np.empty((0, 2), dtype=np.intp)
    peaks = (response > threshold) & eroded(covered, _HALF + 2)
    y, x = np.nonzero(peaks)
    # Only at the candidates: a maximum filter of the whole image takes as long as the rest together.
    around = np.full(len(x), -np.inf, np.float32)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            np.maximum(around, response[y + dy, x + dx], out=around)
    top = response[y, x] >= around
    y, x = y[top], x[top]
    order = np.lexsort((x, y, -response[y, x]))
    y, x = y[order], x[order]
    flagged = touched[y, x] if touched is not None else np.zeros(len(x), bool)
    most, positions, places = int(options["most_stars"]), [], []
    for chosen, number in ((~flagged, most), (flagged, most // 2)):
        px, py = x[chosen], y[chosen]
        light = sum(image[py + dy, px + dx].astype(float) for dy, dx in _CORE)
        light -= 9 * _sky(image, px, py)
        star = np.flatnonzero((light > 0) & (_peak(image, px, py) < float(options["star_share"]) * light))[:number]
        px, py = px[star], py[star]
        offset, good = centroids(cut(image, px, py))
        places.append(np.column_stack([px, py])[good])
        positions.append(places[-1] + offset[good])
    return np.concatenate(positions), np.concatenate(places)


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
    positions, places = find(single.image, single.covered, settings, single.touched)
    x, y = places.T
    chips = single.chips[y, x] if single.chips.size else np.zeros(len(x))
    return FrameStars(frames.regions.to_frame(positions), places, single.touched[y, x], chips.astype(np.intp))


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
    weight = stamps * _window(centre)
    dx, dy = _GRID[1][None] - centre[:, 0, None, None], _GRID[0][None] - centre[:, 1, None, None]
    total = weight.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        moment = (weight * (dx**2 + dy**2)).sum(axis=(1, 2)) / (2 * total)
        inverse = 1.0 / moment - 1.0 / _WINDOW**2
        return np.where(good & (total > 0) & (moment > 0) & (inverse > 0), 1.0 / np.sqrt(inverse), np.nan)
