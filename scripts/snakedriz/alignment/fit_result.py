"""What a fit found, in its JSON form: corrected WCS of every chip, residuals, and how far the result can be trusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.linear_fit import LinearFit
from snakedriz.alignment.relative_alignment import remaining_offsets
from snakedriz.alignment.tangent_plane import Member, Plane, inside, merge
from snakedriz.files import number
from snakedriz.geometry import rotation
from snakedriz.statistics import limits

if TYPE_CHECKING:
    from snakedriz.alignment.fitting import Fit

Array = NDArray[np.float64]


def _zero_point(work: Fit) -> tuple[float, float]:
    """Half-widths (mas, per axis) that hold the error of the frame in 68.27 and 95 per cent.

    At the middle of the matched stars, where rotation and scale do not enter. Exposures that were fitted one by one
    share the catalogue's errors: their residuals are averaged star by star first.
    """
    fit = work.fits.get("group")
    if fit is None and len(work.fits) == 1:
        fit = next(iter(work.fits.values()))
    if fit is None:
        total: dict[str, Any] = {"weight": 0.0, "position": 0.0, "residual": 0.0}
        for name, one in work.fits.items():
            own = next(m for m in work.members if m.rootname == name).error[one.own]
            weight = np.zeros(len(work.ref))
            weight[one.ref] = own**-2.0
            total["weight"] = total["weight"] + weight
            for key, value in (("position", one.moved), ("residual", one.residual)):
                spread = np.zeros((len(work.ref), 2))
                spread[one.ref] = value * (own**-2.0)[:, None]
                total[key] = total[key] + spread
        seen = np.flatnonzero(total["weight"] > 0)
        weight = total["weight"][seen]
        fit = LinearFit(
            work.geometry,
            np.eye(2),
            np.zeros(2),
            seen,
            seen,
            total["position"][seen] / weight[:, None],
            total["residual"][seen] / weight[:, None],
            np.hypot(weight**-0.5, work.ref_error[seen]),
        )
    scale = work.plane.scale * 1000.0
    return limits(fit.error() * scale, fit.freedom, float(work.options["zero_point_floor_mas"]))


def _exposure_error(work: Fit, member: Member) -> dict[str, float | None]:
    """Half-widths (mas, per axis) of the error of an exposure's frame: its fit's, and where it was tied, the tie's."""
    none: dict[str, float | None] = {"zero_point_error_mas": None, "zero_point_error95_mas": None}
    status = work.status[member.rootname]
    fit = work.fits.get(member.rootname, work.fits.get("group") if status == "fitted" else None)
    if fit is None or (member.tied and member.relative.get("error_px") is None):
        return none
    scale = work.plane.scale * 1000.0
    at = member.matrix @ member.centre + member.shift
    one, two = limits(fit.error(at) * scale, fit.freedom, float(work.options["zero_point_floor_mas"]))
    if member.tied:
        one = math.hypot(one, float(member.relative["error_px"]) * scale)
        two = math.hypot(two, float(member.relative["error95_px"]) * scale)
    return {"zero_point_error_mas": one, "zero_point_error95_mas": two}


def _share(work: Fit, matches: int) -> dict[str, int]:
    """Matches, and of what: distinct sources inside the catalogue's outline, and its rows on the exposures' chips."""
    stars = merge(work.members, work.options["relative"]["association_px"])
    rows = np.zeros(len(work.ref), dtype=bool)
    for member in work.members:
        for outline in member.outlines:
            rows |= inside(outline @ member.matrix.T + member.shift, work.ref)
    return {"matches": matches, "sources": int(inside(work.ref, stars.uv).sum()), "rows": int(rows.sum())}


