"""The documented verdict on a fit: five checks, and a number from 1 (best) to 5, or -1.

The section "Fit quality and selection of WCS solution" of the pipeline's description defines the scale: 1 valid with an
RMS below 10 mas, 2 valid but compromised below 10 mas, 3 valid from 10 mas on, 4 valid but compromised from 10 mas on,
5 no valid solution, -1 alignment code failed altogether. Any check that fails compromises a solution.

Where that text and drizzlepac 3.11 differ, or the text's numbers cannot be meant, this is what is done:

* consistency: the text limits the scatter of the exposures' shifts, by 20 "pixels" or the mean RMS. 20 mas are meant
  (20 px would pass anything; the released code converts 20 mas). The shifts stand for what matters, that the exposures
  agree with each other: where they have sources in common, what is checked is the scatter of the offsets that remain
  between them after the fit, in mas. A displaced exposure that the fit repaired passes; one that it left displaced does
  not. Without common sources it is the scatter of the shifts, as written.
* large_rms: each exposure's RMS and the largest of them, as written; true RMS about zero (a standard deviation of
  separations, as released, hides a common offset).
* radial_offset: as written, shift in arcsec.
* nmatches: the number of matches of each exposure, required for the geometry used. The text's alternative ("at least 2,
  and fit_rms greater than 0.5") passes 2 matches for being bad, in mas always; it is left out.
* cross_match: fewer than 100 matches need a Pearson correlation above +0.5 between magnitudes; an anti-correlation
  fails, and so does a correlation of fewer than 3 pairs or without magnitudes, which cannot be measured.

A fit is invalid (5), whatever its checks, if there is none (`outcome` is not "ok"), if it has fewer matches than even a
shift needs, if its rotation or scale is impossible for HST, if an RMS exceeds the limit of large_rms (or an exposure
that is not tied to others has no matched star, so no RMS), if the exposures disagree by more than that limit, or if
the radial offset fails: chance then explains it as well. It is -1 if the fitting code broke down.

Two more limits are not the document's, and stand apart as `refusals`; failing one makes a fit invalid:

* correction: no exposure may be moved further than the search radius of the detector: nothing was looked for there.
* matched_share: of the sources within the catalogue's outline or the rows on the exposures' chips, whichever are fewer,
  a tenth must be matched. A few matches among many are chance, or a wrong catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snakedriz.alignment import absolute_checks
from snakedriz.artefacts.base import FitQuality
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.fit import FitExposure, FitNumbers, FitVerdict, MatchedStars


def _check(name: str, value: float | None, limit: float, unit: str, passed: bool, note: str = "") -> Check:
    return Check(name=name, value=value, limit=limit, unit=unit, passed=bool(passed), note=note)


def assess(fit: FitNumbers, settings: Mapping[str, Any]) -> FitVerdict:
    """Assess a fit by the detector's settings."""
    if fit.code_error:
        return _verdict(-1, [], [], [], f"the alignment code failed: {fit.reason}")
    if fit.outcome != "ok" or not fit.exposures:
        return _verdict(5, [], [], [], f"no valid solution: {fit.reason or 'no exposure was fitted'}")
    limits, required = settings["fit_quality"], settings["fitting"]["required"]
    exposures = [e for e in fit.exposures if e.status not in ("kept", "inherited")]
    consistency = _consistency(fit, exposures, limits)
    rms, radial = _large_rms(exposures, limits), _radial(fit, exposures)
    checks = [consistency, rms, radial, _nmatches(fit, exposures, required), _cross_match(fit, exposures, limits)]
    absolute = absolute_checks.of_fit(fit)
    refusals = [_correction(exposures, settings), _matched_share(fit, limits)]
    fatal = []
    if fit.nmatches < required["shift"]:
        fatal.append(f"{fit.nmatches} matches, {required['shift']} needed for a shift")
    fatal += _impossible(exposures, limits)
    if consistency.value is not None and consistency.value > limits["max_fit_limit_mas"]:
        fatal.append(f"consistency: the exposures lie {consistency.value:.4g} mas apart")
    fatal += [
        f"{c.name}: {_text(c.value)} {c.unit}, limit {_text(c.limit)}" for c in (rms, radial, *refusals) if not c.passed
    ]
    if fatal:
        return _verdict(5, checks, refusals, absolute, f"no valid solution: {'; '.join(fatal)}")
    failed = [check.name for check in checks if not check.passed]
    total, best = fit.total_rms_mas, limits["good_rms_mas"]
    good = total is not None and total < best
    quality: FitQuality = (2 if failed else 1) if good else 4 if failed else 3
    words = f"RMS {total:.2f} mas is {'below' if good else 'not below'} {best:g} mas"
    words += f"; compromised by {', '.join(failed)}" if failed else "; all checks passed"
    return _verdict(quality, checks, refusals, absolute, words)


