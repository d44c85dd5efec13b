"""Every two exposures that overlap: their common sources, and how far they are displaced against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.artefacts.verification import ExposureRegistration, MeasuredShift, PairRegistration
from snakedriz.statistics import factor
from snakedriz.verification.fixed_pixels import doubt
from snakedriz.verification.frame_stars import FrameStars
from snakedriz.verification.frames import Frames, others_of
from snakedriz.verification.trends import LEAST_LINEAR, measured_shift, trend

Array = NDArray[np.float64]
#: Of what repeats in the detector's pixels, so much may be clusters of hot pixels and the rest still be stars.
_MOST_HOT = 0.25
NO_SHIFT = MeasuredShift(dx=None, dy=None, dx_err=None, dy_err=None, dx_err95=None, dy_err95=None, freedom=None)


@dataclass(frozen=True)
class Matched:
    """Sources of an exposure that another has too.

    Attributes
    ----------
    own, other : arrays of int
        Indices into an exposure's own list and the other's.
    own_kept, other_kept : arrays of bool
        Which sources of either list may be matched: those of the detector are left out.
    significance : float
    reason : str
        Why there is no match; empty if there is one.
    """

    own: NDArray[np.intp]
    other: NDArray[np.intp]
    own_kept: NDArray[np.bool_]
    other_kept: NDArray[np.bool_]
    significance: float = 0.0
    reason: str = ""

    def turned(self) -> Matched:
        """Return the same from the other exposure's side."""
        return Matched(self.other, self.own, self.other_kept, self.own_kept, self.significance, self.reason)

    @property
    def refused(self) -> NDArray[np.intp]:
        """Sources of an exposure that may be hot pixels, where they left nothing to match."""
        return np.flatnonzero(~self.own_kept) if not len(self.own) else np.empty(0, dtype=np.intp)


#: From two indices of exposures, in either order, to their common sources.
Matches = Mapping[tuple[int, int], Matched]


def match(own: Array, other: Array, options: Mapping[str, Any]) -> matching.Match:
    """Match positions (n, 2) and (m, 2); `options` are the settings `registration`."""
    return matching.match(
        own, other, searchrad=float(options["search_px"]), tolerance=2.0, min_tolerance=0.5,
        max_false_alarm=float(options["max_false_alarm"]),
    )  # fmt: skip


def overlapping(frames: Frames) -> list[tuple[int, int]]:
    """Return every two exposures that overlap by their footprints."""
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(frames.overlaps() > 0, 1))]


def matches(frames: Frames, lists: Sequence[FrameStars], options: Mapping[str, Any]) -> Matches:
    """Match the sources of every two exposures that overlap, from the one to the other and back."""
    both = overlapping(frames)
    found = frames.each(lambda pair: _matched(frames, lists, pair, options), both)
    return {**dict(zip(both, found, strict=True)),
            **{(j, i): one.turned() for (i, j), one in zip(both, found, strict=True)}}  # fmt: skip


def _matched(frames: Frames, lists: Sequence[FrameStars], pair: tuple[int, int], options: Mapping[str, Any]) -> Matched:
    """Match the sources of two exposures without those of the detector (`fixed_pixels`).

    Where what does not repeat in the detector's pixels matches elsewhere, these are the stars. Otherwise what matches
    lies where the detector's pixels do, as it does without a dither, and counts if few of it can be hot pixels.
    """
    i, j = pair
    own, other = lists[i], lists[j]
    least = int(options["least_stars"])
    doubtful = doubt((frames.singles[i], frames.singles[j]), (own, other), options)
    if doubtful.repeat:
        kept = ~doubtful.own, ~doubtful.other
        rest = match(own.positions[kept[0]], other.positions[kept[1]], options)
        mine, theirs = np.flatnonzero(kept[0])[rest.image], np.flatnonzero(kept[1])[rest.ref]
        if len(rest) >= least and doubtful.apart(own.positions[mine], other.positions[theirs]):
            return Matched(mine, theirs, *kept, rest.significance)
    found = match(own.positions, other.positions, options)
    every = np.ones(len(own), bool), np.ones(len(other), bool)
    repeated = int(np.count_nonzero(doubtful.own[found.image]))
    if repeated > 0.5 * len(found) and doubtful.hot > _MOST_HOT * repeated:
        none, reason = np.empty(0, dtype=np.intp), "what matches repeats in pixels of the detector, and may be hot ones"
        return Matched(none, none, ~doubtful.own, ~doubtful.other, reason=reason)
    reason = found.reason if not len(found) else "" if len(found) >= least else f"{len(found)} common sources"
    return Matched(found.image, found.ref, *every, found.significance, reason)


