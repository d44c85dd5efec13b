"""Registration: the measured shift of every exposure, and of each of its chips, against the others, with its error.

Sources are found in every single drizzle by itself and matched between exposures: the product, in which a displaced
exposure would be compared with itself, has no part in it. Where sources are too few or too broad, the images
themselves are correlated with the combination of the others. Every two exposures that overlap are looked at (`pairs`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import (
    ChipRegistration,
    ExposureRegistration,
    LinearTerms,
    MeasuredShift,
    PairRegistration,
    Registration,
    ShiftInMas,
)
from snakedriz.statistics import factor
from snakedriz.verification import correlation
from snakedriz.verification import pairs as pairs_
from snakedriz.verification.displacements import displacement, displacements, unlinked
from snakedriz.verification.frame_stars import FrameStars
from snakedriz.verification.frames import Frames
from snakedriz.verification.pairs import NO_SHIFT, Matched, Matches
from snakedriz.verification.trends import LEAST_LINEAR, measured_shift, trend

Array = NDArray[np.float64]
#: Standard error of the median of n values over that of their mean (Gaussian; 1.2533 for many).
_OF_MEDIAN = (1.0, 1.0, 1.0, 1.160, 1.092, 1.197, 1.135, 1.214)
_HIDE = 4  # px around a cluster of hot pixels: what the filters of a correlation spread
_MOST_PARTNERS = 7  # exposures that one is compared with: those it overlaps best for longest


def _in_mas(shift: MeasuredShift, scale: float) -> ShiftInMas:
    lengths = {name: value for name, value in shift if name != "freedom"}
    return ShiftInMas(**{f"{name}_mas": None if x is None else x * scale * 1e3 for name, x in lengths.items()})


def _partners(frames: Frames, matches: Matches) -> list[list[int]]:
    """For every exposure the others that it is compared with, in their order: rather those that it matches."""
    share = frames.overlaps()
    chosen = []
    for index in range(len(frames.singles)):
        rank = sorted(
            (not len(matches[index, other].own), -share[index, other] * single.exptime, other)
            for other, single in enumerate(frames.singles)
            if other != index and share[index, other] > 0
        )
        chosen.append(sorted(other for _, _, other in rank[:_MOST_PARTNERS]))
    return chosen


def _differences(
    positions: Array, found: Sequence[tuple[Matched, Array]], options: Mapping[str, Any]
) -> tuple[Array, float, int]:
    """Position of each source less that in the other exposures, NaN where none has it.

    Shift and rotation are the median over the exposures of those against each: one displaced exposure among the
    others does not move them. Sources add what they differ by from those, averaged. `positions`, shape (n, 2), are an
    exposure's own, `found` its matches with each of the others and the others' positions. Also returned are the largest
    significance, and how many exposures had enough sources.
    """
    least = int(options["least_stars"])
    trends, total, number, significance = [], np.zeros(positions.shape), np.zeros(len(positions)), 0.0
    for matched, theirs in found:
        if len(matched.own) < least:
            continue
        difference = positions[matched.own] - theirs[matched.other]
        found_trend = trend(positions[matched.own], difference, len(difference) >= LEAST_LINEAR)
        trends.append(found_trend.at(positions))
        total[matched.own] += difference - trends[-1][matched.own]
        number[matched.own] += 1
        significance = max(significance, matched.significance)
    out = np.full(positions.shape, np.nan)
    if trends:
        known = number > 0
        out[known] = np.median(trends, axis=0)[known] + total[known] / number[known, None]
    return out, significance, len(trends)


def _by_sources(
    frames: Frames, lists: Sequence[FrameStars], partners: Sequence[int], matches: Matches, index: int,
    options: Mapping[str, Any],
) -> ExposureRegistration | None:  # fmt: skip
    """Shift from matched sources, None where there are too few of them."""
    own = lists[index]
    found_in = [(matches[index, other], lists[other].positions) for other in partners]
    difference, significance, others = _differences(own.positions, found_in, options)
    rows, flagged_share = _rows(own, difference, options)
    if len(rows) < int(options["least_stars"]):
        return None
    found = trend(own.positions[rows], difference[rows], len(rows) >= LEAST_LINEAR)
    n = int(found.used.sum())
    if n < int(options["least_stars"]):
        return None
    shift = measured_shift(found.shift, _OF_MEDIAN[others] * found.error, found.freedom, float(options["floor_px"]))
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
        chips=_by_chip(own, [(matches[index, other], lists[other]) for other in partners], options, frames.scale),
    )  # fmt: skip


def _rows(own: FrameStars, difference: Array, options: Mapping[str, Any]) -> tuple[NDArray[np.intp], float]:
    """Return the sources to use, and the share of the matched ones that the CR step flagged."""
    rows = np.flatnonzero(np.isfinite(difference[:, 0]))
    return pairs_.usable(rows, own.touched[rows], options)


def _by_chip(
    own: FrameStars, others: Sequence[tuple[Matched, FrameStars]], options: Mapping[str, Any], scale: float
) -> list[ChipRegistration]:
    """Shift of each chip where the exposure has several: a chip can be off by itself (a stale WCS).

    Its sources are matched by themselves: those of the other chip would have the offset between the two clipped.
    """
    chips = sorted({int(chip) for chip in own.chips} - {0})
    out: list[ChipRegistration] = []
    for chip in chips if len(chips) > 1 else ():
        mine = own.of_chip(chip)
        found = [
            (
                _chip_match(mine, matched.own_kept[own.chips == chip], other, matched.other_kept, options),
                other.positions,
            )
            for matched, other in others
            if len(matched.own)
        ]
        difference, _, known = _differences(mine.positions, found, options)
        rows, _ = _rows(mine, difference, options)
        number, shift = len(rows), NO_SHIFT
        if number >= int(options["least_stars"]):
            line = trend(mine.positions[rows], difference[rows], False)
            error = _OF_MEDIAN[known] * line.error
            shift = measured_shift(line.shift, error, line.freedom, float(options["floor_px"]))
            number = int(line.used.sum())
        out.append(ChipRegistration(extver=chip, nmatches=number, **dict(shift), **dict(_in_mas(shift, scale))))
    return out


def _chip_match(
    mine: FrameStars,
    kept: NDArray[np.bool_],
    other: FrameStars,
    other_kept: NDArray[np.bool_],
    options: Mapping[str, Any],
) -> Matched:
    """Match the sources of a chip that are not the detector's with those of another exposure."""
    found = pairs_.match(mine.positions[kept], other.positions[other_kept], options)
    rows, theirs = np.flatnonzero(kept)[found.image], np.flatnonzero(other_kept)[found.ref]
    return Matched(rows, theirs, kept, other_kept, found.significance)


