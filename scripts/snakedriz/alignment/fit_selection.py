"""Which of several fits is adopted, and why.

`fit_quality` decides first, then the expected error of a star in the field, which knows what few stars and a missing
rotation cost; the RMS does not. Expected errors that differ by less than a tenth are a tie; ties go to the relative
method before 2dhist before default, then to the earlier catalogue, then to the earlier in the
list. A fit that failed says nothing about another: it never takes an earlier valid fit with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from snakedriz.artefacts.fit import FitResult

AnyFit = TypeVar("AnyFit", bound=FitResult)
#: Errors are themselves known to a tenth or so: less is no difference.
_ALIKE = 1.1
_METHODS = ("visit", "relative", "2dhist", "default")


def _name(fit: FitResult) -> str:
    return f"{fit.catalog}/{fit.method}/{fit.fitgeom}"


def expected_error(fit: FitResult) -> float:
    """Return the expected error of a star in the field (mas, radius, 68 per cent); infinite where it is not known."""
    return math.inf if fit.field_error_mas is None else fit.field_error_mas


def adopt(fits: Sequence[AnyFit], enabled: bool) -> tuple[AnyFit | None, str]:
    """Return the fit that becomes a candidate, or None, and why; `enabled` is false where the environment says so."""
    if not enabled:
        return None, "switched off by ASTROMETRY_COMPUTE_APOSTERIORI"
    if not fits:
        return None, "no reference catalogue given (catalogs)"
    index, reason = select(fits)
    return None if index is None else fits[index], reason


def select(fits: Sequence[FitResult]) -> tuple[int | None, str]:
    """Return the index of the best fit, None if no fit is valid, and the reason in one sentence.

    Fits are in the order of preference of their catalogues.
    """
    if not fits:
        return None, "No fit was made."
    valid = [i for i, fit in enumerate(fits) if fit.fit_quality in (1, 2, 3, 4) and fit.total_rms_mas is not None]
    if not valid:
        reasons = "; ".join(f"{_name(fit)}: {fit.quality_reason or fit.reason}" for fit in fits)
        return None, f"No fit is valid: {reasons}."
    quality = min(fits[i].fit_quality for i in valid)
    best = [i for i in valid if fits[i].fit_quality == quality]
    least = min(expected_error(fits[i]) for i in best)
    ties = [i for i in best if expected_error(fits[i]) <= _ALIKE * least]
    catalogs = list(dict.fromkeys(fit.catalog for fit in fits))
    chosen = min(ties, key=lambda i: (_METHODS.index(fits[i].method), catalogs.index(fits[i].catalog), i))
    fit = fits[chosen]
    reason = f"{_name(fit)} has fit_quality {quality}, the best of {len(fits)}, an RMS of {fit.total_rms_mas:.2f} mas"
    reason += f" and an expected error of {expected_error(fit):.2f} mas"
    if len(best) == 1:
        reason += (
            "; no other fit has that quality" if len(valid) > 1 else "; no other fit is valid" if len(fits) > 1 else ""
        )
    elif len(ties) == 1:
        reason += ", the least of that quality"
    else:
        others = ", ".join(f"{_name(fits[i])} {expected_error(fits[i]):.2f} mas" for i in ties if i != chosen)
        reason += (
            f"; {others} differ by less than a tenth, and ties go to relative before 2dhist before default, then to "
            "the earlier catalogue"
        )
    return chosen, reason + "."
