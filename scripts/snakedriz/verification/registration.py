"""Registration: the measured shift of every exposure, and of each of its chips, against the others, with its error.

Sources are found in every single drizzle by itself and matched between exposures: the product, in which a displaced
exposure would be compared with itself, has no part in it. Where sources are too few or too broad, the images
themselves are correlated with the combination of the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import (
    ChipRegistration,
    ExposureRegistration,
    LinearTerms,
    MeasuredShift,
    Registration,
    ShiftInMas,
)
from snakedriz.statistics import factor
from snakedriz.verification import correlation
from snakedriz.verification.frame_stars import FrameStars
from snakedriz.verification.frames import Frames

Array = NDArray[np.float64]
#: An exposure that shares less than this part of its pixels with others is not compared with them.
LEAST_OVERLAP = 0.01
_LEAST_LINEAR = 8  # sources for rotation and scale along with the shift: twice the unknowns
#: Standard error of the median of n values over that of their mean (Gaussian; 1.2533 for many).
_OF_MEDIAN = (1.0, 1.0, 1.0, 1.160, 1.092, 1.197, 1.135, 1.214)
_MOST_PARTNERS = 7  # exposures that one is compared with: those it overlaps best for longest


@dataclass(frozen=True)
class Trend:
    """Mean shift of a list of differences, with the linear trend (one rotation, one scale) about its middle."""

    shift: Array  # x, y, px
    error: Array  # standard error of the shift, without systematics
    freedom: int  # degrees of freedom of the error
    rotation: float  # rad; 0 where it was not fitted
    scale: float  # 1 where it was not fitted
    slope_error: float  # standard error of rotation (rad) and of scale; NaN where they were not fitted
    radius: float  # root mean square distance of the sources from their middle, px
    middle: Array  # of the sources: x, y, px
    used: NDArray[np.bool_]  # rows that were not clipped

    def at(self, positions: Array) -> Array:
        """Return the shift at positions (n, 2), px."""
        x, y = (positions - self.middle).T
        p, q = self.scale - 1.0, self.rotation
        return np.asarray(self.shift + np.column_stack([p * x - q * y, p * y + q * x]))


def trend(positions: Array, difference: Array, linear: bool) -> Trend:
    """Fit differences (n, 2) at positions (n, 2); rows more than 3.5 robust standard deviations off are clipped."""
    used = np.ones(len(difference), dtype=bool)
    for _ in range(20):
        middle = np.median(difference[used], axis=0) if not linear else difference[used].mean(axis=0)
        offset = positions - positions[used].mean(axis=0)
        u, d = offset[used], (difference - middle)[used]
        square = float((u**2).sum())
        p = q = 0.0
        if linear and square > 0:
            p = float((u * d).sum()) / square
            q = float((u[:, 0] * d[:, 1] - u[:, 1] * d[:, 0]).sum()) / square
        x, y = offset.T
        residual = difference - middle - np.column_stack([p * x - q * y, p * y + q * x])
        distance = np.abs(residual - np.median(residual[used], axis=0))
        now = (distance < 3.5 * (1.4826 * np.median(distance[used], axis=0) + 1e-3)).all(axis=1)
        if now.sum() < (_LEAST_LINEAR if linear else 3) or (now == used).all():
            break
        used = now
    n = int(used.sum())
    freedom = max(n - 2 if linear else n - 1, 1)
    variance = ((residual[used] - residual[used].mean(axis=0)) ** 2).sum(axis=0) / freedom
    slope_error = float(np.sqrt(variance.mean() / square)) if linear and square > 0 else float("nan")
    return Trend(
        difference[used].mean(axis=0), np.sqrt(variance / n), freedom, q, 1.0 + p, slope_error,
        float(np.sqrt(square / n)), positions[used].mean(axis=0), used,
    )  # fmt: skip


def _shift(shift: Array, error: Array, freedom: float, floor: float) -> MeasuredShift:
    """Return a shift with its 68 % and 95 % half-widths, the systematic floor (1 sigma, px) in quadrature."""
    widths, widths95 = (np.hypot(factor(sigmas, freedom) * error, sigmas * floor) for sigmas in (1.0, 1.959964))
    return MeasuredShift(
        dx=shift[0], dy=shift[1], dx_err=widths[0], dy_err=widths[1], dx_err95=widths95[0], dy_err95=widths95[1],
        freedom=float(freedom),
    )  # fmt: skip


def _in_mas(shift: MeasuredShift, scale: float) -> ShiftInMas:
    lengths = {name: value for name, value in shift if name != "freedom"}
    return ShiftInMas(**{f"{name}_mas": None if x is None else x * scale * 1e3 for name, x in lengths.items()})


def displacement(row: ExposureRegistration | ChipRegistration) -> tuple[float, float] | None:
    """Return the total displacement of an exposure or chip and half of its 2-sigma error, px; None if not measured.

    The mean shift, and what rotation and scale add, in quadrature.
    """
    if row.dx is None or row.dy is None or row.dx_err is None or row.dy_err is None or row.freedom is None:
        return None
    field, field_err = (row.field, row.field_err) if isinstance(row, ExposureRegistration) else (None, None)
    error = math.hypot(row.dx_err, row.dy_err, field_err or 0.0)
    return (
        math.hypot(row.dx, row.dy, field or 0.0), error * factor(2.0, row.freedom) / factor(1.0, row.freedom) / 2.0
    )  # fmt: skip


def displacements(exposure: ExposureRegistration) -> Iterator[tuple[float, float, str]]:
    """Yield what was measured of an exposure and of each of its chips: `displacement` and name."""
    chips = [(f"{exposure.rootname} chip {chip.extver}", chip) for chip in exposure.chips]
    rows: list[tuple[str, ExposureRegistration | ChipRegistration]] = [(exposure.rootname, exposure), *chips]
    for name, row in rows:
        if (found := displacement(row)) is not None:
            yield (*found, name)


def _partners(frames: Frames) -> list[list[int]]:
    """For every exposure the others that it is compared with, in the order of the exposures."""
    share = frames.overlaps()
    chosen = []
    for index in range(len(frames.singles)):
        rank = sorted(
            (-share[index, other] * single.exptime, other)
            for other, single in enumerate(frames.singles)
            if other != index and share[index, other] >= LEAST_OVERLAP
        )
        chosen.append(sorted(other for _, other in rank[:_MOST_PARTNERS]))
    return chosen


def _match(own: Array, other: Array, options: Mapping[str, Any]) -> matching.Match:
    return matching.match(
        own, other, searchrad=float(options["search_px"]), tolerance=2.0, min_tolerance=0.5,
        max_false_alarm=float(options["max_false_alarm"]),
    )  # fmt: skip


def _matches(
    lists: Sequence[FrameStars], partners: Sequence[Sequence[int]], options: Mapping[str, Any], frames: Frames
) -> Matches:
    """Match the sources of every pair of exposures that is compared, from the one to the other and back."""
    pairs = [(i, j) for i, j in combinations(range(len(lists)), 2) if j in partners[i] or i in partners[j]]
    found = frames.each(lambda pair: _match(lists[pair[0]].positions, lists[pair[1]].positions, options), pairs)
    both: Matches = {}
    for (i, j), match in zip(pairs, found, strict=True):
        both[i, j] = Pairs(match.image, match.ref, match.significance)
        both[j, i] = Pairs(match.ref, match.image, match.significance)
    return both


@dataclass(frozen=True)
class Pairs:
    """Matched sources: indices into an exposure's own list and the other's, and the significance of the match."""

    own: NDArray[np.intp]
    other: NDArray[np.intp]
    significance: float


Matches = dict[tuple[int, int], Pairs]


def _differences(
    positions: Array, found: Sequence[tuple[Pairs, Array]], options: Mapping[str, Any]
) -> tuple[Array, float]:
    """Position of each source less that in the other exposures, NaN where none has it; and the largest significance.

    Shift and rotation are the median over the exposures of those against each: one displaced exposure among the
    others does not move them. Sources add what they differ by from those, averaged. `positions`, shape (n, 2), are an
    exposure's own, `found` its pairs with each of the others and the others' positions.
    """
    least = int(options["least_stars"])
    trends, total, number, significance = [], np.zeros(positions.shape), np.zeros(len(positions)), 0.0
    for pairs, theirs in found:
        if len(pairs.own) < least:
            continue
        difference = positions[pairs.own] - theirs[pairs.other]
        found_trend = trend(positions[pairs.own], difference, len(difference) >= _LEAST_LINEAR)
        trends.append(found_trend.at(positions))
        total[pairs.own] += difference - trends[-1][pairs.own]
        number[pairs.own] += 1
        significance = max(significance, pairs.significance)
    out = np.full(positions.shape, np.nan)
    if trends:
        known = number > 0
        out[known] = np.median(trends, axis=0)[known] + total[known] / number[known, None]
    return out, significance


def _by_sources(
    frames: Frames, lists: Sequence[FrameStars], partners: Sequence[int], matches: Matches, index: int,
    options: Mapping[str, Any],
) -> ExposureRegistration | None:  # fmt: skip
    """Shift from matched sources, None where there are too few of them."""
    own = lists[index]
    pairs = [(matches[index, other], lists[other].positions) for other in partners]
    difference, significance = _differences(own.positions, pairs, options)
    rows, flagged_share = _rows(own, difference, options)
    if len(rows) < int(options["least_stars"]):
        return None
    found = trend(own.positions[rows], difference[rows], len(rows) >= _LEAST_LINEAR)
    n = int(found.used.sum())
    if n < int(options["least_stars"]):
        return None
    shift = _shift(found.shift, _OF_MEDIAN[len(partners)] * found.error, found.freedom, float(options["floor_px"]))
    linear = np.isfinite(found.slope_error)
    spread = factor(1.0, found.freedom) * found.slope_error
    return ExposureRegistration(
        rootname=frames.singles[index].rootname, method="sources", nmatches=n, significance=significance,
        flagged_share=flagged_share, **dict(shift), **dict(_in_mas(shift, frames.scale)),
        rotation_deg=float(np.degrees(found.rotation)) if linear else None,
        rotation_deg_err=float(np.degrees(spread)) if linear else None,
        scale=found.scale if linear else None, scale_err=float(spread) if linear else None,
        field=float(np.hypot(found.rotation, found.scale - 1.0)) * found.radius if linear else 0.0,
        field_err=float(spread) * found.radius * np.sqrt(2.0) if linear else 0.0,
        chips=_by_chip(own, [lists[other] for other in partners], options, frames.scale),
    )  # fmt: skip


def _rows(own: FrameStars, difference: Array, options: Mapping[str, Any]) -> tuple[NDArray[np.intp], float]:
    """Return the sources to use, and the share of the matched ones that the CR step flagged.

    A ray beside a star pulls its centroid; but where the CR step took the stars themselves, they are what counts.
    """
    rows = np.flatnonzero(np.isfinite(difference[:, 0]))
    if not len(rows):
        return rows, 0.0
    clean = rows[~own.touched[rows]]
    share = float(own.touched[rows].mean())
    return (clean if len(clean) >= max(int(options["least_stars"]), 0.5 * len(rows)) else rows), share


def _by_chip(
    own: FrameStars, others: Sequence[FrameStars], options: Mapping[str, Any], scale: float
) -> list[ChipRegistration]:
    """Shift of each chip where the exposure has several: a chip can be off by itself (a stale WCS).

    Its sources are matched by themselves: those of the other chip would have the offset between the two clipped.
    """
    chips = sorted({int(chip) for chip in own.chips} - {0})
    out: list[ChipRegistration] = []
    for chip in chips if len(chips) > 1 else ():
        mine = own.of_chip(chip)
        found = [_match(mine.positions, other.positions, options) for other in others]
        pairs = [
            (Pairs(match.image, match.ref, match.significance), other.positions)
            for match, other in zip(found, others, strict=True)
        ]
        difference, _ = _differences(mine.positions, pairs, options)
        rows, _ = _rows(mine, difference, options)
        number, shift = len(rows), _NO_SHIFT
        if number >= int(options["least_stars"]):
            line = trend(mine.positions[rows], difference[rows], False)
            error = _OF_MEDIAN[len(others)] * line.error
            shift = _shift(line.shift, error, line.freedom, float(options["floor_px"]))
            number = int(line.used.sum())
        out.append(ChipRegistration(extver=chip, nmatches=number, **dict(shift), **dict(_in_mas(shift, scale))))
    return out


def _by_correlation(frames: Frames, index: int, options: Mapping[str, Any]) -> ExposureRegistration | None:
    """Shift from cross-correlation with the others combined; None where that shows nothing."""
    single = frames.singles[index]
    both = single.covered & single.others_covered
    found = correlation.measure(single.image, single.others, both, options)
    if found is None:
        return None
    shift = _shift(found.shift, found.error, found.freedom, float(options["correlation_floor_px"]))
    return ExposureRegistration(
        rootname=single.rootname, method="correlation", nmatches=found.patches, significance=found.contrast,
        flagged_share=None, **dict(shift), **dict(_in_mas(shift, frames.scale)), **dict(_NO_TERMS),
    )  # fmt: skip


_NO_SHIFT = MeasuredShift(dx=None, dy=None, dx_err=None, dy_err=None, dx_err95=None, dy_err95=None, freedom=None)
_NO_TERMS = LinearTerms(
    rotation_deg=None, rotation_deg_err=None, scale=None, scale_err=None, field=None, field_err=None, chips=()
)


def _unmeasured(rootname: str, method: Literal["unmeasurable", "no overlap"]) -> ExposureRegistration:
    return ExposureRegistration(
        rootname=rootname, method=method, nmatches=0, significance=None, flagged_share=None, **dict(_NO_SHIFT),
        **dict(_in_mas(_NO_SHIFT, 1.0)), **dict(_NO_TERMS),
    )  # fmt: skip


def _error(row: ExposureRegistration) -> float:
    """Half of the 2-sigma error of a displacement, px; infinite where it was not measured."""
    found = displacement(row)
    return math.inf if found is None else found[1]


def measure(frames: Frames, lists: Sequence[FrameStars], settings: Mapping[str, Any]) -> Registration:
    """Measure the shift of every exposure against the others.

    `frames` are prepared, `lists` the sources of each single (`frame_stars.of_frames`); `settings` has `log_sigma_px`
    and the block `registration`.
    """
    options = settings["registration"]
    limit = float(options["limit_px"])
    partners = _partners(frames)
    matches = _matches(lists, partners, options, frames)

    def one(index: int) -> ExposureRegistration:
        rootname = frames.singles[index].rootname
        if not partners[index]:
            return _unmeasured(rootname, "no overlap")
        sources = _by_sources(frames, lists, partners[index], matches, index, options)
        if sources is not None and 2.0 * _error(sources) <= limit:
            return sources
        # Few or broad sources: their correlation may know better.
        both = [found for found in (sources, _by_correlation(frames, index, options)) if found is not None]
        return min(both, key=_error, default=_unmeasured(rootname, "unmeasurable"))

    return Registration(exposures=frames.each(one, range(len(lists))), scale_arcsec=frames.scale)


def check(measured: Registration, settings: Mapping[str, Any]) -> Check:
    """Judge the worst exposure or chip: its shift may exceed `limit_px` by no more than two of its errors (95 %).

    The shift is that of the mean with the displacement that rotation and scale add. An exposure that cannot be
    measured, or whose error exceeds `max_error_px` so that a displacement could hide in it, leaves the verdict open
    (None). An exposure that overlaps no other can smear nothing, and does not count.
    """
    options = settings["registration"]
    compared = [exposure for exposure in measured.exposures if exposure.method != "no overlap"]
    apart = [exposure.rootname for exposure in measured.exposures if exposure.method == "no overlap"]
    unknown = [exposure.rootname for exposure in compared if _error(exposure) > float(options["max_error_px"])]
    note = "; ".join(
        f"{word}: {', '.join(names)}"
        for word, names in (("unmeasurable", unknown), ("overlaps no other exposure", apart)) if names
    )  # fmt: skip
    found = [
        (shift, float(options["limit_px"]) + 2.0 * error, name)
        for exposure in compared for shift, error, name in displacements(exposure)
    ]  # fmt: skip
    if not found:
        return _check(None, None, None, note)
    shift, limit, name = max(found, key=lambda row: row[0] - row[1])
    failed = shift > limit
    note = "; ".join(filter(None, [f"worst: {name}", note]))
    return _check(shift, limit, False if failed else (None if unknown else True), note)


def _check(value: float | None, limit: float | None, passed: bool | None, note: str) -> Check:
    return Check(
        name="registration", value=value, limit=limit, unit="px", passed=passed, policy=["measured"], note=note
    )
