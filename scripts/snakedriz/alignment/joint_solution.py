"""The joint solution: corrections of all exposures and positions of all stars, in one robust least-squares problem.

Unknown are one linear correction for the visit, one for each guide-star lock, one for each exposure, and where the
stars are. Known are measured positions with their errors, catalogue positions with their covariance, and how far a
telescope's pointing, roll and scale can be off: priors with a width, which hold what the stars leave open. So no number
of stars switches the geometry, and exposures that share no star are held by the catalogue and the prior.

Residuals that are not Gaussian are met by three things. A measurement is either good or one of a few outliers, and
counts by the probability that it is good. Every exposure has an additive error, the floor, which is estimated from its
residuals with what is usual of such detectors as a start; where there are few residuals, errors are averaged over what
the floor may be. The distortion model is wrong by a smooth field, alike in all exposures, which is part of every
difference from the catalogue (`snakedriz.alignment.joint_errors`).

Stars are eliminated from the normal equations (star by star a 2 x 2 matrix), so that only corrections are left. The
scheme is that of block adjustments in astrometry (the plate-overlap method: Eichhorn 1960, Astronomische Nachrichten
285, 233).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.joint_layout import Array, Layout, PriorWidths, prior_widths, unknowns_of
from snakedriz.alignment.joint_system import Known, Measured, Solved, System

#: Share of the measurements that are expected to be wrong (a blend, a cosmic ray, another star), and how far (px).
OUTLIERS, OUTLIER_PX = 0.02, 1.0
_ROUNDS = 60
#: Degrees of freedom of the prior of an exposure's own correction: wide tails, since some exposures lost their guide
#: star.
_PRIOR_TAIL = 2.0
#: What is usual of a floor counts as so many residuals; what is usual of the distortion as so many stars.
_FLOOR_COUNTS, _DISTORTION_COUNTS = 2.0, 8.0
#: Floors and distortions are sought between these.
_LEAST_PX, _MOST_PX = 0.001, 5.0


@dataclass
class JointSolution:
    """What was found; with `errors` (`snakedriz.alignment.joint_errors`) what it is worth.

    Attributes
    ----------
    layout : Layout
    unknowns : array
        Coefficients of the corrections.
    floor : array, one per exposure
        Additive error of measured positions, px per axis.
    distortion : float
        Root mean square of the residual distortion, px per axis.
    good, good_rows : arrays
        Probability of each measured position, and of each catalogue row, that it is no outlier.
    stars : array, shape (m, 2)
        Positions of the stars (px); NaN for those that nothing was measured of.
    freedom : float
        Degrees of freedom of the residuals.
    adjustment : Adjustment
        What it was solved with.
    """

    layout: Layout
    unknowns: Array
    floor: Array
    distortion: float
    good: Array
    good_rows: Array
    stars: Array
    freedom: float
    adjustment: Adjustment = field(repr=False)

    def correction(self, index: int) -> tuple[Array, Array]:
        """Matrix and shift of an exposure's correction."""
        return self.layout.correction(self.unknowns, index)


def _prior_weights(layout: Layout, widths: Array, unknowns: Array) -> Array:
    """Weights of the priors: the visit's Gaussian, the others Student's t (shift, roll and scale apart)."""
    weight = widths**-2.0
    for start, size, _ in layout.blocks[1:]:
        for part in ([0, 1], *([i] for i in range(2, size))):
            own = np.asarray(part) + start
            square = float(((unknowns[own] / widths[own]) ** 2).sum())
            weight[own] *= (_PRIOR_TAIL + len(part)) / (_PRIOR_TAIL + square)
    return weight


def _probability_good(square: Array, variance: Array) -> Array:
    """Probability that a residual is no outlier; `square` its squared length, `variance` per axis, px^2."""
    wide = variance + OUTLIER_PX**2
    odds = np.log(OUTLIERS / (1 - OUTLIERS)) + np.log(variance / wide) + square / 2 * (1 / variance - 1 / wide)
    # Never nothing: a star all of whose measurements are outliers still has a place.
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(odds, -50, 12))))


