"""What a fit found, for its artefact: corrected WCS of every chip, residuals, and how far the result can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import exposure_ties, held_out
from snakedriz.alignment.joint_alignment import JointAlignment
from snakedriz.alignment.tangent_plane import Array, PlacedExposure, TangentPlane, inside, merge, positions
from snakedriz.artefacts.fit import FitChip, FitExposure, FitNumbers, FitPlane, MatchedShare, MatchedStars, RelativeTie
from snakedriz.files import number
from snakedriz.statistics import RADIUS

#: How an exposure got its correction.
Status = Literal["fitted", "kept", "inherited"]


def describe(work: JointAlignment, about: FitNumbers, carried: Mapping[str, Status] | None = None) -> FitNumbers:
    """Apply the corrections of the exposures to their chips and add the numbers to what was fitted to what.

    `carried` has the status of exposures without a star of their own, by rootname; "kept" without.
    """
    ties = [exposure_ties.tie_of(work, index) for index in range(len(work.exposures))]
    matches, exposures = [], []
    for index, exposure in enumerate(work.exposures):
        chips = corrected_chips(work.plane, exposure)
        matches.append(_final_matches(work, index))
        held = len(matches[-1].ref) or (ties[index].nmatches or 0)
        status: Status = "fitted" if held else (carried or {}).get(exposure.rootname, "kept")
        exposures.append(_fit_exposure(work, index, chips, matches[-1], ties[index], status))
    pooled = np.concatenate([m.residual_mas for m in matches]) if matches else np.empty((0, 2))
    distinct = np.unique(np.concatenate([m.ref for m in matches]))
    summary = residual_numbers(pooled)
    crval = work.plane.wcs.wcs.crval
    zero_point, zero_point95 = _with_floor(work, work.errors.of_frame())
    found: dict[str, Any] = {
        "fitgeom_used": work.geometry,
        "exposures": exposures,
        "total_rms_mas": summary["rms_mas"],
        "rms_ra_mas": summary["rms_ra_mas"],
        "rms_dec_mas": summary["rms_dec_mas"],
        "nmatches": len(distinct),
        "plane": FitPlane(ra=crval[0], dec=crval[1], scale_arcsec=work.plane.scale),
        "reason": "; ".join(work.notes),
        "zero_point_error_mas": zero_point,
        "zero_point_error95_mas": zero_point95,
        "field_error_mas": _field_error(work),
        "distortion_px": work.solution.distortion,
        "share": _share(work, len(distinct)),
        "significance": work.significance,
        "match": {name: match.summary() for name, match in sorted(work.pairing.matches.items())},
        "held_out": held_out.measure(work),
    }
    return FitNumbers(**{**about.given(), **found})


def _with_floor(work: JointAlignment, half_widths: tuple[float, float]) -> tuple[float, float]:
    """Half-widths (px) in mas, with what no number of stars removes: the catalogue's own frame."""
    scale, floor = work.plane.scale * 1000.0, float(work.options["zero_point_floor_mas"])
    one, two = half_widths
    return math.hypot(one * scale, floor), math.hypot(two * scale, 1.96 * floor)


def _field_error(work: JointAlignment) -> float:
    """Error (mas, radius, 68 per cent) that stars in the corners of the exposures have on average: what roll adds."""
    scale = work.plane.scale * 1000.0
    squares = [
        work.errors.of_exposure(index, corner)[0] ** 2
        for index, exposure in enumerate(work.exposures)
        for corner in np.vstack(exposure.outlines)
    ]
    return RADIUS * math.sqrt(float(np.mean(squares))) * scale if squares else 0.0