def _verdict(
    quality: FitQuality, checks: Sequence[Check], refusals: Sequence[Check], absolute: Sequence[Check], reason: str
) -> FitVerdict:
    return FitVerdict(
        fit_quality=quality,
        valid=quality in (1, 2, 3, 4),
        compromised=quality in (2, 4) or any(not check.passed for check in checks),
        checks=checks,
        refusals=refusals,
        absolute=absolute,
        quality_reason=reason,
    )


def _text(value: Any) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _correction(exposures: Sequence[FitExposure], settings: Mapping[str, Any]) -> Check:
    limit = float(settings["fitting"]["histogram"]["searchrad_px"])
    moved = [(math.hypot(*e.shift_px), e.rootname) for e in exposures]
    value, name = max(moved, default=(0.0, ""))
    note = f"{name}; the search radius of the detector" if name else "no exposure was fitted"
    return _check("correction", value, limit, "px", value <= limit, note)


def _matched_share(fit: FitNumbers, limits: Mapping[str, Any]) -> Check:
    share, limit = fit.share, float(limits["least_matched_share"])
    if share is None:
        return _check("matched_share", None, limit, "share", True, "not measured")
    possible = min(share.sources, share.rows)
    value = share.matches / possible if possible else None
    note = f"{share.matches} matches of {share.sources} sources and {share.rows} rows in the common field"
    return _check("matched_share", value, limit, "share", value is None or value >= limit, note)


def _impossible(exposures: Sequence[FitExposure], limits: Mapping[str, Any]) -> list[str]:
    out = []
    for e in exposures:
        if abs(e.scale - 1) > limits["max_scale_change"]:
            out.append(f"{e.rootname}: scale {e.scale:.5f}, limit 1 +- {limits['max_scale_change']:g}")
        if abs(e.rotation_deg) > limits["max_rotation_deg"]:
            out.append(f"{e.rootname}: rotation {e.rotation_deg:.4f} deg, limit {limits['max_rotation_deg']:g}")
    return out


def _consistency(fit: FitNumbers, exposures: Sequence[FitExposure], limits: Mapping[str, Any]) -> Check:
    rms = [e.rms_mas for e in exposures if e.rms_mas is not None]
    limit = max([limits["max_fit_rms_mas"], float(np.mean(rms)) if rms else 0.0])
    if len(exposures) < 2:
        return _check("consistency", 0.0, limit, "mas", True, "one exposure fitted: nothing to compare")
    measured = [e.common_offset_mas for e in exposures if e.common_offset_mas is not None]
    # Exposures of a visit need not overlap, and those of several associations have pointing errors of their own.
    if len(measured) == len(exposures) or fit.wcs_kind == "SVM":
        values = np.asarray(measured or [(0.0, 0.0)], dtype=float)
        note = "scatter of the offsets between exposures that remain after the fit, from common sources"
    else:
        values = np.asarray([[1000.0 * v for v in e.shift_arcsec] for e in exposures], dtype=float)
        note = "scatter of the shifts: too few sources in common to measure what remains between exposures"
    value = math.hypot(*np.std(values, axis=0))
    return _check("consistency", value, limit, "mas", value <= limit, note)


