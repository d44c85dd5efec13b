"""Mean shift, rotation and scale between lists of positions, with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snakedriz.artefacts.verification import MeasuredShift
from snakedriz.statistics import factor

Array = NDArray[np.float64]
LEAST_LINEAR = 8  # sources for rotation and scale along with the shift: twice the unknowns


@dataclass(frozen=True)
class Trend:
    """Mean shift of a list of differences, with the linear trend (one rotation, one scale) about its middle."""

    shift: Array  # x, y, px
    error: Array  # standard error of the shift, without systematics
    freedom: int  # degrees of freedom of the error
    rotation: float  # rad; 0 where it was not fitted
    scale: float  # 1 where it was not fitted
    slope_error: float  # standard error of rotation (rad) and of scale; NaN where they were not fitted
    radius: float  # root mean square distance of the sources from their middle, px
    middle: Array  # of the sources: x, y, px
    used: NDArray[np.bool_]  # rows that were not clipped

    def at(self, positions: Array) -> Array:
        """Return the shift at positions (n, 2), px."""
        x, y = (positions - self.middle).T
        p, q = self.scale - 1.0, self.rotation
        return np.asarray(self.shift + np.column_stack([p * x - q * y, p * y + q * x]))


def trend(positions: Array, difference: Array, linear: bool) -> Trend:
    """Fit differences (n, 2) at positions (n, 2); rows more than 3.5 robust standard deviations off are clipped."""
    used = np.ones(len(difference), dtype=bool)
    for _ in range(20):
        middle = np.median(difference[used], axis=0) if not linear else difference[used].mean(axis=0)
        offset = positions - positions[used].mean(axis=0)
        u, d = offset[used], (difference - middle)[used]
        square = float((u**2).sum())
        p = q = 0.0
        if linear and square > 0:
            p = float((u * d).sum()) / square
            q = float((u[:, 0] * d[:, 1] - u[:, 1] * d[:, 0]).sum()) / square
        x, y = offset.T
        residual = difference - middle - np.column_stack([p * x - q * y, p * y + q * x])
        distance = np.abs(residual - np.median(residual[used], axis=0))
        now = (distance < 3.5 * (1.4826 * np.median(distance[used], axis=0) + 1e-3)).all(axis=1)
        if now.sum() < (LEAST_LINEAR if linear else 3) or (now == used).all():
            break
        used = now
    n = int(used.sum())
    freedom = max(n - 2 if linear else n - 1, 1)
    variance = ((residual[used] - residual[used].mean(axis=0)) ** 2).sum(axis=0) / freedom
    slope_error = float(np.sqrt(variance.mean() / square)) if linear and square > 0 else float("nan")
    return Trend(
        difference[used].mean(axis=0), np.sqrt(variance / n), freedom, q, 1.0 + p, slope_error,
        float(np.sqrt(square / n)), positions[used].mean(axis=0), used,
    )  # fmt: skip


def measured_shift(shift: Array, error: Array, freedom: float, floor: float) -> MeasuredShift:
    """Return a shift with its 68 % and 95 % half-widths, the systematic floor (1 sigma, px) in quadrature."""
    widths, widths95 = (np.hypot(factor(sigmas, freedom) * error, sigmas * floor) for sigmas in (1.0, 1.959964))
    return MeasuredShift(
        dx=shift[0], dy=shift[1], dx_err=widths[0], dy_err=widths[1], dx_err95=widths95[0], dy_err95=widths95[1],
        freedom=float(freedom),
    )  # fmt: skip
