"""What a fit found, for its artefact: corrected WCS of every chip, residuals, and how far the result can be trusted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.catalog_alignment import GROUP, CatalogAlignment
from snakedriz.alignment.linear_fit import LinearFit
from snakedriz.alignment.relative_alignment import remaining_offsets
from snakedriz.alignment.tangent_plane import Array, PlacedExposure, TangentPlane, inside, merge, positions
from snakedriz.artefacts.fit import FitChip, FitExposure, FitNumbers, FitPlane, MatchedShare, MatchedStars
from snakedriz.files import number
from snakedriz.statistics import limits


def describe(work: CatalogAlignment, about: FitNumbers) -> FitNumbers:
    """Apply the corrections to the chips and describe the result.

    Parameters
    ----------
    work : CatalogAlignment
        With every exposure corrected; the correctors of its chips are changed.
    about : FitNumbers
        What was fitted to what, still without numbers.
    """
    rows_used = np.unique(np.concatenate(list(work.used.values())))
    offsets = remaining_offsets(work.exposures, work.options)
    matches, exposures = [], []
    for exposure, offset in zip(work.exposures, offsets, strict=True):
        chips = corrected_chips(work.plane, exposure)
        matches.append(FinalMatches.of(work, exposure, rows_used))
        exposures.append(_fit_exposure(work, exposure, chips, matches[-1], offset))
    pooled = np.concatenate([m.residual_mas for m in matches]) if matches else np.empty((0, 2))
    distinct = np.unique(np.concatenate([m.ref for m in matches]))
    summary = Residuals.of(pooled)
    zero_point, zero_point95 = _zero_point(work)
    crval = work.plane.wcs.wcs.crval
    found: dict[str, Any] = {
        "fitgeom_used": work.geometry,
        "exposures": exposures,
        "total_rms_mas": summary.rms_mas,
        "rms_ra_mas": summary.rms_ra_mas,
        "rms_dec_mas": summary.rms_dec_mas,
        "nmatches": len(distinct),
        "plane": FitPlane(ra=crval[0], dec=crval[1], scale_arcsec=work.plane.scale),
        "reason": "; ".join(work.notes),
        "zero_point_error_mas": zero_point,
        "zero_point_error95_mas": zero_point95,
        "share": _share(work, len(distinct)),
        "significance": min(
            (match.significance for name, match in work.found.items() if name in work.used), default=0.0
        ),
        "match": {name: match.summary() for name, match in sorted(work.found.items())},
    }
    return FitNumbers(**{**about.given(), **found})


def _fit_exposure(
    work: CatalogAlignment,
    exposure: PlacedExposure,
    chips: list[FitChip],
    matches: FinalMatches,
    offset: Array | None,
) -> FitExposure:
    """Describe one exposure; `offset` (px) is how far it remains from the others."""
    name, scale, moved = exposure.rootname, work.plane.scale, exposure.moved
    error, error95 = _exposure_error(work, exposure)
    match = work.found.get(name, work.found.get(GROUP, matching.Match()))
    return FitExposure(
        rootname=name,
        status=work.status[name],
        chips=chips,
        shift_px=moved.tolist(),
        shift_arcsec=[-float(moved[0]) * scale, float(moved[1]) * scale],
        rotation_deg=math.degrees(exposure.rotation),
        scale=exposure.scale,
        nmatches=len(matches.ref),
        **asdict(Residuals.of(matches.residual_mas)),
        zero_point_error_mas=error,
        zero_point_error95_mas=error95,
        significance=match.significance,
        common_offset_mas=None if offset is None else (offset * (np.array([-scale, scale]) * 1000.0)).tolist(),
        relative=exposure.relative,
        matches=MatchedStars(
            objID=[str(work.reference["objID"][r]) for r in matches.ref],
            source=[int(exposure.sources["id"][exposure.row[i]]) for i in matches.image],
            d_ra_mas=[round(float(v), 4) for v in matches.residual_mas[:, 0]],
            d_dec_mas=[round(float(v), 4) for v in matches.residual_mas[:, 1]],
            source_mag=[number(exposure.mag[i]) for i in matches.image],
            ref_mag=[number(work.reference["mag"][r]) for r in matches.ref],
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


@dataclass(frozen=True)
class FinalMatches:
    """Sources of an exposure and the catalogue rows they are, by the corrected WCS of its chips.

    Attributes
    ----------
    image, ref : integer arrays, shape (n,)
        Indices into the exposure's sources and the catalogue's rows.
    residual_mas : array, shape (n, 2)
        Source minus catalogue, towards east and north.
    """

    image: NDArray[np.intp]
    ref: NDArray[np.intp]
    residual_mas: Array

    @classmethod
    def of(cls, work: CatalogAlignment, exposure: PlacedExposure, rows_used: NDArray[np.intp]) -> FinalMatches:
        """Match the exposure to the rows that its own fit used, or else to `rows_used`."""
        uv = positions(work.plane, exposure.correctors, exposure.sources, exposure.row)
        if len(exposure.motion):
            uv -= exposure.motion
        match = work.found.get(exposure.rootname, work.found.get(GROUP))
        tolerance = max(match.tolerance, work.options["min_tolerance_px"]) if match is not None else 1.0
        rows = work.used.get(exposure.rootname, rows_used)
        if not len(uv) or not len(rows):
            return cls(np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, 2)))
        image, near = matching.mutual_neighbours(uv, work.ref.uv[rows], tolerance)
        ref = rows[near]
        order = np.argsort(ref, kind="stable")
        image, ref = image[order], ref[order]
        scale = work.plane.scale * 1000.0
        return cls(image, ref, (uv[image] - work.ref.uv[ref]) * np.array([-scale, scale]))


@dataclass(frozen=True)
class Residuals:
    """True root mean square (about zero), mean separation and median of residuals, mas; None without any."""

    rms_mas: float | None = None
    rms_ra_mas: float | None = None
    rms_dec_mas: float | None = None
    mae_mas: float | None = None
    median_ra_mas: float | None = None
    median_dec_mas: float | None = None

    @classmethod
    def of(cls, residual: Array) -> Residuals:
        """Of residuals (n, 2) towards east and north, mas."""
        if not len(residual):
            return cls()
        square = (residual**2).mean(axis=0)
        median = np.median(residual, axis=0)
        return cls(
            math.sqrt(square.sum()),
            math.sqrt(square[0]),
            math.sqrt(square[1]),
            float(np.hypot(*residual.T).mean()),
            float(median[0]),
            float(median[1]),
        )


def _zero_point(work: CatalogAlignment) -> tuple[float, float]:
    """Half-widths (mas, per axis) that hold the error of the frame in 68.27 and 95 per cent.

    At the middle of the matched stars, where rotation and scale do not enter.
    """
    fit = work.fits.get(GROUP)
    if fit is None:
        fit = next(iter(work.fits.values())) if len(work.fits) == 1 else _pooled(work)
    scale = work.plane.scale * 1000.0
    return limits(fit.error() * scale, fit.freedom, float(work.options["zero_point_floor_mas"]))


def _pooled(work: CatalogAlignment) -> LinearFit:
    """Average the residuals of exposures that were fitted one by one, by star: they share the catalogue's errors."""
    rows = len(work.ref.uv)
    total, position, residual = np.zeros(rows), np.zeros((rows, 2)), np.zeros((rows, 2))
    for name, one in work.fits.items():
        own = next(e for e in work.exposures if e.rootname == name).error[one.own]
        weight = np.zeros(rows)
        weight[one.ref] = own**-2.0
        total += weight
        for pool, value in ((position, one.moved), (residual, one.residual)):
            spread = np.zeros((rows, 2))
            spread[one.ref] = value * (own**-2.0)[:, None]
            pool += spread
    seen = np.flatnonzero(total > 0)
    weight = total[seen]
    return LinearFit(
        work.geometry,
        np.eye(2),
        np.zeros(2),
        seen,
        seen,
        position[seen] / weight[:, None],
        residual[seen] / weight[:, None],
        np.hypot(weight**-0.5, work.ref.error[seen]),
    )


