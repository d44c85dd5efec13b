"""The effective PSF of a chip, made from its own stars, and positions of stars by fitting it.

The effective PSF is the PSF as the pixels see it, sampled finer than the pixels by the stars' different positions
(Anderson & King 2000, PASP 112, 1360). Fitting it gives positions without the pull towards pixel centres that marginal
fits of an undersampled PSF have.
"""

from __future__ import annotations

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
    n, k, _ = stamps.shape
    half = k // 2
    gy, gx = (axis.ravel().astype(float) for axis in np.mgrid[-half : half + 1, -half : half + 1])
    near = np.hypot(gx, gy) <= radius
    gx, gy = gx[near], gy[near]
    data = stamps.reshape(n, k * k)[:, near].astype(float)
    weight = np.where(good.reshape(n, k * k)[:, near], 1.0 / variance.reshape(n, k * k)[:, near], 0.0)
    x, y = start[:, 0].astype(float).copy(), start[:, 1].astype(float).copy()
    sigma = np.full(n, psf.sigma)
    flux, background = np.maximum(data.sum(axis=1), 1.0), np.zeros(n)
    covariance = np.zeros((n, 4, 4))
    for loop in range(14):
        dx, dy = gx - x[:, None], gy - y[:, None]
        if free_width:
            s2 = sigma[:, None] ** 2
            shape = np.exp(-(dx**2 + dy**2) / (2 * s2)) / (2 * np.pi * s2)
            shape_x, shape_y = shape * dx / s2, shape * dy / s2
            width = shape * ((dx**2 + dy**2) / s2 - 2) / sigma[:, None]
            parts = [
                shape,
                flux[:, None] * shape_x,
                flux[:, None] * shape_y,
                np.ones_like(shape),
                flux[:, None] * width,
            ]
        else:
            step = 0.02
            shape = psf(dx, dy)
            shape_x = (psf(dx - step, dy) - psf(dx + step, dy)) / (2 * step)
            shape_y = (psf(dx, dy - step) - psf(dx, dy + step)) / (2 * step)
            parts = [shape, flux[:, None] * shape_x, flux[:, None] * shape_y, np.ones_like(shape)]
        residual = data - flux[:, None] * shape - background[:, None]
        change, covariance = _solve(np.stack(parts, axis=2), weight, residual, 1e-3 if loop < 3 else 0.0)
        flux = flux + change[:, 0]
        x = np.clip(x + np.clip(change[:, 1], -0.4, 0.4), -1.5, 1.5)
        y = np.clip(y + np.clip(change[:, 2], -0.4, 0.4), -1.5, 1.5)
        background = background + change[:, 3]
        if free_width:
            sigma = np.clip(sigma + np.clip(change[:, 4], -0.2, 0.2), 0.25, 4.0)
        if np.all(np.abs(change[:, 1:3]) < 1e-4):
            break
    dx, dy = gx - x[:, None], gy - y[:, None]
    if free_width:
        shape = np.exp(-(dx**2 + dy**2) / (2 * sigma[:, None] ** 2)) / (2 * np.pi * sigma[:, None] ** 2)
    else:
        shape = psf(dx, dy)
    residual = np.where(weight > 0, data - flux[:, None] * shape - background[:, None], 0.0)
    # A fit takes the share `parameters / pixels` out of the squares of the residuals.
    pixels = (weight > 0).sum(axis=1)
    freedom = np.maximum(pixels - (5 if free_width else 4), 1)
    left = freedom / np.maximum(pixels, 1)
    return {
        "flux": flux,
        "x": x,
        "y": y,
        "sigma": sigma,
        "background": background,
        "flux_err": np.sqrt(np.maximum(covariance[:, 0, 0], 0)),
        "x_err": np.sqrt(np.maximum(covariance[:, 1, 1], 0)),
        "y_err": np.sqrt(np.maximum(covariance[:, 2, 2], 0)),
        "qfit": np.abs(residual).sum(axis=1) / np.maximum(np.abs(flux), 1e-9),
        "noise": np.where(weight > 0, np.sqrt(1.0 / np.maximum(weight, 1e-30)), 0.0).sum(axis=1)
        * np.sqrt(2 / np.pi)
        / np.maximum(np.abs(flux), 1e-9),
        "square": (residual**2).sum(axis=1),
        "expected": left * np.where(weight > 0, 1.0 / np.maximum(weight, 1e-30), 0.0).sum(axis=1),
        "freedom": freedom,
        "light2": left * np.where(weight > 0, (flux[:, None] * shape) ** 2, 0.0).sum(axis=1),
    }


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
    from scipy.ndimage import gaussian_filter

    n, k, _ = stamps.shape
    psf = EffectivePSF(sigma, k // 2)
    psf.stars = n
    if n < _LEAST_STARS:
        return psf
    half = k // 2
    gy, gx = (axis.ravel().astype(float) for axis in np.mgrid[-half : half + 1, -half : half + 1])
    size = psf.table.shape[0]
    ty, tx = (axis - psf.pad * _GRID for axis in np.mgrid[0:size, 0:size])
    ty, tx = ty / _GRID, tx / _GRID
    core = np.exp(-(tx**2 + ty**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    every = np.ones(stamps.shape, dtype=bool)
    start = np.zeros((n, 2))
    for _ in range(6):
        found = fit_stamps(stamps, variance, every, start, psf, radius)
        start = np.column_stack([found["x"], found["y"]])
        flux = found["flux"][:, None]
        clean = (found["flux"] > 0) & (found["qfit"] < 3 * np.median(found["qfit"]) + 1e-6)
        dx, dy = gx - start[:, :1], gy - start[:, 1:]
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
        table = gaussian_filter(total, _SMOOTH, mode="constant") / (
            gaussian_filter(norm, _SMOOTH, mode="constant") + 0.2
        )
        for axis in (tx, ty):
            shift = sigma**2 * float((table * axis * core).sum() / ((axis * core) ** 2).sum())
            table = table - shift * axis / sigma**2 * core
        # Beyond the stamps' corners there are no samples: end smoothly.
        table *= np.clip(half + 1 - np.hypot(tx, ty), 0, 1)
        psf.set_table(table)
    psf.origin = "image"
    return psf


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