def _fit_exposure(
    work: JointAlignment, index: int, chips: Sequence[FitChip], matches: FinalMatches, tie: RelativeTie, status: Status
) -> FitExposure:
    """Describe one exposure."""
    exposure, scale = work.exposures[index], work.plane.scale
    name, moved = exposure.rootname, exposure.moved
    error, error95 = _with_floor(work, work.errors.of_exposure(index, exposure.centre))
    towards = np.array([-scale, scale]) * 1000.0
    offset = None if tie.offset_px is None else (np.array(tie.offset_px) * towards).tolist()
    rows = work.reference if work.reference is not None else {}
    return FitExposure(
        rootname=name,
        status=status,
        chips=chips,
        shift_px=moved.tolist(),
        shift_arcsec=[-float(moved[0]) * scale, float(moved[1]) * scale],
        rotation_deg=math.degrees(exposure.rotation),
        scale=exposure.scale,
        nmatches=len(matches.ref),
        **residual_numbers(matches.residual_mas),
        zero_point_error_mas=error,
        zero_point_error95_mas=error95,
        floor_px=float(work.solution.floor[index]),
        significance=work.match_of(name).significance,
        common_offset_mas=offset,
        relative=tie if tie.nmatches else None,
        matches=MatchedStars(
            objID=[str(rows["objID"][r]) for r in matches.ref],
            source=[int(exposure.sources["id"][exposure.row[i]]) for i in matches.image],
            d_ra_mas=[round(float(v), 4) for v in matches.residual_mas[:, 0]],
            d_dec_mas=[round(float(v), 4) for v in matches.residual_mas[:, 1]],
            source_mag=[number(exposure.mag[i]) for i in matches.image],
            ref_mag=[number(rows["mag"][r]) for r in matches.ref],
        ),
    )


def corrected_chips(plane: TangentPlane, exposure: PlacedExposure) -> list[FitChip]:
    """Write the exposure's correction into each chip's WCS: only CRVAL and CD change."""
    chips = []
    for version, corrector in exposure.correctors.items():
        corrector.set_correction(exposure.matrix, exposure.shift, ref_tpwcs=plane.corrector)
        wcs = corrector.wcs.wcs
        chips.append(FitChip(extver=version, crval=wcs.crval.tolist(), cd=wcs.cd.tolist()))
    return chips


class FinalMatches(NamedTuple):
    """Indices of an exposure's sources and the catalogue rows they are; source minus catalogue, east and north, mas."""

    image: NDArray[np.intp]
    ref: NDArray[np.intp]
    residual_mas: Array


def _final_matches(work: JointAlignment, index: int) -> FinalMatches:
    """Return an exposure's matches with their residuals by the corrected WCS of its chips."""
    exposure = work.exposures[index]
    image, ref = work.matched(index)
    uv = positions(work.plane, exposure.correctors, exposure.sources, exposure.row[image])
    if len(exposure.motion):
        uv -= exposure.motion[image]
    scale = work.plane.scale * 1000.0
    return FinalMatches(image, ref, (uv - work.ref.uv[ref]) * np.array([-scale, scale]))


def residual_numbers(residual: Array) -> dict[str, float | None]:
    """True root mean square (about zero), mean separation and median of residuals (n, 2) to east and north, mas."""
    names = ("rms_mas", "rms_ra_mas", "rms_dec_mas", "mae_mas", "median_ra_mas", "median_dec_mas")
    if not len(residual):
        return dict.fromkeys(names)
    square = (residual**2).mean(axis=0)
    values = (np.sqrt(square.sum()), *np.sqrt(square), np.hypot(*residual.T).mean(), *np.median(residual, axis=0))
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _share(work: JointAlignment, matches: int) -> MatchedShare:
    """Matches, and of what: distinct sources inside the catalogue's outline, and its rows on the exposures' chips."""
    stars = merge(work.exposures, float(work.options["relative"]["association_px"]))
    rows = np.zeros(len(work.ref.uv), dtype=bool)
    for exposure in work.exposures:
        for outline in exposure.outlines:
            rows |= inside(outline @ exposure.matrix.T + exposure.shift, work.ref.uv)
    return MatchedShare(matches=matches, sources=int(inside(work.ref.uv, stars.uv).sum()), rows=int(rows.sum()))
