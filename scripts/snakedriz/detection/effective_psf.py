"""The effective PSF of a chip, made from its own stars, and positions of stars by fitting it.

The effective PSF is the PSF as the pixels see it, sampled finer than the pixels by the stars' different positions
(Anderson & King 2000, PASP 112, 1360). Fitting it gives positions without the pull towards pixel centres that marginal
fits of an undersampled PSF have. All stars of a chip are fitted at once, as arrays: photutils fits one star at a time,
some ms each, and a chip has thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FWHM = 2.3548200450309493  # FWHM of a Gaussian in units of its sigma
_GRID = 4  # samples of the effective PSF per pixel
_SMOOTH = 1.2  # width of the kernel that smooths the correction, in samples (0.3 px)
_LEAST_STARS = 15  # fewer stars give a Gaussian of their width, without a correction


class EffectivePSF:
    """The PSF as pixels sample it: a Gaussian plus a correction sampled four times per pixel.

    Parameters
    ----------
    sigma : float
        Width of the Gaussian (px), including the pixel's own.
    half : int
        Half size of the stamps (px).
    """

    def __init__(self, sigma: float, half: int) -> None:
        self.sigma = sigma
        self.half = half
        self.pad = half + 1
        n = 2 * self.pad * _GRID + 1
        self.table: Array = np.zeros((n, n))
        self._coefficients: Array | None = None
        self.origin = "gaussian"
        self.stars = 0

    def set_table(self, table: Array) -> None:
        """Set the correction: array of values at offsets -pad..pad px in steps of 1/4 px, axes (y, x)."""
        from scipy.ndimage import spline_filter

        self.table = table
        self._coefficients = spline_filter(table, order=3) if np.any(table) else None

    def __call__(self, dx: Array, dy: Array) -> Array:
        """Fraction of a star's flux in a pixel whose centre lies (dx, dy) px from the star."""
        from scipy.ndimage import map_coordinates

        value = np.exp(-(dx**2 + dy**2) / (2 * self.sigma**2)) / (2 * np.pi * self.sigma**2)
        if self._coefficients is not None:
            where = np.stack([(dy + self.pad) * _GRID, (dx + self.pad) * _GRID])
            value = value + map_coordinates(self._coefficients, where, order=3, prefilter=False, mode="constant")
        return np.asarray(value)


def cut_stamps(data: NDArray[Any], x: NDArray[np.intp], y: NDArray[np.intp], half: int) -> NDArray[Any]:
    """Cut (n, 2 half + 1, 2 half + 1) stamps about integer pixels that lie at least `half` from the edges."""
    step = np.arange(-half, half + 1)
    return data[y[:, None, None] + step[None, :, None], x[:, None, None] + step[None, None, :]]


def _solve(jacobian: Array, weight: Array, residual: Array, damping: float) -> tuple[Array, Array]:
    """One damped Gauss-Newton step for many stars: steps (n, p) and covariances (n, p, p)."""
    jw = jacobian * weight[:, :, None]
    normal = np.einsum("nip,niq->npq", jw, jacobian)
    rhs = np.einsum("nip,ni->np", jw, residual)
    diagonal = np.einsum("npp->np", normal)
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-30))
    normed = normal * scale[:, :, None] * scale[:, None, :]
    # A trace of damping always, so that a star without usable pixels has an inverse: huge, hence no weight.
    normed += np.eye(normal.shape[1]) * max(damping, 1e-9)
    inverse = np.linalg.inv(normed)
    step = np.einsum("npq,nq->np", inverse, rhs * scale) * scale
    return step, inverse * scale[:, :, None] * scale[:, None, :]


def fit_stamps(
    stamps: Array, variance: Array, good: Mask, start: Array, psf: EffectivePSF, radius: float, free_width: bool = False
) -> dict[str, Array]:
    """Fit flux, position and local background of many stars at once; with `free_width`, a Gaussian of free width.

    Parameters
    ----------
    stamps, variance : arrays, shape (n, k, k)
        Background-subtracted counts, and their variances.
    good : boolean array, shape (n, k, k)
        Pixels to use.
    start : array, shape (n, 2)
        First guess of (x, y) from the stamp's centre (px).
    psf : EffectivePSF
        Model; for `free_width` only its sigma is used, as a first guess.
    radius : float
        Pixels within this distance of the stamp's centre are used (px).
    free_width : bool
        Fit the width too.

    Returns
    -------
    dict of arrays, shape (n,)
        flux, x, y (px from the stamp's centre), sigma (px), x_err, y_err (px), flux_err, background, qfit (the sum of
        absolute residuals over the flux), noise (what the sum would be from the variances alone), square (the sum of
        squared residuals), expected (what that would be), light2 (the sum of the model's squares, to compare) and
        freedom (pixels used less parameters).
    """
    fit = _StampFit(stamps, variance, good, start, psf, radius, free_width)
    for loop in range(14):
        change = fit.improve(1e-3 if loop < 3 else 0.0)
        if np.all(np.abs(change[:, 1:3]) < 1e-4):
            break
    return fit.result()


