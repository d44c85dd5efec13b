"""Weighted linear fits of matched positions in a plane, by tweakwcs, and how well they determine what they find.

Errors are taken from the scatter of the residuals about the fit, not from the quoted errors, which only weigh the
stars against each other: whatever makes all of them too small or too large by one factor does no harm. That scatter is
itself known from few residuals, so limits come from Student's t with the fit's degrees of freedom
(`snakedriz.statistics.limits`). Both axes share one scatter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.matching import Match, linear_trend

Array = NDArray[np.float64]
#: Unknowns of each geometry.
PARAMETERS = {"shift": 2, "rshift": 3, "rscale": 4, "general": 6}


@dataclass(frozen=True)
class LinearFit:
    """position' = matrix @ position + shift, and the stars that say so.

    Attributes
    ----------
    geometry : {"shift", "rshift", "rscale", "general"}
    matrix, shift : arrays, shapes (2, 2) and (2,)
    own, ref : integer arrays, shape (n,)
        Indices of the pairs that were not clipped into the two lists.
    moved, residual : arrays, shape (n, 2)
        Their positions after the fit, and these minus the reference positions.
    sigma : array, shape (n,)
        Quoted error of each difference per axis: sets the weights.
    """

    geometry: str
    matrix: Array
    shift: Array
    own: NDArray[np.intp]
    ref: NDArray[np.intp]
    moved: Array
    residual: Array
    sigma: Array

    @property
    def freedom(self) -> int:
        """Coordinates less unknowns, at least 1."""
        return max(2 * len(self.own) - PARAMETERS[self.geometry], 1)

    @property
    def middle(self) -> Array:
        """Weighted mean position of the stars: rotation and scale are uncorrelated with the shift there."""
        return np.average(self.moved, axis=0, weights=self.sigma**-2.0)

    @property
    def variance(self) -> float:
        """Reduced chi-square: the square of the factor by which the quoted errors are too small."""
        return float((self.residual**2 / self.sigma[:, None] ** 2).sum()) / self.freedom

    @property
    def lever(self) -> float:
        """Weighted sum of the squared distances from the middle."""
        return float(((self.moved - self.middle) ** 2 / self.sigma[:, None] ** 2).sum())

    def error(self, at: Array | None = None) -> float:
        """Standard error per axis of a position (default: the middle of the stars) from the fit.

        For shift, variance / sum of weights; rotation and scale add the squared distance from the middle over `lever`
        (for the general geometry, whose axes are free of each other, twice that, which bounds it for round fields).
        """
        part = 1.0 / float((self.sigma**-2.0).sum())
        if at is not None and self.geometry != "shift" and self.lever > 0:
            away = float(((np.asarray(at) - self.middle) ** 2).sum())
            part += away / self.lever * (2.0 if self.geometry == "general" else 1.0)
        return math.sqrt(self.variance * part)

    @property
    def angle_error(self) -> float:
        """Standard error of the rotation (rad), and of the scale."""
        return math.sqrt(self.variance / self.lever) if self.lever > 0 else math.inf


def align(
    uv: Array,
    error: Array,
    reference: Array,
    reference_error: Array,
    geometry: str,
    settings: Mapping[str, Any],
    found: Match | None = None,
) -> LinearFit:
    """Fit points of a plane to reference points, as one rigid body.

    The least squares are tweakwcs's (`tweakwcs.linearfit.iter_linear_fit`). They start from the stars that agree with a
    robust trend, for an outlier among ten draws a mean so far that it looks no worse than the others. Clipping compares
    each separation with its own error, since those of faint and bright stars differ, and with the median of all;
    clipped stars come back if a better fit brings them near.

    Parameters
    ----------
    uv, error, reference, reference_error : arrays
        Positions (n, 2) and errors per axis (n,), px. Weights are 1/(error^2 + reference_error^2).
    geometry : {"shift", "rshift", "rscale", "general"}
    settings : mapping
        `clip_iterations`; `clip_sigma`, in units of the root mean square of separations (1.41 times that of one axis).
    found : Match, optional
        The pairs; None where the two lists are matched row by row.

    Raises
    ------
    tweakwcs.linearfit.NotEnoughPointsError, tweakwcs.linearfit.SingularMatrixError
        If the pairs do not determine the geometry.
    """
    from tweakwcs.linearfit import iter_linear_fit

    own = np.arange(len(uv)) if found is None else found.image
    ref = np.arange(len(reference)) if found is None else found.ref
    xy, target = uv[own], reference[ref]
    sigma = np.hypot(error[own], reference_error[ref])
    least = PARAMETERS[geometry] // 2 + 1
    matrix, shift = linear_trend(xy, target, "shift" if geometry == "shift" or len(own) < 4 else "rscale")
    keep = _near(((xy @ matrix.T + shift - target) ** 2).sum(axis=1) / sigma**2, settings)
    if keep.sum() < least:
        keep = np.ones(len(own), dtype=bool)
    for _ in range(int(settings["clip_iterations"]) + 1):
        solved = iter_linear_fit(target[keep], xy[keep], sigma[keep] ** -2.0, None, fitgeom=geometry, nclip=0)
        matrix = np.asarray(solved["matrix_ld"], dtype=float)
        centre = np.asarray(solved["center_ld"], dtype=float)
        shift = np.asarray(solved["shift_ld"], dtype=float) + centre - matrix @ centre  # about (0, 0)
        residual = xy @ matrix.T + shift - target
        chi2 = (residual**2).sum(axis=1) / sigma**2
        near = _near(chi2, settings)
        if np.array_equal(near, keep) or near.sum() < least or not chi2[keep].sum() > 0:
            break
        last, keep = keep, near
    else:
        keep = last  # the fit that was made last is of these
    moved = xy[keep] @ matrix.T + shift
    return LinearFit(geometry, matrix, shift, own[keep], ref[keep], moved, residual[keep], sigma[keep])


def _near(chi2: Array, settings: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which squared separations (in errors) are no outliers, by their median: 1.386 of the variance per axis."""
    scale2 = max(float(np.median(chi2)) / 1.386, 1e-12) if len(chi2) else 1.0
    return np.asarray(chi2 <= 2.0 * float(settings["clip_sigma"]) ** 2 * scale2)