def _large_rms(exposures: Sequence[FitExposure], limits: Mapping[str, Any]) -> Check:
    rms = [e.rms_mas for e in exposures if e.rms_mas is not None]
    limit = float(limits["max_fit_limit_mas"])
    if not rms:
        return _check("large_rms", None, limit, "mas", False, "no matched star in any exposure")
    note = "the largest RMS of an exposure"
    missing = [e for e in exposures if e.rms_mas is None]
    if missing:
        note += f"; no matched star in {', '.join(e.rootname for e in missing)}"
    # An exposure tied to the others needs no star of its own; one that was not has no RMS to speak for it.
    alone = any(e.relative is None for e in missing)
    return _check("large_rms", max(rms), limit, "mas", max(rms) < limit and not alone, note)


def _together(fit: FitNumbers) -> bool:
    """Whether the exposures were fitted to the catalogue as one group, so that the group's matches count for each."""
    return fit.wcs_kind in ("REL", "SVM") or len(fit.exposures) == 1 or fit.fitgeom_used != fit.fitgeom


def _radial(fit: FitNumbers, exposures: Sequence[FitExposure]) -> Check:
    """(offset/10)^8 + 0.8 < 0.36 (n + 2), offset in arcsec: the more matches, the larger a shift can be believed."""
    worst = (-math.inf, 0.0, 0.0, "")
    for exposure in exposures:
        offset = math.hypot(*exposure.shift_arcsec)
        n = fit.nmatches if _together(fit) else exposure.nmatches
        room = 0.36 * (n + 2) - 0.8
        allowed = 10.0 * max(room, 0.0) ** 0.125
        if offset - allowed > worst[0]:
            worst = (offset - allowed, offset, allowed, exposure.rootname)
    return _check(
        "radial_offset", worst[1], worst[2], "arcsec", worst[0] < 0, f"{worst[3]}; the limit follows from its matches"
    )


def _nmatches(fit: FitNumbers, exposures: Sequence[FitExposure], required: Mapping[str, int]) -> Check:
    geometry = str(fit.fitgeom_used)
    limit = int(required[geometry])
    if _together(fit):
        value, note = fit.nmatches, f"distinct stars of the group, for {geometry}"
    else:
        value, note = min(e.nmatches for e in exposures), f"fewest of an exposure, for {geometry}"
    return _check("nmatches", value, limit, "stars", value >= limit, note)


def _correlation(stars: MatchedStars) -> float | None:
    """Pearson correlation of the magnitudes; None where fewer than 3 pairs, or equal ones, do not tell."""
    own, ref = (np.array([math.nan if v is None else v for v in mags]) for mags in (stars.source_mag, stars.ref_mag))
    good = np.isfinite(own) & np.isfinite(ref)
    if good.sum() < 3 or np.ptp(own[good]) == 0 or np.ptp(ref[good]) == 0:
        return None
    return float(np.corrcoef(own[good], ref[good])[0, 1])


def _cross_match(fit: FitNumbers, exposures: Sequence[FitExposure], limits: Mapping[str, Any]) -> Check:
    limit, enough = float(limits["least_correlation"]), int(limits["correlation_below_matches"])
    # Exposures that are tied to others of the visit, which have the catalogue's stars, need none of their own.
    few = [
        e for e in exposures if e.nmatches < enough and not (fit.wcs_kind == "SVM" and e.nmatches < 3 and e.relative)
    ]
    found = [(e.rootname, _correlation(e.matches)) for e in few]
    value, lowest = min(((r, name) for name, r in found if r is not None), key=lambda one: one[0], default=(None, ""))
    unmeasured = [name for name, r in found if r is None]
    if unmeasured:
        note = f"unmeasurable (fewer than 3 pairs with magnitudes): {', '.join(unmeasured)}"
        return _check("cross_match", value, limit, "Pearson r", False, note)
    if value is None:
        return _check("cross_match", None, limit, "Pearson r", True, f"not needed from {enough} matches on")
    return _check("cross_match", value, limit, "Pearson r", value > limit, f"lowest: {lowest}")