def _by_correlation(
    frames: Frames, index: int, hot: NDArray[np.intp], options: Mapping[str, Any]
) -> ExposureRegistration | None:
    """Shift from cross-correlation with the others combined; None where that shows nothing.

    `hot`, pixels (n, 2) of the exposure's image: clusters of hot pixels, for all that is known. Single ones do not
    survive the median that the correlation starts with; these would.
    """
    single = frames.singles[index]
    both = single.covered & single.others_covered
    image = single.image
    if len(hot):
        image = image.copy()
        steps = np.mgrid[-_HIDE : _HIDE + 1, -_HIDE : _HIDE + 1]
        y, x = (hot[:, 1 - axis, None, None] + steps[axis] for axis in (0, 1))
        image[np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)] = 0
    found = correlation.measure(image, single.others, both, options)
    if found is None:
        return None
    shift = measured_shift(found.shift, found.error, found.freedom, float(options["correlation_floor_px"]))
    return ExposureRegistration(
        rootname=single.rootname, method="correlation", nmatches=found.patches, significance=found.contrast,
        flagged_share=None, **dict(shift), **dict(_in_mas(shift, frames.scale)), **dict(_NO_TERMS),
    )  # fmt: skip


_NO_TERMS = LinearTerms(
    rotation_deg=None, rotation_deg_err=None, scale=None, scale_err=None, field=None, field_err=None, chips=()
)


def _unmeasured(rootname: str, method: Literal["unmeasurable", "no overlap"]) -> ExposureRegistration:
    return ExposureRegistration(
        rootname=rootname, method=method, nmatches=0, significance=None, flagged_share=None, **dict(NO_SHIFT),
        **dict(_in_mas(NO_SHIFT, 1.0)), **dict(_NO_TERMS),
    )  # fmt: skip


def _error(row: ExposureRegistration) -> float:
    """Half of the 2-sigma error of a displacement, px; infinite where it was not measured."""
    found = displacement(row)
    return math.inf if found is None else found[1]


def limit_px(scale: float, options: Mapping[str, Any]) -> tuple[float, str]:
    """Return the largest displacement that counts as none, px, and what it comes from.

    `limit_px` of the document, or what the telescope repeats to (`repeatability_mas`) where that is more pixels: no
    visit can be better. `scale` is that of the frame, arcsec per px; `options` are the settings `registration`.
    """
    limit, repeats = float(options["limit_px"]), float(options["repeatability_mas"]) / (scale * 1e3)
    if repeats > limit:
        return repeats, f"limit {repeats:.3g} px: the telescope repeats to {float(options['repeatability_mas']):g} mas"
    return limit, f"limit {limit:g} px of a drizzled frame"


