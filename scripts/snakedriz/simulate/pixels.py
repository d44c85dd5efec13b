"""Renders sources on a chip: the point-spread function, stars, galaxies, pixel area and charge-transfer trails.

Everything here is free of noise; ``detector`` adds noise, cosmic rays and defects. Coordinates are FITS pixels (the
centre of the first pixel is 1, 1); arrays are indexed [y, x].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

Array = NDArray[np.float64]

PSF_WEIGHTS = (0.85, 0.15)
PSF_SIGMAS = (0.80, 2.20)
"""A core and a wing (sigma in pixels): FWHM about 2 pixels (0.1 arcsec) after integration over the pixel."""

STAMP_HALF = 14
"""Half size of a star's stamp: 6.4 sigma of the wing, so that less than 1e-9 of the flux is left out."""


@dataclass(frozen=True)
class Psf:
    """A sum of round Gaussians before integration over the pixel: shares of the light, and sigmas in pixels."""

    weights: tuple[float, ...] = PSF_WEIGHTS
    sigmas: tuple[float, ...] = PSF_SIGMAS


ACS_WFC = Psf()

SPIKE_SHARE = 0.02
"""Share of a star's light in its four diffraction spikes. By Babinet's principle what the four vanes of the secondary's
support hide of the pupil: each 0.022 of its radius wide and 0.67 long (Tiny Tim, Krist, Hook and Stoehr 2011)."""
SPIKE_ZERO = 6.2
"""First zero of a spike, arcsec from the star: wavelength over the width of a vane, 0.8 micron over 26 mm."""

# An exponential disc of unit half-light radius as a mixture of Gaussians (Hogg and Lang 2013): amplitudes, variances.
DISC_WEIGHTS = np.array([2.34853813e-03, 3.07995260e-02, 2.23364214e-01, 1.17949102, 4.33873750, 5.99820770])
DISC_VARIANCES = np.array([1.20078965e-03, 8.84526493e-03, 3.91463084e-02, 1.39976817e-01, 4.60962500e-01, 1.50159566])

REFERENCE_AREA = 0.05**2  # arcsec2: a star on a pixel of this area has its nominal count


def psf_peak(psf: Psf = ACS_WFC) -> float:
    """Fraction of a star's light in its brightest pixel when it is centred there."""
    return sum(w * float(erf(0.5 / s / np.sqrt(2.0))) ** 2 for w, s in zip(psf.weights, psf.sigmas, strict=True))


def jacobians(wcs: WCS, x: Array, y: Array) -> Array:
    """Local derivative of the sky (east, north, arcsec) by the pixel coordinates, shape (n, 2, 2)."""
    step = 0.5
    result = np.empty((len(x), 2, 2))
    for k, (dx, dy) in enumerate(((step, 0.0), (0.0, step))):
        ra1, dec1 = wcs.all_pix2world(x - dx, y - dy, 1)
        ra2, dec2 = wcs.all_pix2world(x + dx, y + dy, 1)
        dra = (ra2 - ra1 + 180.0) % 360.0 - 180.0
        result[:, 0, k] = dra * np.cos(np.deg2rad((dec1 + dec2) / 2)) * 3600 / (2 * step)
        result[:, 1, k] = (dec2 - dec1) * 3600 / (2 * step)
    return result


def pixel_area(matrices: Array) -> Array:
    """Area of pixels relative to the nominal 0.05 arcsec square, from their ``jacobians``."""
    return np.abs(np.linalg.det(matrices)) / REFERENCE_AREA


def _cumulative(edges: Array, sigma: Array) -> Array:
    return np.asarray(0.5 * erf(edges / (sigma * np.sqrt(2.0))))


def add_stars(
    image: NDArray[np.floating],
    x: ArrayLike,
    y: ArrayLike,
    counts: ArrayLike,
    psf: Psf = ACS_WFC,
    width: ArrayLike = 1.0,
    lean: ArrayLike = (0.0, 0.0),
) -> None:
    """Add point sources to ``image`` in place: each pixel gets the exact integral of the PSF over its area.

    ``x``, ``y``: FITS pixel coordinates; ``counts``: total electrons of each. ``width``: factor on all sigmas, of each
    star or all; ``lean``: by how much (x, y; pixels) the second Gaussian, the wing, lies off the first, as coma makes
    it. Parts beyond the chip are lost.
    """
    x, y, counts = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, y, counts))
    if not len(x):
        return
    widths = np.broadcast_to(np.asarray(width, dtype=float), x.shape)
    leans = np.broadcast_to(np.asarray(lean, dtype=float), (len(x), 2))
    half = STAMP_HALF
    xi, yi = np.rint(x).astype(int), np.rint(y).astype(int)
    edges = np.arange(-half, half + 2) - 0.5
    fx, fy = edges - (x - xi)[:, None], edges - (y - yi)[:, None]
    stamps = np.zeros((len(x), 2 * half + 1, 2 * half + 1))
    for number, (weight, sigma) in enumerate(zip(psf.weights, psf.sigmas, strict=True)):
        own = (sigma * widths)[:, None]
        off = leans if number == 1 else np.zeros_like(leans)
        px = np.diff(_cumulative(fx - off[:, :1], own), axis=1)
        py = np.diff(_cumulative(fy - off[:, 1:], own), axis=1)
        stamps += (weight * counts)[:, None, None] * py[:, :, None] * px[:, None, :]
    for stamp, column, row in zip(stamps, xi, yi, strict=True):
        _add_stamp(image, stamp, column - 1 - half, row - 1 - half)


