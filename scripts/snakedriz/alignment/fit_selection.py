"""Which of several fits is adopted, and why.

`fit_quality` decides first, then the RMS. Fits whose RMS differ by no more than their statistical errors are a tie;
ties go to the relative method before 2dhist before default, then to the earlier catalogue, then to the earlier in the
list. A fit that failed says nothing about another: it never takes an earlier valid fit with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from snakedriz.alignment.linear_fit import PARAMETERS
from snakedriz.artefacts.fit import FitResult

AnyFit = TypeVar("AnyFit", bound=FitResult)
_METHODS = ("visit", "relative", "2dhist", "default")


def _name(fit: FitResult) -> str:
    return f"{fit.catalog}/{fit.method}/{fit.fitgeom}"


def _rms(fit: FitResult) -> float:
    return math.inf if fit.total_rms_mas is None else fit.total_rms_mas


def rms_error(fit: FitResult) -> float:
    """Statistical error of a fit's RMS (mas): rms / sqrt(2 f), f = number of coordinates less the fit's parameters."""
    n = max(2 * fit.nmatches - PARAMETERS[fit.fitgeom_used or "general"], 1)
    return _rms(fit) / math.sqrt(2.0 * n)


def adopt(fits: Sequence[AnyFit], enabled: bool) -> tuple[AnyFit | None, str]:
    """Return the fit that becomes a candidate, or None, and why.

    Parameters
    ----------
    fits : sequence of FitResult
        As in `select`; none without a reference catalogue.
    enabled : bool
        False where the environment switches fits off.
    """
    if not enabled:
        return None, "switched off by ASTROMETRY_COMPUTE_APOSTERIORI"
    if not fits:
        return None, "no reference catalogue given (catalogs)"
    index, reason = select(fits)
    return None if index is None else fits[index], reason


def select(fits: Sequence[FitResult]) -> tuple[int | None, str]:
    """Select a fit.

    Parameters
    ----------
    fits : sequence of FitResult
        In the order of preference of their catalogues.

    Returns
    -------
    index : int or None
        Of the adopted fit; None if no fit is valid.
    reason : str
        One sentence.
    """
    if not fits:
        return None, "No fit was made."
    valid = [i for i, fit in enumerate(fits) if fit.fit_quality in (1, 2, 3, 4) and fit.total_rms_mas is not None]
    if not valid:
        reasons = "; ".join(f"{_name(fit)}: {fit.quality_reason or fit.reason}" for fit in fits)
        return None, f"No fit is valid: {reasons}."
    quality = min(fits[i].fit_quality for i in valid)
    best = [i for i in valid if fits[i].fit_quality == quality]
    least = fits[min(best, key=lambda i: (_rms(fits[i]), i))]
    ties = [i for i in best if _rms(fits[i]) - _rms(least) <= math.hypot(rms_error(fits[i]), rms_error(least))]
    catalogs = list(dict.fromkeys(fit.catalog for fit in fits))
    chosen = min(ties, key=lambda i: (_METHODS.index(fits[i].method), catalogs.index(fits[i].catalog), i))
    fit = fits[chosen]
    reason = f"{_name(fit)} has fit_quality {quality}, the best of {len(fits)}, and an RMS of {_rms(fit):.2f} mas"
    if len(best) == 1:
        reason += (
            "; no other fit has that quality" if len(valid) > 1 else "; no other fit is valid" if len(fits) > 1 else ""
        )
    elif len(ties) == 1:
        reason += ", the lowest of that quality"
    else:
        others = ", ".join(f"{_name(fits[i])} {_rms(fits[i]):.2f} mas" for i in ties if i != chosen)
        reason += (
            f"; {others} differ by no more than the statistical errors, and ties go to relative before 2dhist before "
            "default, then to the earlier catalogue"
        )
    return chosen, reason + "."
