"""How far from the truth a candidate's positions are expected to be (68 per cent radius on the sky), and why."""

from __future__ import annotations

import math

from snakedriz.artefacts.astrometry import AbsoluteErrors, Astrometry
from snakedriz.artefacts.fit import FitSummary
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import ExpectedError
from snakedriz.artefacts.solution import Solution
from snakedriz.fits_headers import wcsnames
from snakedriz.settings import wcs_accuracy
from snakedriz.statistics import RADIUS

#: The normal deviate that 68.27 per cent lie below.
_ONE_SIDED = 0.4753


def of_candidate(
    inventory: Inventory, solution: Solution, metrics: Metrics, confirmed: bool | None = True
) -> ExpectedError:
    """Return the expected error of a candidate with a solution.

    What was measured comes first: for a fit the error of its zero point, by stars held out of it where there are; for
    others the offset from the catalogue with its error. In quadrature come rotation and scale against the catalogue
    (rms of the stars) and the scatter of the exposures about their mean, beyond what its own error explains. Where
    nothing was measured it is the published accuracy of the kind of solution.

    Parameters
    ----------
    confirmed : bool or None
        Whether unseen stars confirm the fit (`absolute_solution.is_confirmed`). Of a fit that they refute nothing is
        known.
    """
    fit, measured = solution.chosen_fit, _measured(metrics.astrometry)
    if confirmed is False:
        return ExpectedError(value_mas=None, rests_on="unseen stars refute its fit")
    if measured is not None and not (fit and fit.catalog == measured.catalog):
        value: float | None = _from_offset(measured, measured.error_mas or 0.0)
        text = f"offset from {measured.catalog}, {measured.nmatches} stars"
    elif fit is not None:
        value, text = _of_fit(fit, measured, metrics.astrometry)
    else:
        value, text = _published(inventory, solution)
    if value is None:
        return ExpectedError(value_mas=None, rests_on=text)
    scatter = _scatter(metrics.astrometry)
    if scatter is None:
        return ExpectedError(value_mas=value, rests_on=text)
    return ExpectedError(value_mas=math.hypot(value, scatter), rests_on=f"{text}; scatter of the exposures")


def _measured(astrometry: Astrometry | None) -> AbsoluteErrors | None:
    found = astrometry.absolute if astrometry else None
    return None if found is None or found.offset_mas is None or found.error_mas is None else found


def _from_offset(measured: AbsoluteErrors, error: float) -> float:
    """Return what the true offset, with rotation and scale, is below in 68 per cent, mas; `error` is that per axis.

    The true distance has Rice's distribution about the measured one, d. Its quantile is RADIUS times the error where d
    is nothing, and d and a half error where d is large; this form of it holds 68 to 70 per cent in between.
    """
    distance = math.hypot(*(measured.offset_mas or ()), measured.field_mas or 0.0)
    return _ONE_SIDED * error + math.hypot(distance, (RADIUS - _ONE_SIDED) * error)


def _of_fit(
    fit: FitSummary, measured: AbsoluteErrors | None, astrometry: Astrometry | None
) -> tuple[float | None, str]:
    """Return the expected error of a fit: the largest of its own error and of what held-out and matched stars say."""
    held = astrometry.held_out if astrometry else None
    held_out = held.zero_point_error_mas if held else None
    errors = [fit.zero_point_error_mas, held_out, measured.error_mas if measured else None]
    known = [error for error in errors if error is not None]
    if not known:
        return None, f"its fit to {fit.catalog} has no error"
    how = "none held out" if held_out is None or held is None else f"{held.stars} held out in turn"
    text = f"its fit to {fit.catalog}, {fit.nmatches} stars, {how}"
    value = RADIUS * max(known) if measured is None else _from_offset(measured, max(known))
    return max(value, fit.field_error_mas or 0.0), text


def _published(inventory: Inventory, solution: Solution) -> tuple[float | None, str]:
    began = [exposure.expstart for exposure in inventory.used if exposure.expstart is not None]
    found = wcs_accuracy.published(wcsnames.parse(solution.wcsname).kind, min(began, default=None))
    if found is None:
        return None, f"nothing was measured, and nothing is known of solutions like {solution.wcsname}"
    return found.radius_mas, f"published accuracy: {found.what}"


def _scatter(astrometry: Astrometry | None) -> float | None:
    """Return the scatter of the exposures as a radius, beyond its error, mas; None where it was not measured."""
    found = astrometry.relative if astrometry else None
    if found is None or found.scatter_mas is None:
        return None
    return RADIUS * math.sqrt(max(0.0, found.scatter_mas**2 - (found.error_mas or 0.0) ** 2))