def measure(frames: Frames, lists: Sequence[FrameStars], settings: Mapping[str, Any]) -> Registration:
    """Measure the shift of every exposure against the others, and of every two that overlap.

    `frames` are prepared, `lists` the sources of each single (`frame_stars.of_frames`); `settings` has `log_sigma_px`
    and the block `registration`.
    """
    options = settings["registration"]
    limit, _ = limit_px(frames.scale, options)
    matches = pairs_.matches(frames, lists, options)
    partners = _partners(frames, matches)

    def one(index: int) -> ExposureRegistration:
        rootname = frames.singles[index].rootname
        if not partners[index]:
            return _unmeasured(rootname, "no overlap")
        sources = _by_sources(frames, lists, partners[index], matches, index, options)
        if sources is not None and 2.0 * _error(sources) <= limit:
            return sources
        # Few or broad sources: their correlation may know better.
        hot = [lists[index].places[matches[index, other].refused] for other in partners[index]]
        correlated = _by_correlation(frames, index, np.unique(np.concatenate(hot), axis=0), options)
        both = [found for found in (sources, correlated) if found is not None]
        return min(both, key=_error, default=_unmeasured(rootname, "unmeasurable"))

    rows = frames.each(one, range(len(lists)))
    return Registration(
        exposures=rows, pairs=pairs_.measure(frames, lists, matches, rows, options), scale_arcsec=frames.scale
    )  # fmt: skip


def check(measured: Registration, settings: Mapping[str, Any]) -> Check:
    """Judge the worst exposure, chip or pair: its shift may exceed the limit (`limit_px`) by its error, and no more.

    The shift is that of the mean with the displacement that rotation and scale add. The error of an exposure or chip
    is twice its sigma (95 %). Two exposures may differ by twice the limit, and their error is that which holds for all
    pairs together with the same 95 %: one group of exposures that is displaced against another shows here.

    What cannot be measured leaves the verdict open (None): an exposure without a shift, or one whose error exceeds
    `max_error_px` so that a displacement could hide in it; groups of exposures that overlap and were not measured
    against each other. An exposure that overlaps no other can smear nothing, and does not count.
    """
    options = settings["registration"]
    limit, why = limit_px(measured.scale_arcsec, options)
    compared = [exposure for exposure in measured.exposures if exposure.method != "no overlap"]
    apart = [exposure.rootname for exposure in measured.exposures if exposure.method == "no overlap"]
    unknown = [exposure.rootname for exposure in compared if _error(exposure) > float(options["max_error_px"])]
    # One that has no shift is named by itself.
    groups = unlinked([row for row in measured.pairs if not set(row.exposures) & set(unknown)])
    loose = ["+".join(group) for group in groups]
    note = "; ".join(
        f"{word}: {', '.join(names)}"
        for word, names in (
            ("unmeasurable", unknown), ("overlap but were not measured against each other", loose),
            ("overlaps no other exposure", apart),
        ) if names
    )  # fmt: skip
    found = [*_exposures(compared, measured.pairs, limit), *_pairs(measured.pairs, limit)]
    if not found:
        return _check(None, None, None, note)
    shift, most, name = max(found, key=lambda row: row[0] - row[1])
    failed = shift > most
    note = "; ".join(filter(None, [f"worst: {name}", note, why]))
    return _check(shift, most, False if failed else (None if unknown or loose else True), note)


def _exposures(
    rows: Sequence[ExposureRegistration], pairs: Sequence[PairRegistration], limit: float
) -> Iterator[tuple[float, float, str]]:
    """Yield displacement, what it may be at most, and name of each exposure and chip.

    Of two exposures that were compared with each other only, either may be the one: both are named.
    """
    seen: dict[str, set[str]] = {}
    for pair in pairs:
        if pair.measured:
            for one, other in (pair.exposures, pair.exposures[::-1]):
                seen.setdefault(one, set()).add(other)
    for row in rows:
        others = seen.get(row.rootname, set())
        alone = len(others) == 1 and seen[next(iter(others))] == {row.rootname}
        for shift, error, name in displacements(row):
            yield shift, limit + 2.0 * error, f"{name} or {next(iter(others))}" if alone else name


def _pairs(pairs: Sequence[PairRegistration], limit: float) -> Iterator[tuple[float, float, str]]:
    """Yield displacement, what it may be at most, and names of each pair that has a shift of its own."""
    known = [row for row in pairs if row.measured and row.dx is not None]
    # 4.55 % is the chance of 2 sigma, shared by all of them.
    sigmas = float(norm.isf(0.5 * 0.0455 / max(len(known), 1)))
    for row in known:
        if (found := displacement(row, sigmas)) is not None:
            yield found[0], 2.0 * limit + sigmas * found[1], " and ".join(row.exposures)


def _check(value: float | None, limit: float | None, passed: bool | None, note: str) -> Check:
    return Check(
        name="registration", value=value, limit=limit, unit="px", passed=passed, policy=["measured"], note=note
    )