def usable(
    rows: NDArray[np.intp], touched: NDArray[np.bool_], options: Mapping[str, Any]
) -> tuple[NDArray[np.intp], float]:
    """Return which of some matched sources to use, and the share of them that the CR step flagged.

    A ray beside a star pulls its centroid; but where the CR step took the stars themselves, they are what counts.
    `touched`: whether something was flagged there, for each of `rows`.
    """
    if not len(rows):
        return rows, 0.0
    clean = rows[~touched]
    enough = len(clean) >= max(int(options["least_stars"]), 0.5 * len(rows))
    return (clean if enough else rows), float(touched.mean())


def _by_sources(
    one: FrameStars, two: FrameStars, matched: Matched, options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Shift of one exposure against another from their sources, as fields of the row; None where they are too few."""
    places = np.arange(len(matched.own))
    rows, _ = usable(places, one.touched[matched.own] | two.touched[matched.other], options)
    least = int(options["least_stars"])
    if len(rows) < least:
        return None
    positions = one.positions[matched.own[rows]]
    difference = positions - two.positions[matched.other[rows]]
    found = trend(positions, difference, len(rows) >= LEAST_LINEAR)
    if (n := int(found.used.sum())) < least:
        return None
    linear = np.isfinite(found.slope_error)
    return {
        **dict(measured_shift(found.shift, found.error, found.freedom, float(options["floor_px"]))),
        "method": "sources", "measured": True, "nmatches": n, "significance": matched.significance, "reason": "",
        "field": float(np.hypot(found.rotation, found.scale - 1.0)) * found.radius if linear else 0.0,
        "field_err": factor(1.0, found.freedom) * found.slope_error * found.radius * 2**0.5 if linear else 0.0,
    }  # fmt: skip


def measure(
    frames: Frames, lists: Sequence[FrameStars], found: Matches, exposures: Sequence[ExposureRegistration],
    options: Mapping[str, Any],
) -> list[PairRegistration]:  # fmt: skip
    """Say of every two exposures that overlap how far the first is displaced against the second.

    By their common sources; else by what the rows of the exposures say of their correlation with the combination of
    others (`frames.others_of`), which is with the other where there is but one.
    """
    share, both = frames.overlaps(), overlapping(frames)
    out = []
    for i, j in both:
        known = _by_sources(lists[i], lists[j], found[i, j], options)
        if known is None:
            known = _by_correlation(frames, exposures, i, j) or {
                **dict(NO_SHIFT), "method": "unmeasurable", "measured": False, "nmatches": 0, "significance": None,
                "field": None, "field_err": None, "reason": found[i, j].reason or "too few common sources",
            }  # fmt: skip
        names = [frames.singles[index].rootname for index in (i, j)]
        out.append(PairRegistration(exposures=names, overlap=max(share[i, j], share[j, i]), **known))
    return out


def _by_correlation(frames: Frames, exposures: Sequence[ExposureRegistration], i: int, j: int) -> dict[str, Any] | None:
    """Fields of the row of two exposures one of which was correlated with the other, or a combination it is part of."""
    for own, other, sign in ((i, j, 1.0), (j, i, -1.0)):
        row, others = exposures[own], others_of(frames.singles, own)
        if row.method != "correlation" or other not in others or row.dx is None or row.dy is None:
            continue
        alone = len(others) == 1
        shift = {name: getattr(row, name) for name in MeasuredShift.model_fields}
        shift |= {"dx": sign * row.dx, "dy": sign * row.dy}
        return {
            **(shift if alone else dict(NO_SHIFT)), "method": "correlation" if alone else "combined", "measured": True,
            "nmatches": row.nmatches, "significance": row.significance, "field": None, "field_err": None, "reason": "",
        }  # fmt: skip
    return None