class Adjustment:
    """The way to the solution: weights, floors and unknowns in turn until nothing moves."""

    def __init__(self, system: System, start: Array) -> None:
        self.system, self.unknowns = system, start
        layout, priors = system.layout, system.priors
        self.widths = prior_widths(layout, priors)
        self.good = np.ones(len(system.measured.star))
        self.good_rows = np.ones(len(system.known.star))
        self.distortion = priors.distortion
        self.floor = np.full(layout.exposures, priors.floor)
        self.solved: Solved | None = None
        self.patches, self.absorbed = _patches(system), 0.0

    def variance(self, factor: float = 1.0) -> Array:
        """Variance per axis of measured positions (px^2), the floors times a factor."""
        measured = self.system.measured
        return np.asarray(measured.error**2 + (factor * self.floor[measured.exposure]) ** 2)

    def covariance(self, factor: float = 1.0) -> Array:
        """Covariance of catalogue rows with the residual distortion, px^2."""
        return np.asarray(self.system.known.covariance + (factor * self.distortion) ** 2 * np.eye(2))

    def solve(self, factor: float = 1.0, distortion_factor: float = 1.0) -> Solved:
        """Solve with the present weights."""
        prior = _prior_weights(self.system.layout, self.widths, self.unknowns)
        weight = self.good / self.variance(factor)
        inverse = np.linalg.inv(self.covariance(distortion_factor)) if len(self.good_rows) else np.empty((0, 2, 2))
        return self.system.solve(weight, self.good_rows[:, None, None] * inverse, prior)

    def start_robustly(self) -> None:
        """Let the scatter of the first residuals be the first floor, and weigh the measurements by it.

        A least squares of all would be drawn by an outlier among few stars until none looks worse than the others. What
        an exposure as a whole is off by is taken out: the start is good to the tolerance of a match.
        """
        known, measured, number = self.system.known, self.system.measured, self.system.number
        moved = self.system.seen + (self.system.design @ self.unknowns).reshape(-1, 2)
        count = np.bincount(measured.star, minlength=number)
        place = np.column_stack([_sums(measured.star, axis, number) for axis in moved.T])
        place /= np.maximum(count, 1)[:, None]
        place[known.star] = self.system.offset
        in_catalog = np.zeros(number, bool)
        in_catalog[known.star] = True
        telling = (count[measured.star] > 1) | in_catalog[measured.star]
        off = moved - place[measured.star]
        for index in range(self.system.layout.exposures):
            mine = (measured.exposure == index) & telling
            if mine.any():
                off[mine] -= np.median(off[mine], axis=0)
        away = np.hypot(*off[telling].T)
        scatter = float(np.median(away)) / 1.1774 if len(away) else 0.0
        self.floor = np.maximum(self.floor, scatter)
        self.distortion = max(self.distortion, scatter)
        good = _probability_good((off**2).sum(axis=1), self.variance() + scatter**2)
        self.good = np.where(telling, good, 1.0)

    def weigh(self) -> None:
        """Weigh measurements and rows by the probability that they are good, each against the rest of its star."""
        solved, measured, known = self.solved, self.system.measured, self.system.known
        assert solved is not None
        variance = self.variance()
        weight = self.good / variance
        share = weight * solved.back[measured.star].trace(axis1=1, axis2=2) / 2
        rest = np.maximum(1.0 - share, 1e-6)
        # Left out of its star's position, a residual is larger by 1/rest, and its variance by as much.
        square = (solved.residual**2).sum(axis=1) / rest**2
        self.good = _probability_good(square, variance / rest)
        self.good[rest < 1e-3] = 1.0
        if len(known.star):
            row_variance = self.covariance().trace(axis1=1, axis2=2) / 2
            share = self.good_rows / row_variance * solved.back[known.star].trace(axis1=1, axis2=2) / 2
            rest = np.maximum(1.0 - share, 1e-6)
            square = (solved.row_residual**2).sum(axis=1) / rest**2
            self.good_rows = _probability_good(square, row_variance / rest)
            self.good_rows[rest < 1e-3] = 1.0

    def leverage(self) -> tuple[Array, Array]:
        """Share of each measurement's, and of each row's, residual variance that the fit has taken up."""
        solved, measured, known = self.solved, self.system.measured, self.system.known
        assert solved is not None
        back = solved.back.trace(axis1=1, axis2=2) / 2
        weight = self.good / self.variance()
        of_star = weight * back[measured.star]
        inverse = self.good_rows / (self.covariance().trace(axis1=1, axis2=2) / 2) if len(known.star) else np.empty(0)
        of_row = inverse * back[known.star]
        # What the corrections take, spread over all by weight; exact in sum, and small beside the stars' own.
        data = solved.normal - np.diag(_prior_weights(self.system.layout, self.widths, self.unknowns))
        taken = float(np.trace(np.linalg.solve(solved.normal, data)))
        # A smooth field has as many values as patches: of so few, corrections take a larger part.
        self.absorbed = min(taken / max(2.0 * self.patches * len(known.star), 1.0), 0.5)
        left = float(2 * (self.good * (1 - of_star)).sum() + 2 * (self.good_rows * (1 - of_row)).sum())
        spread = min(taken / max(left, 1e-9), 0.95)
        return np.clip(1 - (1 - of_star) * (1 - spread), 0, 1), np.clip(1 - (1 - of_row) * (1 - spread), 0, 1)

    def freedom(self) -> float:
        """Degrees of freedom of the residuals."""
        one, two = self.leverage()
        return float(2 * (self.good * (1 - one)).sum() + 2 * (self.good_rows * (1 - two)).sum())

    def estimate_floors(self) -> None:
        """Improve the floors by what the residuals exceed the quoted errors (Fisher scoring of their likelihood)."""
        solved, measured = self.solved, self.system.measured
        assert solved is not None
        of_star, of_row = self.leverage()
        usual = self.system.priors.floor**2
        variance = self.variance()
        excess = (solved.residual**2).sum(axis=1) / 2 - variance * (1 - of_star)
        exposures = len(self.floor)
        gain = _sums(measured.exposure, self.good * excess / variance**2, exposures)
        info = _sums(measured.exposure, self.good * (1 - of_star) ** 2 / variance**2, exposures)
        # All exposures know of each other's floors: one with few stars takes what the others have.
        self.floor = _scored(self.floor, gain, info, usual, _FLOOR_COUNTS)
        if len(self.good_rows):
            row = self.covariance().trace(axis1=1, axis2=2) / 2
            excess = (solved.row_residual**2).sum(axis=1) / 2 - row * (1 - of_row) + self.absorbed * self.distortion**2
            # Neighbours are wrong alike: a patch, not a star, says how large the distortion is.
            gain = np.array([self.patches * float((self.good_rows * excess / row**2).sum())])
            info = np.array([self.patches * float((self.good_rows * (1 - of_row) ** 2 / row**2).sum())])
            usual = self.system.priors.distortion**2
            found = _scored(np.array([self.distortion]), gain, info, usual, _DISTORTION_COUNTS)
            self.distortion = float(found[0])

    def run(self) -> None:
        """Iterate."""
        self.start_robustly()
        self.solved = self.solve()
        for _ in range(_ROUNDS):
            before = self.unknowns
            self.unknowns = self.solved.unknowns
            self.weigh()
            self.estimate_floors()
            self.solved = self.solve()
            if float(np.abs(self.solved.unknowns - before).max()) < 1e-6 and _ > 3:
                break
        self.unknowns = self.solved.unknowns