def add_spikes(
    image: NDArray[np.floating],
    x: ArrayLike,
    y: ArrayLike,
    counts: ArrayLike,
    scale: float,
    faintest: float = 0.5,
    share: float = SPIKE_SHARE,
) -> None:
    """Add the diffraction spikes of stars to ``image`` in place: four, along the diagonals of the pixels.

    ``x``, ``y``: FITS pixel coordinates; ``counts``: electrons of each star, of which ``share`` is added, a quarter to
    each spike; ``scale``: arcsec per pixel. Along a spike the light falls as sinc squared (`SPIKE_ZERO`), across it is
    a Gaussian of 0.8 pixels. Spikes are drawn as far as they exceed ``faintest`` electrons per pixel, four pixels from
    the star on.
    """
    zero = SPIKE_ZERO / scale
    along = np.arange(4.0, zero, 0.5)
    profile = np.sinc(along / zero) ** 2
    profile /= np.sum(np.sinc(np.arange(0.25, zero, 0.5) / zero) ** 2)
    across = np.arange(-2.0, 2.01, 0.5)
    weight = np.exp(-(across**2) / (2 * 0.8**2))
    weight /= weight.sum()
    ny, nx = image.shape
    for sx, sy, light in zip(*(np.atleast_1d(np.asarray(v, float)) for v in (x, y, counts)), strict=True):
        reach = int(np.count_nonzero(light * share / 4 * profile > faintest))
        for ux, uy in ((0.5**0.5, 0.5**0.5), (0.5**0.5, -(0.5**0.5))) if reach else ():
            for sign in (1.0, -1.0):
                t, c = sign * along[:reach, None], across[None]
                column = np.rint(sx - 1 + t * ux - c * uy).astype(int)
                row = np.rint(sy - 1 + t * uy + c * ux).astype(int)
                inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
                deposit = light * share / 4 * profile[:reach, None] * weight[None]
                np.add.at(image, (row[inside], column[inside]), deposit[inside])


def add_galaxy(
    image: NDArray[np.floating],
    x: float,
    y: float,
    counts: float,
    half_light: float,
    ratio: float,
    angle: float,
    matrix: Array,
    psf: Psf = ACS_WFC,
) -> None:
    """Add an exponential disc, convolved with the PSF, to ``image`` in place.

    The disc is a mixture of Gaussians, so that the convolution with the PSF (also Gaussians) is the sum of covariances;
    integration over the pixel is by 3 by 3 samples. ``half_light`` in arcsec along the major axis, ``angle`` its
    position angle in deg, ``matrix`` the jacobian (2, 2) at the place; ``counts`` in electrons.
    """
    along = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
    across = np.array([along[1], -along[0]])
    sky = half_light**2 * (np.outer(along, along) + ratio**2 * np.outer(across, across))
    inverse = np.linalg.inv(matrix)
    shape = inverse @ sky @ inverse.T
    half = int(np.ceil(4.5 * np.sqrt(DISC_VARIANCES[-1] * np.linalg.eigvalsh(shape)[-1] + psf.sigmas[0] ** 2))) + 2
    half = max(half, STAMP_HALF)
    column, row = round(x), round(y)
    n = 3
    samples = (np.arange((2 * half + 1) * n) + 0.5) / n - 0.5 - half
    dx, dy = np.meshgrid(samples - (x - column), samples - (y - row))
    fine = np.zeros_like(dx)
    for disc_weight, variance in zip(DISC_WEIGHTS / DISC_WEIGHTS.sum(), DISC_VARIANCES, strict=True):
        for psf_weight, sigma in zip(psf.weights, psf.sigmas, strict=True):
            covariance = variance * shape + sigma**2 * np.eye(2)
            a, b, c = (lambda m: (m[0, 0], m[0, 1], m[1, 1]))(np.linalg.inv(covariance))
            norm = disc_weight * psf_weight / (2 * np.pi * np.sqrt(np.linalg.det(covariance)))
            fine += norm * np.exp(-0.5 * (a * dx**2 + 2 * b * dx * dy + c * dy**2))
    size = 2 * half + 1
    stamp = counts * fine.reshape(size, n, size, n).mean(axis=(1, 3))
    _add_stamp(image, stamp, column - 1 - half, row - 1 - half)


def _add_stamp(image: NDArray[np.floating], stamp: Array, column: int, row: int) -> None:
    """Add a stamp whose first pixel is at (row, column), from 0; whatever lies outside the image is dropped."""
    ny, nx = image.shape
    y0, y1 = max(row, 0), min(row + stamp.shape[0], ny)
    x0, x1 = max(column, 0), min(column + stamp.shape[1], nx)
    if y0 < y1 and x0 < x1:
        image[y0:y1, x0:x1] += stamp[y0 - row : y1 - row, x0 - column : x1 - column]


def charge_trails(
    image: NDArray[np.floating], amplitude: float, readout_at_top: bool, length: float = 2.0
) -> NDArray[np.floating]:
    """What imperfect charge transfer changes in an image (electrons, same shape), to be added to it.

    Each pixel loses the fraction ``amplitude`` times its distance from the readout over 2048 rows (times 1 at the far
    edge of a real chip) to an exponential trail of scale ``length`` pixels on the side away from the readout. A star is
    displaced by that fraction times the mean trail (1.6 pixels for the default length): below 0.01 pixel for an
    amplitude of 0.003. Charge trailed beyond the far edge is lost.
    """
    ordered = image[::-1] if readout_at_top else image
    rows = len(ordered)
    fraction = (amplitude * np.arange(1, rows + 1) / 2048.0).astype(image.dtype)
    moved = ordered * fraction[:, None]
    weights = np.exp(-np.arange(1, 6) / length)
    weights /= weights.sum()
    change = -moved
    for step, weight in enumerate(weights.tolist(), start=1):
        change[step:] += weight * moved[:-step]
    return change[::-1] if readout_at_top else change