def _pixel_offsets(half: int) -> tuple[Array, Array]:
    """Return x and y of the pixels of a stamp from its centre (px), flat."""
    gy, gx = (axis.ravel().astype(float) for axis in np.mgrid[-half : half + 1, -half : half + 1])
    return gx, gy


class _StampFit:
    """The state of `fit_stamps` between iterations."""

    def __init__(
        self, stamps: Array, variance: Array, good: Mask, start: Array, psf: EffectivePSF, radius: float, free: bool
    ) -> None:
        n, k, _ = stamps.shape
        gx, gy = _pixel_offsets(k // 2)
        near = np.hypot(gx, gy) <= radius
        self.gx, self.gy = gx[near], gy[near]
        self.psf, self.free_width = psf, free
        self.data = stamps.reshape(n, k * k)[:, near].astype(float)
        self.weight = np.where(good.reshape(n, k * k)[:, near], 1.0 / variance.reshape(n, k * k)[:, near], 0.0)
        self.x, self.y = start[:, 0].astype(float).copy(), start[:, 1].astype(float).copy()
        self.sigma = np.full(n, psf.sigma)
        self.flux, self.background = np.maximum(self.data.sum(axis=1), 1.0), np.zeros(n)
        self.covariance: Array = np.zeros((n, 4, 4))

    def _profile(self) -> tuple[Array, Array, Array]:
        """Return the share of the flux in each pixel, and the pixels' offsets from the star (px)."""
        dx, dy = self.gx - self.x[:, None], self.gy - self.y[:, None]
        if not self.free_width:
            return self.psf(dx, dy), dx, dy
        s2 = self.sigma[:, None] ** 2
        return np.exp(-(dx**2 + dy**2) / (2 * s2)) / (2 * np.pi * s2), dx, dy

    def _derivatives(self, shape: Array, dx: Array, dy: Array) -> list[Array]:
        """Return the derivatives of the model by flux, x, y, background and, if it is free, width."""
        flux = self.flux[:, None]
        if self.free_width:
            s2 = self.sigma[:, None] ** 2
            width = shape * ((dx**2 + dy**2) / s2 - 2) / self.sigma[:, None]
            return [shape, flux * (shape * dx / s2), flux * (shape * dy / s2), np.ones_like(shape), flux * width]
        step = 0.02
        shape_x = (self.psf(dx - step, dy) - self.psf(dx + step, dy)) / (2 * step)
        shape_y = (self.psf(dx, dy - step) - self.psf(dx, dy + step)) / (2 * step)
        return [shape, flux * shape_x, flux * shape_y, np.ones_like(shape)]

    def improve(self, damping: float) -> Array:
        """Make one step, and return the changes of the parameters before limits, shape (n, parameters)."""
        shape, dx, dy = self._profile()
        residual = self.data - self.flux[:, None] * shape - self.background[:, None]
        parts = np.stack(self._derivatives(shape, dx, dy), axis=2)
        change, self.covariance = _solve(parts, self.weight, residual, damping)
        self.flux = self.flux + change[:, 0]
        self.x = np.clip(self.x + np.clip(change[:, 1], -0.4, 0.4), -1.5, 1.5)
        self.y = np.clip(self.y + np.clip(change[:, 2], -0.4, 0.4), -1.5, 1.5)
        self.background = self.background + change[:, 3]
        if self.free_width:
            self.sigma = np.clip(self.sigma + np.clip(change[:, 4], -0.2, 0.2), 0.25, 4.0)
        return change

    def result(self) -> dict[str, Array]:
        """Return what `fit_stamps` does."""
        shape, _, _ = self._profile()
        flux, weight = self.flux, self.weight
        used = weight > 0
        residual = np.where(used, self.data - flux[:, None] * shape - self.background[:, None], 0.0)
        # A fit takes the share `parameters / pixels` out of the squares of the residuals.
        pixels = used.sum(axis=1)
        freedom = np.maximum(pixels - (5 if self.free_width else 4), 1)
        left = freedom / np.maximum(pixels, 1)
        variance = 1.0 / np.maximum(weight, 1e-30)
        some_flux = np.maximum(np.abs(flux), 1e-9)
        errors = (np.sqrt(np.maximum(self.covariance[:, i, i], 0)) for i in range(3))
        return {
            "flux": flux, "x": self.x, "y": self.y, "sigma": self.sigma, "background": self.background,
            **dict(zip(("flux_err", "x_err", "y_err"), errors, strict=True)),
            "qfit": np.abs(residual).sum(axis=1) / some_flux,
            "noise": np.where(used, np.sqrt(variance), 0.0).sum(axis=1) * np.sqrt(2 / np.pi) / some_flux,
            "square": (residual**2).sum(axis=1),
            "expected": left * np.where(used, variance, 0.0).sum(axis=1),
            "freedom": freedom,
            "light2": left * np.where(used, (flux[:, None] * shape) ** 2, 0.0).sum(axis=1),
        }  # fmt: skip


def build(stamps: Array, variance: Array, sigma: float, radius: float) -> EffectivePSF:
    """Make the effective PSF of a chip from stamps of its good stars.

    Positions and PSF are found in turn. The correction to the Gaussian is smoothed, and drawn to zero where samples
    are few, so that few stars give nearly the Gaussian. Its centre is held where a Gaussian fit of the PSF has it: a
    symmetric PSF is centred on its symmetry.

    Parameters
    ----------
    stamps, variance : arrays, shape (n, k, k)
        Background-subtracted counts of isolated, unsaturated, unblemished stars, and their variances.
    sigma : float
        Width of a Gaussian fitted to them (px).
    radius : float
        Radius of the pixels fitted (px).

    Returns
    -------
    EffectivePSF
        With `origin` "image" if the stars allowed a correction, else "gaussian".
    """
    n, k, _ = stamps.shape
    psf = EffectivePSF(sigma, k // 2)
    psf.stars = n
    if n < _LEAST_STARS:
        return psf
    every = np.ones(stamps.shape, dtype=bool)
    start = np.zeros((n, 2))
    for _ in range(6):
        found = fit_stamps(stamps, variance, every, start, psf, radius)
        start = np.column_stack([found["x"], found["y"]])
        psf.set_table(_centred(psf, _correction(psf, stamps, variance, found)))
    psf.origin = "image"
    return psf


def _correction(psf: EffectivePSF, stamps: Array, variance: Array, found: Mapping[str, Array]) -> Array:
    """Return what stars at the positions found add to the Gaussian, in the samples of `psf.table`."""
    from scipy.ndimage import gaussian_filter

    n, size, sigma = len(stamps), psf.table.shape[0], psf.sigma
    gx, gy = _pixel_offsets(psf.half)
    flux = found["flux"][:, None]
    clean = (found["flux"] > 0) & (found["qfit"] < 3 * np.median(found["qfit"]) + 1e-6)
    dx, dy = gx - found["x"][:, None], gy - found["y"][:, None]
    gauss = np.exp(-(dx**2 + dy**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    value = (stamps.reshape(n, -1) - found["background"][:, None]) / flux - gauss
    weight = flux**2 / variance.reshape(n, -1)
    weight = weight / np.median(weight)
    weight = np.minimum(weight, 4.0) * clean[:, None]  # no few stars rule
    deviation = np.abs(value - psf(dx, dy) + gauss)
    limit = 4 * 1.4826 * np.median(deviation[clean], axis=0) + 1e-6
    weight = np.where(deviation > limit, 0.0, weight)
    i = np.clip(np.rint((dy + psf.pad) * _GRID).astype(int), 0, size - 1)
    j = np.clip(np.rint((dx + psf.pad) * _GRID).astype(int), 0, size - 1)
    total, norm = np.zeros((size, size)), np.zeros((size, size))
    np.add.at(total, (i, j), weight * value)
    np.add.at(norm, (i, j), weight)
    # One sample's worth of "no correction" draws places with few samples to the Gaussian.
    smooth = gaussian_filter(norm, _SMOOTH, mode="constant") + 0.2
    return np.asarray(gaussian_filter(total, _SMOOTH, mode="constant") / smooth)


def _centred(psf: EffectivePSF, table: Array) -> Array:
    """Take out of a correction what shifts the PSF, and let it end smoothly beyond the stamps' corners."""
    size, sigma = table.shape[0], psf.sigma
    ty, tx = (axis - psf.pad * _GRID for axis in np.mgrid[0:size, 0:size])
    ty, tx = ty / _GRID, tx / _GRID
    core = np.exp(-(tx**2 + ty**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    for axis in (tx, ty):
        shift = sigma**2 * float((table * axis * core).sum() / ((axis * core) ** 2).sum())
        table = table - shift * axis / sigma**2 * core
    return np.asarray(table * np.clip(psf.half + 1 - np.hypot(tx, ty), 0, 1))


def common_width(sigma: Array, weight: Array, nominal: float) -> float | None:
    """Find the width that most sources share: stars cluster at one width, cosmic rays do not.

    Parameters
    ----------
    sigma, weight : arrays, shape (n,)
        Fitted widths (px) of sources that a Gaussian fits well, and their weights.
    nominal : float
        Expected width (px); 0.7 to 1.6 times it is searched.

    Returns
    -------
    float or None
        The mode of the widths (px), or None for fewer than 3 sources in range.
    """
    inside = (sigma > 0.7 * nominal) & (sigma < 1.6 * nominal)
    if inside.sum() < 3:
        return None
    value, w = sigma[inside], weight[inside]
    grid = np.linspace(0.7, 1.6, 181) * nominal
    density = (w * np.exp(-0.5 * ((grid[:, None] - value) / (0.04 * nominal)) ** 2)).sum(axis=1)
    density *= np.exp(-0.5 * ((grid / nominal - 1.0) / 0.15) ** 2)  # decides where stars are few
    peak = float(grid[int(np.argmax(density))])
    near = np.abs(value - peak) < 0.1 * nominal
    return float(np.median(value[near])) if near.any() else peak
