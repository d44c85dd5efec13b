"""Cross-matching of two star lists that differ by an unknown offset and a little rotation and scale.

A two-dimensional histogram of all coordinate differences within the search radius finds the offset; its peak is
tested against the chance pairs of unrelated lists, so that a wrong catalogue or a field without common stars gives
no match rather than a wrong one. Mutual nearest neighbours within a tolerance that tightens while the linear trend is
removed give the pairs. Everything is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from snakedriz.artefacts.fit import MatchSummary

Array = NDArray[np.float64]
#: Sizes of the histogram's bins, px; a star's pairs are summed over 3 x 3 bins. Small bins find few stars in a
#: crowd, large ones survive a rotation (0.1 deg smears a 2000 px field by 3.5 px).
BINS_PX = (0.5, 1.0, 2.0, 4.0)
_PHASES = 4.0  # overlapping 3 x 3 windows count as this many independent trials per window's area


class MatchOptions(TypedDict):
    """What `match` asks for."""

    searchrad: float
    tolerance: float
    min_tolerance: float
    max_false_alarm: float
    histogram: bool


def match_options(
    settings: Mapping[str, Any], kind: Literal["relative", "histogram", "default"], searchrad: float | None = None
) -> MatchOptions:
    """Return the options of a kind of match by a detector's settings (block `fitting`).

    relative: exposures among each other; histogram: with a catalogue; default: with a catalogue, at an offset within
    the tolerance. `searchrad` (px) overrides the search radius.
    """
    radius = settings["histogram" if kind == "default" else kind]["searchrad_px"]
    return {
        "searchrad": radius if searchrad is None else searchrad,
        "tolerance": settings[kind]["tolerance_px"],
        "min_tolerance": settings["min_tolerance_px"],
        "max_false_alarm": settings["max_false_alarm"],
        "histogram": kind != "default",
    }


@dataclass(frozen=True)
class Match:
    """Pairs of two lists, and how far to trust them.

    Attributes
    ----------
    ref, image : integer arrays, shape (n,)
        Indices into the two lists; each index occurs once.
    matrix, shift : arrays, shapes (2, 2) and (2,)
        Linear trend from image to reference, `ref = matrix @ image + shift` (px).
    significance : float
        The chance of such a peak among unrelated lists, as a normal deviate (one-sided); 0 if none.
    false_alarm : float
        That chance itself, over all offsets searched.
    expected_false : float
        Pairs expected by chance within the final tolerance.
    tolerance : float
        Final tolerance (px).
    reason : str
        Why there is no match; empty if there is one.
    """

    ref: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    image: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    matrix: Array = field(default_factory=lambda: np.eye(2))
    shift: Array = field(default_factory=lambda: np.zeros(2))
    significance: float = 0.0
    false_alarm: float = 1.0
    expected_false: float = 0.0
    tolerance: float = 0.0
    reason: str = ""

    def __len__(self) -> int:
        return len(self.ref)

    def summary(self) -> MatchSummary:
        """Return what a result says of it."""
        same = {name: getattr(self, name) for name in MatchSummary.model_fields if name != "nmatches"}
        return MatchSummary(nmatches=len(self), **same)


def linear_trend(image: Array, ref: Array, geometry: str) -> tuple[Array, Array]:
    """Fit `ref = matrix @ image + shift` by least squares, reweighted so that outliers count little.

    Parameters
    ----------
    image, ref : arrays, shape (n, 2)
        Matched positions (px).
    geometry : {"shift", "rscale"}
        Offset only, or offset with one rotation and one scale (needs n >= 2).

    Returns
    -------
    matrix, shift : arrays, shapes (2, 2) and (2,)
    """
    weight = np.ones(len(image))
    matrix, shift = np.eye(2), np.zeros(2)
    for _ in range(10):
        w = weight / weight.sum()
        ci, cr = w @ image, w @ ref
        if geometry == "rscale":
            p, q = image - ci, ref - cr
            norm = float(w @ (p**2).sum(axis=1))
            if norm > 0:
                a = float(w @ (p * q).sum(axis=1)) / norm
                b = float(w @ (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])) / norm
                matrix = np.array([[a, -b], [b, a]])
        shift = cr - matrix @ ci
        distance = np.hypot(*(ref - image @ matrix.T - shift).T)
        sigma = max(float(np.median(distance)) / 1.1774, 1e-9)  # median of a Rayleigh distribution is 1.1774 sigma
        weight = 1.0 / (1.0 + (distance / (2.5 * sigma)) ** 2)
    return matrix, shift


def _pairs(image: Array, ref: Array, radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs whose coordinates differ by at most `radius` (px) along each axis."""
    from scipy.spatial import cKDTree

    found = cKDTree(image).sparse_distance_matrix(cKDTree(ref), radius, p=np.inf, output_type="ndarray")
    order = np.lexsort((found["j"], found["i"]))
    return found["i"][order].astype(np.intp), found["j"][order].astype(np.intp)


