"""Confidence intervals of measured shifts, honest for few values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any


@cache
def factor(sigmas: float, freedom: float) -> float:
    """Return how many standard errors enclose what `sigmas` of a Gaussian do, for an error from the scatter itself.

    Student's t: with 2 degrees of freedom 1.32 standard errors hold 68.3 %, and 19.2 hold the 99.7 % of 3 sigma.

    Parameters
    ----------
    sigmas : float
        1 for 68.3 %, 1.96 for 95 %, 3 for 99.7 %.
    freedom : float
        Degrees of freedom of the scatter, at least 1.
    """
    from scipy.stats import norm, t

    return float(t.isf(norm.sf(sigmas), max(freedom, 1.0)))


def shift_error(measured: Mapping[str, Any]) -> tuple[float, float]:
    """Return the total displacement of a measured exposure or chip and half of its 2-sigma error, px.

    The mean shift, and what rotation and scale add, in quadrature.
    """
    shift = math.hypot(measured["dx"], measured["dy"], measured.get("field") or 0.0)
    error = math.hypot(measured["dx_err"], measured["dy_err"], measured.get("field_err") or 0.0)
    freedom = measured["freedom"]
    return shift, error * factor(2.0, freedom) / factor(1.0, freedom) / 2.0
