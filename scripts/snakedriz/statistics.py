"""Confidence intervals by Student's t: honest for errors that come from the scatter of few values."""

from __future__ import annotations

import math
from functools import cache

#: Radius that holds 68.27 per cent of a round Gaussian, over its standard deviation per axis (Rayleigh's distribution).
RADIUS = math.sqrt(-2.0 * math.log(1.0 - 0.6827))


@cache
def student_t(share: float, freedom: float) -> float:
    """Return the quantile of Student's t below which a share of the distribution lies; at least 1 degree of freedom."""
    from scipy.stats import t

    return float(t.ppf(share, max(freedom, 1.0)))


@cache
def factor(sigmas: float, freedom: float) -> float:
    """Return how many standard errors enclose what `sigmas` of a Gaussian do, for an error from the scatter itself.

    With 2 degrees of freedom 1.32 standard errors hold 68.3 %, and 19.2 hold the 99.7 % of 3 sigma.

    Parameters
    ----------
    sigmas : float
        1 for 68.3 %, 1.96 for 95 %, 3 for 99.7 %.
    freedom : float
        Degrees of freedom of the scatter, at least 1.
    """
    from scipy.stats import norm

    return -student_t(float(norm.sf(sigmas)), freedom)


def limits(error: float, freedom: int, floor: float = 0.0) -> tuple[float, float]:
    """Return the half-widths that hold 68.27 and 95 per cent, for a standard error with `freedom` degrees of freedom.

    `floor` is a further error (1 sigma, in the unit of `error`) that no number of stars removes.
    """
    one, two = (student_t(0.5 + level / 2.0, freedom) for level in (0.6827, 0.95))
    return math.hypot(error * one, floor), math.hypot(error * two, 1.96 * floor)
