"""Alignment of exposures to each other, before any catalogue is asked.

Star positions are the weighted means over exposures, and exposures are fitted to these means in turn until nothing
moves, so that all are tied to the mean frame and none is the standard of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.linear_fit import align
from snakedriz.alignment.tangent_plane import Array, MergedStars, PlacedExposure, merge
from snakedriz.artefacts.fit import RelativeTie
from snakedriz.statistics import limits


def _anchor(
    exposures: Sequence[PlacedExposure], options: matching.MatchOptions, most_pairs: int
) -> tuple[int, list[int]]:
    """The best-connected exposure, and the others by how well they connect to it.

    With few exposures every pair is matched; with many, the exposure with most sources times exposure time is taken,
    and the others follow by distance from it.
    """
    n = len(exposures)
    if n * (n - 1) // 2 <= most_pairs:
        counts = np.zeros((n, n))
        for i in range(n):
            for j in range(i + 1, n):
                counts[i, j] = counts[j, i] = len(matching.match(exposures[j].uv, exposures[i].uv, **options))
        anchor = max(range(n), key=lambda i: (counts[i].sum(), exposures[i].exptime, -i))
        order = sorted((i for i in range(n) if i != anchor), key=lambda i: (-counts[anchor, i], i))
        return anchor, order
    anchor = max(range(n), key=lambda i: (len(exposures[i].start) * exposures[i].exptime, -i))
    away = [float(np.hypot(*(e.centre - exposures[anchor].centre))) for e in exposures]
    return anchor, sorted((i for i in range(n) if i != anchor), key=lambda i: (away[i], i))


def tie(exposures: Sequence[PlacedExposure], settings: Mapping[str, Any]) -> list[PlacedExposure]:
    """Align exposures to each other: first one by one to a growing star list, then all to the mean frame.

    Corrections, `tied` and `relative` of the exposures are set. The frame as a whole is left where the median exposure
    had it, so that one displaced exposure does not draw the others along.

    Parameters
    ----------
    settings : mapping
        Block `fitting`.

    Returns
    -------
    list of PlacedExposure
        The tied ones; fewer than two if nothing could be tied.
    """
    options = matching.match_options(settings, "relative")
    anchor, order = _anchor(exposures, options, int(settings["relative"]["most_pairs"]))
    first, waiting = exposures[anchor], [exposures[i] for i in order]
    first.tied, first.relative = True, RelativeTie(role="first", significance=None)
    tied = [first]
    progress = True
    while waiting and progress:
        before = len(waiting)
        for exposure in list(waiting):
            if _bring_to(tied, exposure, options, settings):
                tied.append(exposure)
                waiting.remove(exposure)
        progress = len(waiting) < before
    if len(tied) < 2:
        first.tied = False
        first.relative = RelativeTie(nmatches=0, significance=0.0, reason="no other exposure could be tied to it")
        return []
    tied = [exposure for exposure in exposures if exposure.tied]
    _to_mean_frame(tied, settings)
    return tied


def _bring_to(
    tied: Sequence[PlacedExposure],
    exposure: PlacedExposure,
    options: matching.MatchOptions,
    settings: Mapping[str, Any],
) -> bool:
    """Tie one exposure to others that are tied already; returns whether it could be."""
    required: Mapping[str, int] = settings["required_relative"]
    stars = merge(tied, settings["relative"]["association_px"])
    found = matching.match(exposure.uv, stars.uv, **options)
    enough = len(found) >= required["shift"]
    reason = found.reason if enough else found.reason or f"{len(found)} matches, {required['shift']} needed"
    exposure.relative = RelativeTie(nmatches=len(found), significance=found.significance, reason=reason)
    if not enough:
        return False
    matrix, shift = found.matrix, found.shift
    if len(found) < required["rscale"]:
        matrix, shift = np.eye(2), np.median(stars.uv[found.ref] - exposure.uv[found.image], axis=0)
    exposure.correct(matrix, shift)
    exposure.tied = True
    return True


def _hold_frame(tied: Sequence[PlacedExposure]) -> None:
    """Take the median rotation, scale and shift out of all corrections."""
    turn = float(np.median([exposure.rotation for exposure in tied]))
    size = float(np.median([exposure.scale for exposure in tied]))
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / size
    for exposure in tied:
        exposure.correct(back, np.zeros(2))
    common = np.median([exposure.moved for exposure in tied], axis=0)
    for exposure in tied:
        exposure.correct(np.eye(2), -common)


def _to_mean_frame(tied: Sequence[PlacedExposure], settings: Mapping[str, Any]) -> None:
    """Fit exposures to the mean positions of their stars until nothing moves, and note how well they are tied."""
    relative = settings["relative"]
    for _ in range(int(relative["most_rounds"])):
        stars = merge(tied, relative["association_px"])
        moves = [
            _fit_to_stars(exposure, seen, stars, settings) for exposure, seen in zip(tied, stars.seen, strict=True)
        ]
        _hold_frame(tied)
        if max(moves) < relative["convergence_px"]:
            break
    for exposure, quality in zip(tied, _tie_quality(tied, settings), strict=True):
        exposure.note_tie(
            nmatches=quality.nmatches,
            rms_px=quality.rms_px,
            offset_px=quality.offset_px,
            error_px=quality.error_px,
            error95_px=quality.error95_px,
            shift_px=exposure.moved.tolist(),
            rotation_deg=float(np.degrees(exposure.rotation)),
            scale=exposure.scale,
            reason="",
        )


def _fit_to_stars(
    exposure: PlacedExposure, seen: NDArray[np.intp], stars: MergedStars, settings: Mapping[str, Any]
) -> float:
    """Correct an exposure to the stars that it shares with others; returns how far (px) its points moved at most."""
    required, geometry = settings["required_relative"], settings["relative"]["geometry"]
    shared = np.flatnonzero(stars.count[seen] >= 2)
    if len(shared) < required["shift"]:
        return 0.0
    geometry = geometry if len(shared) >= required[geometry] else "shift"
    star = seen[shared]
    found = align(exposure.uv[shared], exposure.error[shared], stars.uv[star], stars.error[star], geometry, settings)
    before = np.array([exposure.moved, *(exposure.uv[shared][:4])])
    exposure.correct(found.matrix, found.shift)
    after = np.array([exposure.moved, *(exposure.uv[shared][:4])])
    exposure.note_tie(geometry=geometry)
    return float(np.abs(after - before).max())


@dataclass(frozen=True)
class TieQuality:
    """How well common sources tie an exposure to the mean frame under its present correction.

    Attributes
    ----------
    nmatches : int
        Common sources.
    rms_px, offset_px : float, list of two floats, or None
        Root mean square separation from the other exposures, and its median (x west, y north).
    error_px, error95_px : float or None
        Half-widths per axis that hold the difference between the exposure and the mean of all, in the middle of their
        field, in 68 and 95 per cent. None where the sources do not tell.
    """

    nmatches: int
    rms_px: float | None
    offset_px: list[float] | None
    error_px: float | None
    error95_px: float | None


def _tie_quality(tied: Sequence[PlacedExposure], settings: Mapping[str, Any]) -> list[TieQuality]:
    stars = merge(tied, settings["relative"]["association_px"])
    kept, residuals = [], []
    for exposure, seen in zip(tied, stars.seen, strict=True):
        shared = np.flatnonzero(stars.count[seen] >= 2)
        residual = exposure.uv[shared] - stars.uv[seen[shared]]
        away = np.hypot(*residual.T) / exposure.error[shared]
        core = away <= 5 * max(float(np.median(away)), 1e-9) if len(away) else away > 0
        shared = shared[core]
        kept.append((shared, seen[shared]))
        # An exposure is part of the mean it is compared with: the residual to the others is larger by this factor.
        n = stars.count[seen[shared]]
        residuals.append(residual[core] * (n / (n - 1.0))[:, None])
    errors = _tie_errors(tied, _SharedSources.of(tied, kept), len(stars.uv))
    return [
        TieQuality(
            len(others),
            float(np.sqrt((others**2).sum(axis=1).mean())) if len(others) else None,
            np.median(others, axis=0).tolist() if len(others) else None,
            *(error or (None, None)),
        )
        for others, error in zip(residuals, errors, strict=True)
    ]


@dataclass(frozen=True)
class _SharedSources:
    """Sources of stars that several exposures have, one after the other.

    Attributes
    ----------
    exposure, star : integer arrays, shape (n,)
        Which exposure and star each is of.
    uv, weight : arrays, shapes (n, 2) and (n,)
        Position (px) and 1 / error^2 per axis.
    """

    exposure: NDArray[np.int64]
    star: NDArray[np.intp]
    uv: Array
    weight: Array

    @classmethod
    def of(
        cls, tied: Sequence[PlacedExposure], kept: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]
    ) -> _SharedSources:
        """Collect them; `kept` has the sources of each exposure and their stars."""
        return cls(
            np.concatenate([np.full(len(star), i) for i, (_, star) in enumerate(kept)]),
            np.concatenate([star for _, star in kept]),
            np.concatenate([e.uv[rows] for e, (rows, _) in zip(tied, kept, strict=True)]),
            np.concatenate([e.error[rows] for e, (rows, _) in zip(tied, kept, strict=True)]) ** -2.0,
        )


def _tie_errors(
    tied: Sequence[PlacedExposure], sources: _SharedSources, stars: int
) -> list[tuple[float, float] | None]:
    """Errors of the exposures' transforms from the least squares that has all of them and all stars as unknowns.

    The difference between an exposure and the mean of all, at the plane's origin (the middle of the field), does not
    depend on the transforms common to all, which the sources leave open. The scatter about the stars' mean positions
    sets the scale.
    """
    star, uv, weight = sources.star, sources.uv, sources.weight
    total = np.asarray(np.bincount(star, weight, minlength=stars), dtype=float)
    used = total > 0
    mean = np.column_stack([np.bincount(star, weight * axis, minlength=stars) for axis in uv.T])
    residual = uv - mean[star] / total[star, None]
    # A star that one exposure alone has kept says nothing: its residual is nought, and so is its part of the normal.
    freedom = 2 * (len(star) - int(used.sum()))
    linear = np.array([(e.relative.geometry if e.relative else None) not in (None, "shift") for e in tied])
    first = np.concatenate([[0], np.cumsum([4 if one else 2 for one in linear])])
    freedom -= int(first[-1]) - (4 if all(linear) else 2)
    if freedom < 1:
        return [None] * len(tied)
    normal = _normal_matrix(_design(sources, linear, first), sources, total)
    covariance = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
    covariance *= float((weight[:, None] * residual**2).sum()) / freedom
    shifts = np.array([[covariance[a, b] for b in first[:-1]] for a in first[:-1]])  # of x; y's are the same
    mean_of = shifts.mean(axis=1)
    variance = np.diag(shifts) - 2.0 * mean_of + shifts.mean()
    have = np.bincount(sources.exposure, minlength=len(tied))
    return [limits(float(np.sqrt(max(v, 0.0))), freedom) if n else None for v, n in zip(variance, have, strict=True)]


def _design(sources: _SharedSources, linear: NDArray[np.bool_], first: NDArray[np.intp]) -> Any:
    """Derivatives of all coordinates (rows: x and y of each source) by the unknowns of all exposures' transforms.

    Unknowns of an exposure, from column `first` on: shift in x and y, and where it is `linear` scale and rotation.
    """
    from scipy.sparse import coo_matrix

    source = sources.exposure
    scale = float(max(np.abs(sources.uv).max(), 1.0))  # keeps the numbers of one size
    number = np.arange(len(source))
    x, y = sources.uv.T / scale
    turns = linear[source]
    one = np.ones(len(source))
    entries = [(2 * number, first[source], one), (2 * number + 1, first[source] + 1, one)]
    for axis, unknown, moved in ((0, 2, x), (0, 3, -y), (1, 2, y), (1, 3, x)):
        entries.append((2 * number[turns] + axis, first[source][turns] + unknown, moved[turns]))
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return coo_matrix((value, (row, column)), shape=(2 * len(source), int(first[-1]))).tocsr()


def _normal_matrix(design: Any, sources: _SharedSources, total: Array) -> Array:
    """Normal equations of the transforms after the stars' positions are eliminated.

    sum(w D'D) - sum over stars of (sum(w D))' (sum(w D)) / sum(w), singular by the transforms common to all; `total`
    has sum(w) of each star.
    """
    from scipy.sparse import coo_matrix

    star, n, stars = sources.star, len(sources.star), len(total)
    weighted = design.multiply(np.repeat(sources.weight, 2)[:, None]).tocsr()
    gather = coo_matrix(
        (np.ones(2 * n), (np.repeat(2 * star, 2) + np.tile([0, 1], n), np.arange(2 * n))), shape=(2 * stars, 2 * n)
    ).tocsr()
    sums = gather @ weighted
    used = total > 0
    each = np.repeat(np.where(used, 1.0 / np.where(used, total, 1.0), 0.0), 2)
    return np.asarray((design.T @ weighted - sums.T @ sums.multiply(each[:, None]).tocsr()).toarray())


def remaining_offsets(exposures: Sequence[PlacedExposure], settings: Mapping[str, Any]) -> list[Array | None]:
    """Measure where exposures lie relative to each other under their present corrections.

    Each is matched, with the histogram, to the one with most sources; so an exposure that a fit left displaced is seen.

    Returns
    -------
    list, one per exposure
        Offset (x west, y north, px) from the best one's frame; None where too few common sources allow no statement.
    """
    best = max(range(len(exposures)), key=lambda i: (len(exposures[i].start), -i))
    offsets: list[Array | None] = []
    for i, exposure in enumerate(exposures):
        if i == best:
            offsets.append(np.zeros(2))
            continue
        found = matching.match(exposure.uv, exposures[best].uv, **matching.match_options(settings, "relative"))
        enough = len(found) >= settings["required_relative"]["shift"]
        offsets.append(np.median(exposure.uv[found.image] - exposures[best].uv[found.ref], axis=0) if enough else None)
    return offsets