def _false_alarm(count: float, expected: float, spread: float, trials: float) -> float:
    """Chance of `count` or more where `expected` are due, in any of `trials`; counts over-dispersed by `spread`."""
    from scipy.stats import poisson

    if count <= 0:
        return 1.0
    single = float(poisson.sf(math.ceil(count / spread) - 1, expected / spread))
    return min(1.0, trials * single)


def _boxes_of_three(counts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sums over 3 x 3 cells about each cell; nothing beyond the edges."""
    wide = np.pad(counts, 1)
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def histogram_peak(difference: Array, radius: float) -> tuple[Array, float, float]:
    """Find the most significant concentration of coordinate differences.

    The count in 3 x 3 bins is compared with the chance pairs: the larger of the mean over the whole search area and
    the mean around the place (the density of chance pairs falls with the overlap of the lists), without the peak's
    own pairs; and the scatter of the counts, where it exceeds Poisson's (clustered fields), weakens it.

    Parameters
    ----------
    difference : array, shape (npairs, 2)
        Reference minus image coordinates (px), within `radius` along each axis.
    radius : float
        Search radius (px).

    Returns
    -------
    offset : array, shape (2,)
        Place of the peak (px), the mean of its pairs.
    half_width : float
        Half width of the window (px).
    false_alarm : float
        The chance of a peak like this among unrelated lists, over all offsets and bin sizes.
    """
    best: tuple[float, float, Array, float] = (1.0, 0.0, np.zeros(2), BINS_PX[-1] * 1.5)
    sizes = [size for size in BINS_PX if size <= max(radius / 4.0, BINS_PX[0])]
    for size in sizes:
        n = 2 * math.ceil(radius / size) + 1
        edge = n * size / 2.0
        bins = np.minimum(((difference + edge) / size).astype(np.intp), n - 1)
        counts = np.bincount(bins[:, 0] * n + bins[:, 1], minlength=n * n).astype(np.int32).reshape(n, n)
        window = _boxes_of_three(counts)
        flat = int(np.argmax(window))
        i, j = np.unravel_index(flat, window.shape)
        count = float(window[i, j])
        total = len(difference)
        area = 9.0
        mean = max((total - count) / (n * n - area), 1.0 / (n * n)) * area
        reach = max(9, int(n / 8) * 2 + 1) // 2
        around = counts[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
        near = (float(around.sum()) - count) / max(around.size - area, area) * area
        expected = max(mean, near)
        rest = window[1:-1:3, 1:-1:3]
        # without the windows the peak touches
        rest = np.partition(rest.ravel(), rest.size - 9)[:-9] if rest.size > 30 else rest.ravel()
        level = float(rest.mean()) if rest.size else 0.0
        # Only a field with several pairs per window can show that its pairs are clustered.
        spread = max(1.0, float(rest.var()) / level) if level > 0.5 else 1.0
        trials = (n * n / area) * _PHASES * len(sizes)
        chance = _false_alarm(count, expected, spread, trials)
        centre = np.array([(i + 0.5) * size - edge, (j + 0.5) * size - edge])
        excess = (count - expected) / math.sqrt(expected)
        if (chance, -excess) < (best[0], -best[1]):
            best = (chance, excess, centre, 1.5 * size)
    chance, _, centre, half = best
    for _ in range(3):  # the mean of the window's pairs, the window following it
        near_peak = (np.abs(difference[:, 0] - centre[0]) <= half) & (np.abs(difference[:, 1] - centre[1]) <= half)
        if not near_peak.any():
            break
        centre = np.asarray(difference[near_peak].mean(axis=0))
    return centre, half, chance


def mutual_neighbours(image: Array, ref: Array, tolerance: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs that are each other's nearest neighbours within `tolerance` (px): indices into `image` and `ref`."""
    from scipy.spatial import cKDTree

    distance, to_ref = cKDTree(ref).query(image, distance_upper_bound=tolerance)
    _, to_image = cKDTree(image).query(ref, distance_upper_bound=tolerance)
    i = np.flatnonzero(np.isfinite(distance))
    i = i[to_image[to_ref[i]] == i]
    return i.astype(np.intp), to_ref[i].astype(np.intp)


def _chance_density(difference: Array, tolerance: float, radius: float) -> float:
    """Chance pairs per px^2 near zero of the differences after alignment: the larger of far and near surroundings."""
    away = np.maximum(np.abs(difference[:, 0]), np.abs(difference[:, 1]))
    core = 2.0 * tolerance
    density = 1.0 / (2.0 * radius) ** 2
    for half in (radius, min(max(8.0 * tolerance, 10.0), radius)):
        ring = (2 * half) ** 2 - (2 * core) ** 2
        if ring > 0:
            count = np.count_nonzero((away <= half) & (away > core))
            density = max(density, count / ring)
    return density


def _refine(
    image: Array, ref: Array, shift: Array, tight: float, min_tolerance: float, min_rscale: int
) -> tuple[Array, Array, float, NDArray[np.intp], NDArray[np.intp]]:
    """Pair neighbours and take out their trend in turn, while the tolerance (px) tightens from `tight`.

    Returns matrix and shift of the trend, the final tolerance, and the pairs: indices into `image` and `ref`.
    """
    matrix, ci, ri = np.eye(2), np.empty(0, np.intp), np.empty(0, np.intp)
    for _ in range(30):
        moved = image @ matrix.T + shift
        ci, ri = mutual_neighbours(moved, ref, tight)
        if len(ci) < 2:
            break
        before = (matrix, shift)
        matrix, shift = linear_trend(image[ci], ref[ri], "rscale" if len(ci) >= min_rscale else "shift")
        distance = np.hypot(*(ref[ri] - image[ci] @ matrix.T - shift).T)
        # The 30th percentile of a Rayleigh distribution is 0.845 sigma, and holds with up to two thirds of chance pairs
        core = float(np.percentile(distance, 30)) / 0.845
        wanted = max(min_tolerance, 5.0 * core)
        settled = tight <= wanted * 1.01 and np.allclose(before[1], shift, atol=1e-6)
        tight = tight if tight <= wanted else max(wanted, 0.6 * tight)
        if settled:
            break
    moved = image @ matrix.T + shift
    ci, ri = mutual_neighbours(moved, ref, tight) if len(ci) else (ci, ri)
    return matrix, shift, tight, ci, ri


def match(
    image: Array,
    ref: Array,
    *,
    searchrad: float,
    tolerance: float,
    min_tolerance: float,
    max_false_alarm: float,
    histogram: bool = True,
    min_rscale: int = 6,
) -> Match:
    """Match two star lists.

    Parameters
    ----------
    image, ref : arrays, shape (n, 2)
        Positions in one plane (px).
    searchrad : float
        Largest offset looked for along each axis (px); used with the histogram only.
    tolerance : float
        Largest distance of a pair after the offset (px); without the histogram, also the largest offset.
    min_tolerance : float
        The tolerance is not tightened below this (px).
    max_false_alarm : float
        A peak that unrelated lists would show with a greater chance is no match.
    histogram : bool
        Look for the offset; if false, the offset is taken to be within `tolerance` of zero.
    min_rscale : int
        Pairs needed before rotation and scale are removed along with the offset.

    Returns
    -------
    Match
        Empty, with its reason, if there is no significant match.
    """
    from scipy.stats import norm

    image, ref = np.asarray(image, dtype=float), np.asarray(ref, dtype=float)
    if not len(image) or not len(ref):
        return Match(reason="a list without sources" if not len(image) else "a reference without rows")
    # Without the histogram, pairs out to four tolerances still tell how many there are by chance.
    radius = searchrad if histogram else 4.0 * tolerance
    i, r = _pairs(image, ref, radius)
    if not len(i):
        return Match(reason=f"no pair within {radius:g} px")
    difference = ref[r] - image[i]
    shift, chance, wide = np.zeros(2), 1.0, tolerance
    if histogram:
        shift, half, chance = histogram_peak(difference, radius)
        if chance > max_false_alarm:
            return Match(
                false_alarm=chance,
                reason=f"no significant peak within {radius:g} px: chance {chance:.2g}, limit {max_false_alarm:g}",
            )
        wide = min(max(half, min_tolerance), max(tolerance, half))
    matrix, shift, tight, ci, ri = _refine(image, ref, shift, wide, min_tolerance, min_rscale)
    moved = image @ matrix.T + shift
    area = math.pi * tight**2
    expected = _chance_density(ref[r] - moved[i], tight, radius) * area
    if histogram:
        # The peak was significant; the pairs that are left of it must be so too.
        chance = max(chance, _false_alarm(len(ci), expected, 1.0, _PHASES * (2.0 * radius) ** 2 / area))
    else:
        # Any pair could have set the offset (and another one rotation and scale): the rest must agree by chance.
        free = 1 if len(ci) < min_rscale else 2
        chance = _false_alarm(len(ci) - free, expected, 1.0, float(len(difference)) ** free)
    if chance > max_false_alarm or not len(ci):
        return Match(
            false_alarm=chance,
            reason=f"{len(ci)} pairs within {tight:.2f} px where chance gives {expected:.1f}: not significant",
        )
    order = np.argsort(ri, kind="stable")
    # Below 1e-300 the normal deviate has no meaning; 37 stands for "certain".
    significance = float(norm.isf(max(chance, 1e-300)))
    return Match(ri[order], ci[order], matrix, shift, significance, chance, expected, tight)
