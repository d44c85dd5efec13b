"""Registration: the measured shift of every exposure, and of each of its chips, against the others, with its error.

Sources are found in every single drizzle by itself and matched between exposures: the product, in which a displaced
exposure would be compared with itself, has no part in it. Where sources are too few or too broad, the images
themselves are correlated with the combination of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.statistics import factor, shift_error
from snakedriz.verification import correlation
from snakedriz.verification.frame_stars import Stars
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
    """Mean shift of a list of differences, with the linear trend (one rotation, one scale) about its middle.

    Attributes
    ----------
    shift, error : arrays, shape (2,)
        Of x and y (px); standard error, without systematics.
    freedom : int
        Degrees of freedom of the error.
    rotation, scale : float
        rad, and as a factor; 0 and 1 where they were not fitted.
    slope_error : float
        Standard error of rotation (rad) and of scale; NaN where they were not fitted.
    radius : float
        Root mean square distance of the sources from their middle (px).
    middle : array, shape (2,)
        Of the sources (px).
    used : ndarray of bool
        Rows that were not clipped.
    """

    shift: Array
    error: Array
    freedom: int
    rotation: float
    scale: float
    slope_error: float
    radius: float
    middle: Array
    used: NDArray[np.bool_]

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


def _shift(shift: Array, error: Array, freedom: float, floor: float) -> dict[str, Any]:
    """Return a shift with its 68 % and 95 % half-widths, the systematic floor (1 sigma, px) in quadrature."""
    out: dict[str, Any] = {"dx": float(shift[0]), "dy": float(shift[1])}
    for suffix, sigmas in (("", 1.0), ("95", 1.959964)):
        widths = np.hypot(factor(sigmas, freedom) * error, sigmas * floor)
        out |= {f"dx_err{suffix}": float(widths[0]), f"dy_err{suffix}": float(widths[1])}
    return {**out, "freedom": float(freedom)}


def _overlaps(frames: Frames) -> NDArray[np.float64]:
    """Share of each exposure's pixels (rows) that it has in common with each other (columns)."""
    # One pixel in 64 is enough.
    sample = np.array([single.covered[::8, ::8].ravel() for single in frames.singles], dtype=np.float32)
    shared = sample @ sample.T
    return np.asarray(shared / np.maximum(np.diag(shared)[:, None], 1.0), dtype=float)


def _partners(frames: Frames) -> list[list[int]]:
    """For every exposure the others that it is compared with, in the order of the exposures."""
    share = _overlaps(frames)
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
    lists: Sequence[Stars], partners: Sequence[Sequence[int]], options: Mapping[str, Any], frames: Frames
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
    others does not move them. Sources add what they differ by from those, averaged.

    Parameters
    ----------
    positions : array, shape (n, 2)
        An exposure's own.
    found : sequence of (Pairs, array)
        Pairs with each of the others, and the others' positions.
    options : mapping
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
    lists: Sequence[Stars], partners: Sequence[int], matches: Matches, index: int, options: Mapping[str, Any]
) -> dict[str, Any] | None:
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
    linear = np.isfinite(found.slope_error)
    spread = factor(1.0, found.freedom) * found.slope_error
    return {
        **_UNMEASURABLE,
        "method": "sources", "nmatches": n, "significance": significance, "flagged_share": flagged_share,
        **_shift(found.shift, _OF_MEDIAN[len(partners)] * found.error, found.freedom, float(options["floor_px"])),
        "rotation_deg": float(np.degrees(found.rotation)) if linear else None,
        "rotation_deg_err": float(np.degrees(spread)) if linear else None,
        "scale": found.scale if linear else None, "scale_err": float(spread) if linear else None,
        "field": float(np.hypot(found.rotation, found.scale - 1.0)) * found.radius if linear else 0.0,
        "field_err": float(spread) * found.radius * np.sqrt(2.0) if linear else 0.0,
        "chips": _by_chip(own, [lists[other] for other in partners], options),
    }  # fmt: skip


def _rows(own: Stars, difference: Array, options: Mapping[str, Any]) -> tuple[NDArray[np.intp], float]:
    """Return the sources to use, and the share of the matched ones that the CR step flagged.

    A ray beside a star pulls its centroid; but where the CR step took the stars themselves, they are what counts.
    """
    rows = np.flatnonzero(np.isfinite(difference[:, 0]))
    if not len(rows):
        return rows, 0.0
    clean = rows[~own.touched[rows]]
    share = float(own.touched[rows].mean())
    return (clean if len(clean) >= max(int(options["least_stars"]), 0.5 * len(rows)) else rows), share


