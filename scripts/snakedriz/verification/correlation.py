"""Shift between two images without stars to match: cross-correlation summed over patches, with an error.

Galaxies, nebulae and anything else that both images show. Patches lie on what stands out in one image. A patch alone
may say nothing; their sum does, and how it changes when one is left out gives the error. Whether there is anything to
measure is told by correlating each patch with other places: unrelated pieces of the same two images, with the same
noise, structure and brightness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from snakedriz.verification.frames import Image, Mask, noise, source_response

Array = NDArray[np.float64]
Place = tuple[int, int]
#: Side of a patch (px), how many are used, and how near their middles may be: few share what they show.
SIDE, MOST, APART = 48, 64, 32


@dataclass(frozen=True)
class Shift:
    """A shift along x and y (px) with its standard error per axis and the degrees of freedom of that.

    `contrast` is the height of the summed correlation over the highest of unrelated places.
    """

    shift: Array
    error: Array
    freedom: float
    patches: int
    contrast: float


def _filtered(image: Image, mask: Mask, sigma: float) -> Image:
    """The 5 x 5 median takes out cosmic rays, the wide LoG the sky; bright galaxies must not be all that counts."""
    out = source_response(ndimage.median_filter(np.where(mask, image, np.float32(0)), size=5), sigma)
    scatter = noise(out, mask)
    return np.asarray(np.arcsinh(out / (5.0 * scatter)) if scatter > 0 else np.zeros_like(out), np.float32)


def _places(response: Image, both: Mask) -> list[Place]:
    """Return the first pixels (y, x) of patches around the highest peaks of a filtered image, best first."""
    half = SIDE // 2
    ny, nx = response.shape
    if min(ny, nx) < SIDE:
        return []
    # Share of covered pixels of the patch around every pixel: seams and edges must not be in it.
    whole = ndimage.uniform_filter(both.astype(np.float32), SIDE, mode="constant") > 0.985
    peaks = whole & (response == ndimage.maximum_filter(response, size=9)) & (response > 0)
    peaks[:half], peaks[ny - half :], peaks[:, :half], peaks[:, nx - half :] = False, False, False, False
    y, x = np.nonzero(peaks)
    chosen: list[Place] = []
    for i in np.lexsort((x, y, -response[y, x])):
        if all(abs(y[i] - v) >= APART or abs(x[i] - u) >= APART for v, u in chosen):
            chosen.append((int(y[i]), int(x[i])))
            if len(chosen) == MOST:
                break
    return [(v - half, u - half) for v, u in chosen]


def _elsewhere(places: list[Place], both: Mask, step: int) -> list[Place]:
    """Return for each patch another place in the image, 2 to 3 patches away and covered, or that of another one."""
    ny, nx = both.shape
    directions = [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)]
    out = []
    for index, (y, x) in enumerate(places):
        distance = 2 * SIDE + 7 * step
        turned = directions[(index + 3 * step) % 8 :] + directions[: (index + 3 * step) % 8]
        found = places[(index + step) % len(places)]
        for dy, dx in turned:
            v, u = y + dy * distance, x + dx * distance
            if 0 <= v <= ny - SIDE and 0 <= u <= nx - SIDE and both[v : v + SIDE, u : u + SIDE].mean() > 0.9:
                found = (v, u)
                break
        out.append(found)
    return out


def _transforms(
    image: Image, places: list[Place], shape: tuple[int, int], fraction: Array | None = None
) -> list[NDArray[Any]]:
    """Transform patches, tapered and less their mean; with `fraction` (y, x) read that part of a pixel further on."""
    taper = _taper()
    cuts = [image[y : y + SIDE, x : x + SIDE] for y, x in places]
    if fraction is not None:  # the filtered image is smooth, splines reproduce it
        wide = [np.pad(image[max(0, y - 4) : y + SIDE + 4, max(0, x - 4) : x + SIDE + 4],
                       ((max(0, 4 - y), 0), (max(0, 4 - x), 0))) for y, x in places]  # fmt: skip
        cuts = [ndimage.shift(one, -fraction, order=3, mode="nearest")[4 : SIDE + 4, 4 : SIDE + 4] for one in wide]
    return [fft.rfft2((cut - cut.mean()) * taper, shape) for cut in cuts]


def _taper() -> Array:
    """Window of a patch: what a shift carries over an edge must not decide."""
    ramp = np.minimum(1.0, np.arange(0.5, SIDE) / 8.0)
    ramp = np.minimum(ramp, ramp[::-1])
    return np.outer(ramp, ramp)


def _surface(a: NDArray[Any], b: NDArray[Any], shape: tuple[int, ...], reach: int) -> Array:
    """Correlation for shifts of b against a up to `reach` px along each axis, from transforms padded by `reach`."""
    full = fft.irfft2(b * np.conj(a), shape)
    rows = np.r_[-reach : reach + 1]
    return np.asarray(full[np.ix_(rows, rows)], dtype=float)


def _sum(a: list[NDArray[Any]], b: list[NDArray[Any]], shape: tuple[int, int], reach: int) -> Array:
    """Correlation of all pairs of transforms, summed."""
    spectrum = sum((q * np.conj(p) for p, q in zip(a, b, strict=True)), start=np.zeros_like(a[0]))
    return _surface(np.ones_like(a[0]), spectrum, shape, reach)


_NEAR = np.array([(y, x) for y in range(-2, 3) for x in range(-2, 3)], dtype=float)
_QUADRATIC = np.linalg.pinv(
    np.column_stack([np.ones(25), _NEAR[:, 0], _NEAR[:, 1], _NEAR[:, 0] ** 2, _NEAR[:, 1] ** 2, _NEAR.prod(axis=1)])
)


def _summits(surfaces: Array, peak: Place) -> Array:
    """Return the maxima (n, 2), y and x, of surfaces (n, m, m) near a pixel, NaN where there is none within 1.5 px.

    That of the quadratic through 5 x 5 pixels: the peaks are as broad as the filter, 4 px, and sampled well.
    """
    y, x = peak
    n, size = surfaces.shape[:2]
    if not (2 <= y < size - 2 and 2 <= x < size - 2):
        return np.full((n, 2), np.nan)
    c = surfaces[:, y - 2 : y + 3, x - 2 : x + 3].reshape(n, 25) @ _QUADRATIC.T
    determinant = 4 * c[:, 3] * c[:, 4] - c[:, 5] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.column_stack([
            c[:, 5] * c[:, 2] - 2 * c[:, 4] * c[:, 1], c[:, 5] * c[:, 1] - 2 * c[:, 3] * c[:, 2],
        ]) / determinant[:, None]  # fmt: skip
    good = (determinant > 0) & (c[:, 3] < 0) & (np.abs(top).max(axis=1) < 1.5)
    return np.asarray(np.where(good[:, None], top, np.nan) + np.array([y, x]))


def measure(single: Image, others: Image, both: Mask, settings: Mapping[str, Any]) -> Shift | None:
    """Measure the shift of an image against another, which are sky-subtracted and on one grid, where both have data.

    `settings` has `search_px`, `least_patches`, `least_contrast` and `correlation_sigma_px`. None if there are fewer
    than `least_patches`, or their correlation does not exceed that of unrelated places by `least_contrast`.

    Errors are the jackknife's over patches, with as many degrees of freedom as patches that carry the peak: (sum of
    their parts)^2 / sum of squares.
    """
    reach = int(settings["search_px"]) + 3
    sigma = float(settings["correlation_sigma_px"])
    theirs, mine = (_filtered(image, both, sigma) for image in (others, single))
    places = _places(theirs, both)
    if len(places) < int(settings["least_patches"]) or not mine.any():
        return None
    shape = (SIDE + reach, SIDE + reach)
    a = _transforms(theirs, places, shape)
    coarse = _whole_pixels(a, mine, places, both, reach, float(settings["least_contrast"]))
    if coarse is None:
        return None
    peak, contrast = coarse
    # Patches read where that shift puts them, to a fraction of a pixel: what remains is not pulled by their edges.
    ny, nx = both.shape
    moved = [(y + int(peak[0]), x + int(peak[1])) for y, x in places]
    inside = [i for i, (y, x) in enumerate(moved) if 0 <= y <= ny - SIDE and 0 <= x <= nx - SIDE]
    if len(inside) < int(settings["least_patches"]):
        return None
    fraction = np.zeros(2)
    for _ in range(2):
        b = _transforms(mine, [moved[i] for i in inside], shape, fraction)
        surfaces = np.array([_surface(a[i], q, shape, 4) for i, q in zip(inside, b, strict=True)])
        total = surfaces.sum(axis=0)
        top = np.unravel_index(int(np.argmax(total)), total.shape)
        centre = (int(top[0]), int(top[1]))
        place, left_out = _summits(total[None], centre)[0], _summits(total - surfaces, centre)
        if not (np.isfinite(place).all() and np.isfinite(left_out).all()):
            return None
        fraction = fraction + place - 4
    n = len(surfaces)
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    part = np.clip(surfaces[:, centre[0], centre[1]], 0, None)
    carrying = float(part.sum() ** 2 / (part**2).sum())
    if carrying < 2.0:
        return None  # one patch holds everything: how far to trust it cannot be told
    # The jackknife takes all patches for equal; of few that count the mean itself follows their scatter.
    error *= np.sqrt(carrying / (carrying - 1.0))
    return Shift((peak + fraction)[::-1], error[::-1], carrying - 1.0, n, contrast)


def _whole_pixels(
    a: list[NDArray[Any]], mine: Image, places: list[Place], both: Mask, reach: int, least: float
) -> tuple[Array, float] | None:
    """Return the shift (y, x) in whole px and its contrast, None where that is less than `least`."""
    shape = (SIDE + reach, SIDE + reach)
    window = fft.rfft2(_taper(), shape)
    # Shifted patches overlap less, which would hide a large shift.
    overlap = np.maximum(_surface(window, window, shape, reach), 1e-9)
    overlap = np.maximum(overlap / overlap.max(), 0.25)
    total = _sum(a, _transforms(mine, places, shape), shape, reach) / overlap
    height, unrelated = float(total.max()), 0.0
    for step in (1, 2, 3):
        wrong = _transforms(mine, _elsewhere(places, both, step), shape)
        unrelated = max(unrelated, float(np.abs(_sum(a, wrong, shape, reach) / overlap).max()))
    if height <= 0 or unrelated <= 0 or height < least * unrelated:
        return None
    peak = np.array(np.unravel_index(int(np.argmax(total)), total.shape), dtype=float) - reach
    return peak, height / unrelated
