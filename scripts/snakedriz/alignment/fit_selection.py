"""Which of several fits is adopted, and why.

`fit_quality` decides first, then the RMS. Fits whose RMS differ by no more than their statistical errors are a tie;
ties go to the relative method before 2dhist before default, then to the earlier catalogue, then to the earlier in the
list. A fit that failed says nothing about another: it never takes an earlier valid fit with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_METHODS = ("visit", "relative", "2dhist", "default")


def _name(fit: Mapping[str, Any]) -> str:
    return f"{fit.get('catalog')}/{fit.get('method')}/{fit.get('fitgeom')}"


def rms_error(fit: Mapping[str, Any]) -> float:
    """Statistical error of a fit's RMS (mas): rms / sqrt(2 f), f = number of coordinates less the fit's parameters."""
    n = max(2 * int(fit["nmatches"]) - {"shift": 2, "rshift": 3, "rscale": 4}.get(str(fit["fitgeom_used"]), 6), 1)
    return float(fit["total_rms_mas"]) / math.sqrt(2.0 * n)


def adopt(fits: Sequence[Mapping[str, Any]], enabled: bool) -> tuple[Mapping[str, Any] | None, str]:
    """Return the fit that becomes a candidate, or None, and why.

    Parameters
    ----------
    fits : sequence of mappings
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


def select(fits: Sequence[Mapping[str, Any]]) -> tuple[int | None, str]:
    """Select a fit.

    Parameters
    ----------
    fits : sequence of mappings
        Results of `snakedriz.alignment.fitting.fit`, in the order of preference of their catalogues.

    Returns
    -------
    index : int or None
        Of the adopted fit; None if no fit is valid.
    reason : str
        One sentence.
    """
    valid = [
        i for i, f in enumerate(fits) if f.get("fit_quality") in (1, 2, 3, 4) and f.get("total_rms_mas") is not None
    ]
    if not valid:
        if not fits:
            return None, "No fit was made."
        reasons = "; ".join(f"{_name(f)}: {f.get('quality_reason') or f.get('reason')}" for f in fits)
        return None, f"No fit is valid: {reasons}."
    quality = min(fits[i]["fit_quality"] for i in valid)
    best = [i for i in valid if fits[i]["fit_quality"] == quality]
    least = min(best, key=lambda i: (fits[i]["total_rms_mas"], i))

    def close(i: int) -> bool:
        error = math.hypot(rms_error(fits[i]), rms_error(fits[least]))
        return bool(fits[i]["total_rms_mas"] - fits[least]["total_rms_mas"] <= error)

    catalogs: list[Any] = list(dict.fromkeys(f.get("catalog") for f in fits))
    ties = [i for i in best if close(i)]
    chosen = min(ties, key=lambda i: (_METHODS.index(fits[i]["method"]), catalogs.index(fits[i].get("catalog")), i))
    fit = fits[chosen]
    reason = (
        f"{_name(fit)} has fit_quality {quality}, the best of {len(fits)}, and an RMS of {fit['total_rms_mas']:.2f} mas"
    )
    if len(best) == 1:
        reason += (
            "; no other fit has that quality" if len(valid) > 1 else "; no other fit is valid" if len(fits) > 1 else ""
        )
    elif len(ties) == 1:
        reason += ", the lowest of that quality"
    else:
        others = ", ".join(f"{_name(fits[i])} {fits[i]['total_rms_mas']:.2f} mas" for i in ties if i != chosen)
        reason += (
            f"; {others} differ by no more than the statistical errors, and ties go to relative before 2dhist before "
            "default, then to the earlier catalogue"
        )
    return chosen, reason + "."