def _by_chip(own: Stars, others: Sequence[Stars], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shift of each chip where the exposure has several: a chip can be off by itself (a stale WCS).

    Its sources are matched by themselves: those of the other chip would have the offset between the two clipped.
    """
    chips = sorted({int(chip) for chip in own.chips} - {0})
    out: list[dict[str, Any]] = []
    for chip in chips if len(chips) > 1 else ():
        mine = own.of_chip(chip)
        found = [_match(mine.positions, other.positions, options) for other in others]
        pairs = [
            (Pairs(match.image, match.ref, match.significance), other.positions)
            for match, other in zip(found, others, strict=True)
        ]
        difference, _ = _differences(mine.positions, pairs, options)
        rows, _ = _rows(mine, difference, options)
        if len(rows) < int(options["least_stars"]):
            nothing = dict.fromkeys(("dx", "dy", "dx_err", "dy_err", "dx_err95", "dy_err95", "freedom"))
            out.append({"extver": chip, "nmatches": len(rows), **nothing})
            continue
        line = trend(mine.positions[rows], difference[rows], False)
        error = _OF_MEDIAN[len(others)] * line.error
        shift = _shift(line.shift, error, line.freedom, float(options["floor_px"]))
        out.append({"extver": chip, "nmatches": int(line.used.sum()), **shift})
    return out


def _by_correlation(frames: Frames, index: int, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Shift from cross-correlation with the others combined; None where that shows nothing."""
    single = frames.singles[index]
    both = single.covered & single.others_covered
    found = correlation.measure(single.image, single.others, both, options)
    if found is None:
        return None
    return {
        **_UNMEASURABLE, "method": "correlation", "nmatches": found.patches, "significance": found.contrast,
        **_shift(found.shift, found.error, found.freedom, float(options["correlation_floor_px"])),
    }  # fmt: skip


_UNMEASURABLE: dict[str, Any] = {
    "method": "unmeasurable", "nmatches": 0, "significance": None, "flagged_share": None, "dx": None, "dy": None,
    "dx_err": None, "dy_err": None, "dx_err95": None, "dy_err95": None, "freedom": None, "rotation_deg": None,
    "rotation_deg_err": None, "scale": None, "scale_err": None, "field": None, "field_err": None, "chips": [],
}  # fmt: skip


def measure(frames: Frames, lists: Sequence[Stars], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the shift of every exposure against the others.

    Parameters
    ----------
    frames : Frames
        Prepared (`frames.prepare`).
    lists : sequence of Stars
        Sources of each single (`stars.of_frames`).
    settings : mapping
        `log_sigma_px`, and the block `registration`.

    Returns
    -------
    dict
        `exposures`: per exposure rootname; method ("sources", "correlation", "unmeasurable", or "no overlap" with any
        other exposure); number of sources or patches; dx, dy, the exposure less the median of the others, with the
        half-widths of their 68 % (dx_err) and 95 % (dx_err95) intervals (px, along the axes of the drizzled frame),
        the same in mas; rotation (deg) and scale with 68 % errors; `field`, the root mean square displacement (px)
        that rotation and scale add over the sources; the same shift for each of its `chips`, where it has several.
    """
    options = settings["registration"]
    limit = float(options["limit_px"])
    partners = _partners(frames)
    matches = _matches(lists, partners, options, frames)

    def one(index: int) -> dict[str, Any]:
        if not partners[index]:
            return {**_UNMEASURABLE, "method": "no overlap"}
        sources = _by_sources(lists, partners[index], matches, index, options)
        if sources is not None and 2.0 * shift_error(sources)[1] <= limit:
            return sources
        # Few or broad sources: their correlation may know better.
        tiles = _by_correlation(frames, index, options)
        both = [found for found in (sources, tiles) if found is not None]
        return min(both, key=lambda found: shift_error(found)[1], default=dict(_UNMEASURABLE))

    exposures = []
    for single, found in zip(frames.singles, frames.each(one, range(len(lists))), strict=True):
        for row in (found, *found["chips"]):
            row |= {f"{k}_mas": None if row[k] is None else row[k] * frames.scale * 1e3 for k in _LENGTHS}
        exposures.append({"rootname": single.rootname, **found})
    return {"exposures": exposures, "scale_arcsec": frames.scale}


_LENGTHS = ("dx", "dy", "dx_err", "dy_err", "dx_err95", "dy_err95")


def check(measured: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the worst exposure or chip: its shift may exceed `limit_px` by no more than two of its errors (95 %).

    The shift is that of the mean with the displacement that rotation and scale add. An exposure that cannot be
    measured, or whose error exceeds `max_error_px` so that a displacement could hide in it, leaves the verdict open
    (None). An exposure that overlaps no other can smear nothing, and does not count.
    """
    options = settings["registration"]
    worst, unknown, apart = None, [], []
    for exposure in measured["exposures"]:
        name = exposure["rootname"]
        if exposure["method"] == "no overlap":
            apart.append(name)
            continue
        if exposure["dx"] is None or shift_error(exposure)[1] > float(options["max_error_px"]):
            unknown.append(name)
        chips = [(f"{name} chip {chip['extver']}", chip) for chip in exposure.get("chips", [])]
        for label, row in [(name, exposure), *chips]:
            if row["dx"] is None:
                continue
            shift, error = shift_error(row)
            limit = float(options["limit_px"]) + 2.0 * error
            if worst is None or shift - limit > worst[0] - worst[1]:
                worst = (shift, limit, label)
    note = "; ".join(
        f"{word}: {', '.join(names)}"
        for word, names in (("unmeasurable", unknown), ("overlaps no other exposure", apart)) if names
    )  # fmt: skip
    if worst is None:
        return _check(None, None, None, note)
    failed = worst[0] > worst[1]
    note = "; ".join(filter(None, [f"worst: {worst[2]}", note]))
    return _check(worst[0], worst[1], False if failed else (None if unknown else True), note)


def _check(value: float | None, limit: float | None, passed: bool | None, note: str) -> dict[str, Any]:
    return {
        "name": "registration", "value": value, "limit": limit, "unit": "px", "passed": passed,
        "policy": ["measured"], "note": note,
    }  # fmt: skip