def _patches(system: System) -> float:
    """Number of patches of the detector that catalogue stars fall into, per star.

    A field correlated as exp(-d^2 / 2 length^2) has one value to an area of 2 pi length^2.
    """
    measured, layout = system.measured, system.layout
    of_row = np.isin(measured.star, system.known.star)
    place = (measured.uv - layout.centres[measured.exposure])[of_row] / (np.sqrt(2.0 * np.pi) * system.priors.length)
    stars = len(np.unique(measured.star[of_row]))
    return min(1.0, len(np.unique(np.floor(place), axis=0)) / stars) if stars else 1.0


def _sums(index: NDArray[np.intp], values: Array, number: int) -> Array:
    """Sums of values by index."""
    return np.asarray(np.bincount(index, values, minlength=number), dtype=float)


def _scored(floor: Array, gain: Array, info: Array, usual: float, counts: float) -> Array:
    """One step of Fisher scoring for floors (px), with a prior that counts as residuals of the usual variance."""
    square = floor**2
    gain = gain + counts * (usual - square) / square**2
    info = info + counts * (2 * usual - square).clip(0.25 * usual) / square**3 * square
    step = square + gain / info
    return np.sqrt(np.clip(step, square / 4, square * 4).clip(_LEAST_PX**2, _MOST_PX**2))


def solve(
    layout: Layout,
    measured: Measured,
    known: Known,
    priors: PriorWidths,
    start: Sequence[tuple[Array, Array]] | None = None,
) -> JointSolution:
    """Solve for the corrections of all exposures.

    Parameters
    ----------
    layout : Layout
    measured : Measured
        Positions under the WCS to be corrected. Stars are numbered from 0.
    known : Known
    priors : PriorWidths
    start : sequence of (matrix, shift), optional
        Corrections to start from, one per exposure, as the matches found them.

    Returns
    -------
    JointSolution
    """
    stars = int(max(measured.star.max(initial=-1), known.star.max(initial=-1))) + 1
    first = unknowns_of(layout, start) if start is not None else np.zeros(layout.size)
    system = System(layout, measured, known, stars, first, priors)
    work = Adjustment(system, first)
    work.run()
    solved = work.solved
    assert solved is not None
    place = np.where(solved.used[:, None], system.first + solved.stars, np.nan)
    return JointSolution(
        layout, solved.unknowns, work.floor, work.distortion, work.good, work.good_rows, place, work.freedom(), work
    )
