"""Catalogue stars held out of a fit in turn: are they where the others put them, more often than chance has it?

The stars that made a fit agree with it, whatever they are: among unrelated lists a match is a set of pairs that lie
within its tolerance by chance, and their residuals fill the tolerance. A held-out star had no part in the prediction.
Where the pairs are stars it lies within its own error of it; where they are chance, anywhere within the tolerance.
The errors are those quoted and what is usual of the detector, never those estimated from the same residuals.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.joint_alignment import LIKELY, JointAlignment
from snakedriz.alignment.tangent_plane import Array
from snakedriz.artefacts.fit import HeldOut
from snakedriz.statistics import limits

MOST_FOLDS = 10
#: Stars within so many expected errors of their prediction are found: 99 per cent in two dimensions.
SIGMAS = 3.0
#: The usual floor, times this: detectors and filters differ by so much.
_FLOOR_FACTOR = 2.0
_LEAST = 3  # stars: with fewer the priors are all that predicts


def folds(names: Sequence[str], number: int) -> NDArray[np.intp]:
    """Return the fold of each name: even shares, by the rank of the name's sha256, so that no order matters."""
    digest = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    rank = np.empty(len(names), dtype=np.intp)
    rank[sorted(range(len(names)), key=lambda i: (digest[i], names[i]))] = np.arange(len(names))
    return rank % number


def measure(work: JointAlignment) -> HeldOut:
    """Hold the catalogue rows of a solution out of it, fold by fold."""
    from scipy.stats import chi2

    adjustment = work.solution.adjustment
    known = adjustment.system.known
    n = len(known.star)
    if n < _LEAST or work.reference is None:
        reason = f"{n} stars: the others are too few to predict one"
        nothing = {"chance": None, "rms_mas": None, "in_sample_rms_mas": None, "zero_point_error_mas": None}
        return HeldOut(stars=n, folds=0, found=0, reason=reason, **nothing)
    number = min(MOST_FOLDS, n)
    fold = folds([str(name) for name in work.reference["objID"][work.rows]], number)
    residual, spread, zero = np.zeros((n, 2)), np.zeros(n), np.zeros((number, 2))
    for k in range(number):
        held = fold == k
        residual[held], spread[held], zero[k] = _predicted(work, held)
    distance = np.hypot(*residual.T)
    found = distance < SIGMAS * spread
    tolerance = _tolerance(work)
    # Fisher's combination: among unrelated stars the square of a distance over the tolerance is uniform.
    uniform = np.clip(distance / tolerance, 1e-6, 1.0) ** 2 if tolerance else np.ones(n)
    chance = float(chi2.sf(-2.0 * np.log(uniform).sum(), 2 * n))
    scale, likely = work.plane.scale * 1000.0, work.solution.good_rows > LIKELY
    inside = work.solution.stars[known.star] - known.uv

    def rms(values: Array) -> float | None:
        return math.sqrt(float((values[likely] ** 2).sum(axis=1).mean())) * scale if likely.any() else None

    return HeldOut(
        stars=n, folds=number, found=int(found.sum()), chance=chance, rms_mas=rms(residual),
        in_sample_rms_mas=rms(inside), zero_point_error_mas=_jackknife(zero) * scale, reason="",
    )  # fmt: skip


def _jackknife(zero: Array) -> float:
    """Half-width per axis (px, 68 per cent) of a zero point, by those without each fold (delete-a-group jackknife)."""
    number = len(zero)
    variance = (number - 1) / number * float(((zero - zero.mean(axis=0)) ** 2).sum()) / 2.0
    return limits(math.sqrt(variance), number - 1)[0]


def _predicted(work: JointAlignment, held: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Prediction of held-out stars less the catalogue, its expected error per axis, and the frame without them, px."""
    adjustment = work.solution.adjustment
    system, priors = adjustment.system, adjustment.system.priors
    good = adjustment.good_rows
    adjustment.good_rows = np.where(held, 1e-9, good)
    try:
        solved = adjustment.solve()
    finally:
        adjustment.good_rows = good
    rows = np.flatnonzero(held)
    star = system.known.star[rows]
    of_star = np.isin(system.measured.star, star)
    usual = 1.0 / (system.measured.error**2 + (_FLOOR_FACTOR * priors.floor) ** 2)
    weight = np.bincount(system.measured.star[of_star], usual[of_star], minlength=system.number)[star]
    own = 1.0 / np.maximum(weight, 1e-12) + (_FLOOR_FACTOR * priors.distortion) ** 2
    catalog = system.known.covariance[rows].trace(axis1=1, axis2=2) / 2
    # What the corrections add, without the star itself
    back = np.linalg.inv(solved.normal)
    index = [int(system.measured.exposure[np.flatnonzero(system.measured.star == s)[0]]) for s in star]
    moves = [system.layout.rows(i, p[None])[0] for i, p in zip(index, system.known.uv[rows], strict=True)]
    added = np.array([(move @ back * move).sum(axis=1).mean() for move in moves])
    frame = work.errors.mean_of_exposures @ solved.unknowns
    return -solved.row_residual[rows], np.sqrt(own + catalog + added), frame


def _tolerance(work: JointAlignment) -> float:
    """Tolerance (px) within which the pairs were sought."""
    return max((match.tolerance for match in work.pairing.matches.values() if len(match)), default=0.0)
