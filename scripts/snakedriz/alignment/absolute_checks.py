"""Checks of an absolute solution on evidence its fit has not used: held-out stars, magnitudes, a second catalogue."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from snakedriz.artefacts.astrometry import CatalogAstrometry
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.fit import FitNumbers, FitSummary

#: Chance of the held-out stars' places among unrelated lists, below which they are no chance: with that of the match
#: itself (`max_false_alarm`), which is independent of it, one in a million.
MOST_CHANCE = 1e-2
#: Held-out stars that may be missed: binaries, wrong motions, blends.
MOST_MISSED = 0.5
#: Frames of catalogues from the ground differ from Gaia's by tens of mas (GSC 2.4 and Pan-STARRS are tied to Gaia's;
#: 2MASS has 70 to 80 mas: Skrutskie et al. 2006), a wrong match by hundreds.
FRAMES_MAS = 100.0
_LEAST_MAGNITUDES = 5
_LEAST_P = 0.01


def of_fit(fit: FitNumbers) -> list[Check]:
    """Check a fit by its held-out stars and by magnitudes; `passed` is None where there is nothing to measure."""
    return [_held_out(fit), _magnitudes(fit)]


def _check(name: str, value: float | None, limit: float | None, unit: str, passed: bool | None, note: str) -> Check:
    return Check(name=name, value=value, limit=limit, unit=unit, passed=passed, policy=["measured"], note=note)


def _held_out(fit: FitNumbers) -> Check:
    found = fit.held_out
    if found is None or found.chance is None:
        reason = found.reason if found else "the fit has no stars"
        return _check("held_out", None, None, "share", None, f"not measured: {reason}")
    missed = 1.0 - found.found / found.stars
    note = (
        f"{found.found} of {found.stars} catalogue stars are where the others put them; among unrelated stars the "
        f"chance of lying so near is {found.chance:.1g}"
    )
    passed = False if missed > MOST_MISSED else True if found.chance <= MOST_CHANCE else None
    return _check("held_out", missed, MOST_MISSED, "share", passed, note)


def _magnitudes(fit: FitNumbers) -> Check:
    """Fainter in the catalogue is fainter in the exposures: an anti-correlation is a match with other stars."""
    from scipy.stats import spearmanr

    pairs = np.array(
        [
            (math.nan if own is None else own, math.nan if ref is None else ref)
            for exposure in fit.exposures
            for own, ref in zip(exposure.matches.source_mag, exposure.matches.ref_mag, strict=True)
        ]
    ).reshape(-1, 2)
    own, ref = pairs[np.isfinite(pairs).all(axis=1)].T
    names = {name for exposure in fit.exposures for name in exposure.matches.objID}
    stars = min(len(names), len(own))
    if stars < _LEAST_MAGNITUDES or np.ptp(own) == 0 or np.ptp(ref) == 0:
        return _check("magnitudes", None, None, "Spearman's rho", None, "too few magnitudes to compare")
    rho = float(spearmanr(own, ref).statistic)
    # Exposures of a star repeat it: stars, not pairs, are what tells. One-sided, Gaussian by Fisher's transform.
    limit = -math.tanh(2.326 / math.sqrt(max(stars - 3.0, 1.0)))
    return _check(
        "magnitudes", -rho, -limit, "minus Spearman's rho", rho >= limit,
        f"{stars} stars; below {limit:.2f} is an anti-correlation beyond chance (1 per cent)",
    )  # fmt: skip


def second_catalog(fit: FitSummary, catalogs: Mapping[str, CatalogAstrometry]) -> Check:
    """Another catalogue does not put the sky elsewhere."""
    others = [row for name, row in sorted(catalogs.items()) if name != fit.catalog and row.group.offset_mas is not None]
    if not others:
        return _check("second_catalog", None, None, "mas", None, "no other catalogue with stars in the field")
    rows = []
    for row in others:
        offset = math.hypot(*(row.group.offset_mas or (0.0, 0.0)))
        limit = FRAMES_MAS + 3.0 * math.hypot(row.group.error_mas or 0.0, fit.zero_point_error_mas or 0.0)
        rows.append((offset - limit, offset, limit, row.catalog, row.group.nmatches))
    _, offset, limit, name, number = max(rows)
    note = f"offset from {name} by {number} stars; its frame may differ by {FRAMES_MAS:g} mas"
    return _check("second_catalog", offset, limit, "mas", offset <= limit, note)
