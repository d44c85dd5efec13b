"""What is in the sky of the power study: stars, discs of galaxies, a nebula, on the pixels of the drizzled frame."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Array = NDArray[np.float64]
_TILE = 1024  # px: side of the nebula, which repeats


@dataclass(frozen=True)
class Field:
    """What to draw for each pointing. Fluxes are electrons in 500 s.

    stars           range of the number of stars between `fluxes`
    fluxes          of them, N(>F) ~ F^-0.5
    faint           fainter ones per star, down to a fifteenth of the faintest; and a fortieth of brighter ones
    galaxies        exponential discs, 3e3 to 2e5 electrons, half-light radius 0.35 arcsec (0.1 to 1.5)
    nebula          electrons/s per square of 0.05 arcsec in the mean; lognormal, 0.5 wide, power spectrum k^-3
    sky             factor on the detector's sky
    """

    stars: tuple[int, int]
    fluxes: tuple[float, float] = (1.5e3, 2e5)
    faint: float = 2.0
    galaxies: int = 0
    nebula: float = 0.0
    sky: float = 1.0


FIELDS = {
    "sparse": Field((5, 20)),
    "medium": Field((80, 80)),
    "rich": Field((1000, 1500)),
    "galaxies": Field((0, 3), galaxies=60),
    "nebula": Field((0, 5), nebula=0.6, faint=0.0),
    "uv": Field((5, 20), fluxes=(8e2, 3e4), faint=1.0, sky=0.05),
}


@dataclass(frozen=True)
class Sources:
    """Positions (x, y of the frame, px from 0), rates (e-/s); discs also with half-light radius (arcsec), axis ratio
    and position angle (deg)."""

    stars: Array  # shape (n, 3)
    discs: Array  # shape (m, 6)


def _fluxes(rng: np.random.Generator, number: int, low: float, high: float) -> Array:
    """Electrons/s with N(>F) ~ F^-0.5 between limits in electrons in 500 s."""
    ratio = (low / high) ** 0.5
    return np.asarray(low * (1 - rng.uniform(size=number) * (1 - ratio)) ** -2.0 / 500.0)


def draw(field: Field, boxes: list[tuple[float, float, float, float]], rng: np.random.Generator) -> Sources:
    """Draw the sources of a field in boxes (x0, y0, x1, y1 of the frame), one for each pointing."""
    stars, discs = [np.empty((0, 3))], [np.empty((0, 6))]
    low, high = field.fluxes
    for x0, y0, x1, y1 in boxes:
        number = int(rng.integers(field.stars[0], field.stars[1] + 1))
        some, few = round(number * field.faint), number // 40
        flux = np.concatenate([
            _fluxes(rng, number, low, high), _fluxes(rng, some, low / 15, low), _fluxes(rng, few, 2 * high, 20 * high)
        ])  # fmt: skip
        place = rng.uniform((x0, y0), (x1, y1), (len(flux), 2))
        stars.append(np.column_stack([place, flux]))
        n = field.galaxies
        place = rng.uniform((x0, y0), (x1, y1), (n, 2))
        size = np.clip(0.35 * np.exp(0.4 * rng.standard_normal(n)), 0.1, 1.5)
        light = 2e5 * 10 ** (-1.8 * rng.uniform(size=n)) / 500.0
        discs.append(np.column_stack([place, light, size, rng.uniform(0.3, 1.0, n), rng.uniform(0, 180, n)]))
    return Sources(np.vstack(stars), np.vstack(discs))


@functools.cache
def _cloud() -> NDArray[np.float32]:
    """A periodic lognormal field of mean 1, power spectrum ~ k^-3 (interstellar clouds have 2.7 to 3.5)."""
    rng = np.random.default_rng(8)
    k = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None])
    k[0, 0] = 1.0
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(_TILE, _TILE))) * k**-1.5, s=(_TILE, _TILE))
    cloud = np.exp(0.5 * noise / noise.std())
    # As the PSF's core and the pixel blur it; what the pixel does more on other detectors is little.
    return np.asarray(ndimage.gaussian_filter(cloud / cloud.mean(), 0.85, mode="wrap"), dtype=np.float32)


def _taps(at: Array) -> sparse.csr_array:
    """Cubic convolution (Keys 1981) of the periodic field at positions: rows of four weights."""
    base = np.floor(at)
    t = at - base
    weights = np.column_stack([
        ((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1, ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ])  # fmt: skip
    columns = (base[:, None].astype(int) + np.arange(-1, 3)) % _TILE
    rows = np.repeat(np.arange(len(at)), 4)
    return sparse.csr_array((weights.ravel().astype(np.float32), (rows, columns.ravel())), shape=(len(at), _TILE))


def nebula(x: Array, y: Array, turn: float, corner: tuple[int, int]) -> NDArray[np.float32]:
    """The cloud at columns `x` and rows `y` of the frame as an exposure turned by a small angle (rad) sees it.

    `corner`: which part of the periodic field lies at the frame's origin. The middle of the turn is that of x and y.
    """
    if not turn:
        return np.asarray(_taps(y + corner[1]) @ (_taps(x + corner[0]) @ _cloud().T).T, dtype=np.float32)
    out = np.empty((len(y), len(x)), np.float32)
    u = x - x.mean()
    for start in range(0, len(y), 512):
        v = (y[start : start + 512] - y.mean())[:, None]
        at = np.broadcast_to(y[start : start + 512][:, None] - turn * u, (len(v), len(x))) + corner[1]
        across = x + turn * v + corner[0]
        out[start : start + 512] = ndimage.map_coordinates(_cloud(), np.array([at, across]), order=3, mode="grid-wrap")
    return out