def _exposure_error(work: CatalogAlignment, exposure: PlacedExposure) -> tuple[float | None, float | None]:
    """Half-widths (mas, per axis) of the error of an exposure's frame: its fit's, and where it was tied, the tie's."""
    fitted = work.status[exposure.rootname] == "fitted"
    fit = work.fits.get(exposure.rootname, work.fits.get(GROUP) if fitted else None)
    scale = work.plane.scale * 1000.0
    if fit is None:
        return None, None
    one, two = limits(fit.error(exposure.middle) * scale, fit.freedom, float(work.options["zero_point_floor_mas"]))
    if exposure.tied:
        tie = exposure.relative
        if tie is None or tie.error_px is None or tie.error95_px is None:
            return None, None
        return math.hypot(one, tie.error_px * scale), math.hypot(two, tie.error95_px * scale)
    return one, two


def _share(work: CatalogAlignment, matches: int) -> MatchedShare:
    """Matches, and of what: distinct sources inside the catalogue's outline, and its rows on the exposures' chips."""
    stars = merge(work.exposures, work.association_px)
    rows = np.zeros(len(work.ref.uv), dtype=bool)
    for exposure in work.exposures:
        for outline in exposure.outlines:
            rows |= inside(outline @ exposure.matrix.T + exposure.shift, work.ref.uv)
    return MatchedShare(matches=matches, sources=int(inside(work.ref.uv, stars.uv).sum()), rows=int(rows.sum()))