def describe(work: Fit, out: dict[str, Any]) -> None:
    """Apply the corrections to the chips and describe the result.

    Members of `exposures`: rootname; status (fitted, kept, fitted alone); chips (extver, crval in deg, cd in deg/px);
    shift_px (x west, y north, at the middle of the exposure), shift_arcsec (east, north); rotation_deg (from north to
    east, as position angles), scale; nmatches; rms_mas (root mean square of the separations about zero), rms_ra_mas,
    rms_dec_mas, mae_mas (mean separation), median_ra_mas, median_dec_mas; significance; common_offset_mas (from the
    exposure with most sources, by common sources; None if too few); relative (nmatches, rms_px, offset_px, shift_px,
    rotation_deg, scale, geometry, significance, reason; None for other methods); matches (reference rows' objID,
    source ids, residuals in mas, magnitudes); zero_point_error_mas and zero_point_error95_mas, at the middle of the
    exposure. `nmatches` of the whole counts distinct catalogue stars; its `zero_point_error_mas` and
    `zero_point_error95_mas` are half-widths per axis that hold the error of the frame, at the middle of the matched
    stars, in 68.27 and 95 per cent, by Student's t; `share`: matches, sources and rows, see `_share`.
    """
    plane, everything = work.plane, []
    rows_used = np.unique(np.concatenate(list(work.used.values())))
    offsets = remaining_offsets(work.members, work.options)
    to_mas = np.array([-plane.scale, plane.scale]) * 1000.0
    for member, offset in zip(work.members, offsets, strict=True):
        chips = _correct_chips(plane, member)
        match = _final_matches(work, member, rows_used)
        everything.append(match)
        moved = member.moved
        angle = math.degrees(rotation(member.matrix))
        out["exposures"].append(
            {
                "rootname": member.rootname,
                "status": work.status[member.rootname],
                "chips": chips,
                "shift_px": [float(v) for v in moved],
                "shift_arcsec": [-float(moved[0]) * plane.scale, float(moved[1]) * plane.scale],
                "rotation_deg": angle,
                "scale": math.sqrt(abs(float(np.linalg.det(member.matrix)))),
                "nmatches": len(match["ref"]),
                **_residuals(match["residual_mas"]),
                **_exposure_error(work, member),
                "significance": number(
                    work.found.get(member.rootname, work.found.get("group", matching.Match())).significance
                ),
                "common_offset_mas": None if offset is None else [float(v) for v in offset * to_mas],
                "relative": member.relative or None,
                "matches": {
                    "objID": [str(work.reference["objID"][r]) for r in match["ref"]],
                    "source": [int(member.sources["id"][member.row[i]]) for i in match["image"]],
                    "d_ra_mas": [round(float(v), 4) for v in match["residual_mas"][:, 0]],
                    "d_dec_mas": [round(float(v), 4) for v in match["residual_mas"][:, 1]],
                    "source_mag": [number(member.mag[i]) for i in match["image"]],
                    "ref_mag": [number(work.reference["mag"][r]) for r in match["ref"]],
                },
            }
        )
    pooled = np.concatenate([m["residual_mas"] for m in everything]) if everything else np.empty((0, 2))
    distinct = np.unique(np.concatenate([m["ref"] for m in everything]))
    summary = _residuals(pooled)
    out.update(
        fitgeom_used=work.geometry,
        total_rms_mas=summary["rms_mas"],
        rms_ra_mas=summary["rms_ra_mas"],
        rms_dec_mas=summary["rms_dec_mas"],
        nmatches=len(distinct),
        plane={"ra": float(plane.wcs.wcs.crval[0]), "dec": float(plane.wcs.wcs.crval[1]), "scale_arcsec": plane.scale},
        reason="; ".join(work.notes),
    )
    out["zero_point_error_mas"], out["zero_point_error95_mas"] = _zero_point(work)
    out["share"] = _share(work, len(distinct))
    found = [work.found[name] for name in work.found if name in work.used]
    out["significance"] = number(min((m.significance for m in found), default=0.0))
    out["match"] = {name: match.summary() for name, match in sorted(work.found.items())}


def _correct_chips(plane: Plane, member: Member) -> list[dict[str, Any]]:
    """Write the member's correction into each chip's WCS: only CRVAL and CD change."""
    chips = []
    for version, corrector in member.correctors.items():
        corrector.set_correction(member.matrix, member.shift, ref_tpwcs=plane.corrector)
        wcs = corrector.wcs.wcs
        chips.append(
            {
                "extver": int(version),
                "crval": [float(v) for v in wcs.crval],
                "cd": [[float(v) for v in row] for row in wcs.cd],
            }
        )
    return chips


def _final_matches(work: Fit, member: Member, rows_used: NDArray[np.intp]) -> dict[str, Any]:
    """Sources of an exposure and the catalogue rows they are, by the corrected WCS of its chips."""
    table = member.sources
    uv = np.empty_like(member.start)
    chip = np.asarray(table["chip"])[member.row] if len(member.row) else np.empty(0, np.int32)
    for version, corrector in member.correctors.items():
        mine = chip == version
        if mine.any():
            x, y = (np.asarray(table[c], dtype=float)[member.row][mine] for c in ("x", "y"))
            uv[mine] = work.plane.from_sky(*corrector.det_to_world(x, y))
    if len(member.motion):
        uv -= member.motion
    name = member.rootname if member.rootname in work.found else "group"
    tolerance = max(work.found[name].tolerance, work.options["min_tolerance_px"]) if name in work.found else 1.0
    rows = work.used.get(member.rootname, rows_used)
    if not len(uv) or not len(rows):
        return {"image": np.empty(0, np.intp), "ref": np.empty(0, np.intp), "residual_mas": np.empty((0, 2))}
    image, near = matching.mutual_neighbours(uv, work.ref[rows], tolerance)
    ref = rows[near]
    order = np.argsort(ref, kind="stable")
    image, ref = image[order], ref[order]
    scale = work.plane.scale * 1000.0
    return {"image": image, "ref": ref, "residual_mas": (uv[image] - work.ref[ref]) * np.array([-scale, scale])}


def _residuals(residual: Array) -> dict[str, Any]:
    """True root mean square (about zero) and mean separation of residuals (n, 2) towards east and north, mas."""
    names = ("rms_mas", "rms_ra_mas", "rms_dec_mas", "mae_mas", "median_ra_mas", "median_dec_mas")
    if not len(residual):
        return dict.fromkeys(names)
    square = (residual**2).mean(axis=0)
    median = np.median(residual, axis=0)
    values = (
        math.sqrt(square.sum()),
        math.sqrt(square[0]),
        math.sqrt(square[1]),
        np.hypot(*residual.T).mean(),
        median[0],
        median[1],
    )
    return {name: float(value) for name, value in zip(names, values, strict=True)}
