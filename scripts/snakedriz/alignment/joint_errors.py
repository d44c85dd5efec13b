"""What a joint solution is worth: intervals that hold the truth as often as they say.

Three things make the inverse of the normal matrix too small, and are put right here. The floor is known from few
residuals: where it is, intervals are those of an average over what it may be, weighted by the likelihood of the
residuals, which has their degrees of freedom in it. The residual distortion is a smooth field: stars near each other
are wrong alike, and ten of them say no more than one. And what a prior holds is as uncertain as the prior says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.joint_solution import Adjustment, JointSolution
from snakedriz.alignment.joint_system import Solved

Array = NDArray[np.float64]
#: With more degrees of freedom than this, the residuals know their scatter well enough.
_MANY = 600
#: Factors of the estimated floor and distortion that are averaged over.
_FACTORS = np.geomspace(0.25, 4.0, 9)
_FACTORS_OF_DISTORTION = np.array([0.5, 1.0, 2.0])
#: Floors and distortions differ from the usual ones by these factors (1 sigma of the logarithm).
_SPREAD, _SPREAD_OF_DISTORTION = np.log(4.0), np.log(1.6)
#: Nodes of the distortion lie this many correlation lengths apart.
_NODES = 0.5
#: Floors less likely than this part of the likeliest are left out.
_LEAST_WEIGHT = 1e-3


class Errors:
    """The errors of a solution's corrections.

    Attributes
    ----------
    weight, offset, covariance : arrays of k assumed floors
        Probability of each; unknowns less the solution's, shape (k, unknowns); covariance of the unknowns.
    """

    def __init__(self, solution: JointSolution) -> None:
        self.layout = solution.layout
        work = solution.adjustment
        few = solution.freedom <= _MANY
        pairs = [(float(f), float(d)) for f, d in product(_FACTORS, _FACTORS_OF_DISTORTION)] if few else [(1.0, 1.0)]
        found = [work.solve(floor, distortion) for floor, distortion in pairs]
        chance = _log_likelihoods(work, found, pairs) - _against_usual(work, np.array(pairs))
        weight = np.exp(chance - chance.max())
        likely = np.flatnonzero(weight > _LEAST_WEIGHT)
        self.weight = weight[likely] / weight[likely].sum()
        self.offset = np.array([found[i].unknowns - solution.unknowns for i in likely])
        nodes = _nodes(work) if len(work.good_rows) else None
        self.covariance = np.array([covariance(work, found[i], pairs[i][0], pairs[i][1], nodes) for i in likely])

    def half_widths(self, derivatives: Array) -> tuple[float, float]:
        """Half-widths per axis (px) that hold a position in 68.27 and 95 per cent; `derivatives` (2, unknowns)."""
        variance = np.einsum("ij,kjl,il->ki", derivatives, self.covariance, derivatives).mean(axis=1)
        away = np.sqrt(((self.offset @ derivatives.T) ** 2).mean(axis=1))
        spread = np.sqrt(np.maximum(variance, 1e-16))
        return self._holding(0.6827, spread, away), self._holding(0.95, spread, away)

    def _holding(self, share: float, spread: Array, away: Array) -> float:
        """Half-width that holds a share of the average of Gaussians of a spread, `away` from the middle."""
        from scipy.optimize import brentq
        from scipy.special import ndtr

        def excess(width: float) -> float:
            inside = ndtr((width - away) / spread) - ndtr((-width - away) / spread)
            return float((self.weight * inside).sum()) - share

        return float(brentq(excess, 0.0, 20.0 * float((spread + away).max()), xtol=1e-7))

    def of_exposure(self, index: int, point: Array) -> tuple[float, float]:
        """Half-widths (px) of the position of a point (px) of an exposure in the catalogue's frame."""
        return self.half_widths(self.layout.rows(index, np.atleast_2d(point))[0])

    def of_frame(self) -> tuple[float, float]:
        """Half-widths (px) of the frame: of the mean over the exposures at their middles."""
        return self.half_widths(self.mean_of_exposures)

    def relative(self, index: int, others: Sequence[int]) -> tuple[float, float]:
        """Half-widths (px) of an exposure's middle about the mean of some (itself among them) there."""
        own = self.layout.rows(index, self.layout.centres[[index]])[0]
        every = [self.layout.rows(i, self.layout.centres[[index]])[0] for i in others]
        return self.half_widths(own - np.mean(every, axis=0))

    @property
    def mean_of_exposures(self) -> Array:
        """Derivatives (2, unknowns) of the mean position of the exposures' middles."""
        centres = self.layout.centres
        return np.asarray(np.mean([self.layout.rows(i, centres[[i]])[0] for i in range(len(centres))], axis=0))


def _log_likelihoods(work: Adjustment, found: Sequence[Solved], pairs: Sequence[tuple[float, float]]) -> Array:
    """Logarithms of the likelihood of floors and distortions; of the latter, patches count and not stars."""
    every = {pair: log_likelihood(work, one, *pair) for one, pair in zip(found, pairs, strict=True)}
    base = {floor: every[floor, 1.0] for floor, distortion in pairs if distortion == 1.0}
    return np.array([base[pair[0]] + work.patches * (every[pair] - base[pair[0]]) for pair in pairs])


def _against_usual(work: Adjustment, factors: Array) -> Array:
    """Logarithm, negative, of the prior of floors and distortions that are the estimated ones times factors (k, 2)."""
    usual = work.system.priors
    floor = np.log(np.median(work.floor) * factors[:, 0] / usual.floor) / _SPREAD
    distortion = np.log(work.distortion * factors[:, 1] / usual.distortion) / _SPREAD_OF_DISTORTION
    return np.asarray((floor**2 + distortion**2) / 2)


def log_likelihood(work: Adjustment, solved: Solved, factor: float, of_distortion: float) -> float:
    """Logarithm of the restricted likelihood: of the residuals, positions and corrections integrated out."""
    variance = work.variance(factor)
    quadratic = float((work.good * (solved.residual**2).sum(axis=1) / variance).sum())
    determinant = float((2 * work.good * np.log(variance)).sum())
    if len(work.good_rows):
        rows = work.covariance(of_distortion)
        inside = np.einsum("ki,kij,kj->k", solved.row_residual, np.linalg.inv(rows), solved.row_residual)
        quadratic += float((work.good_rows * inside).sum())
        determinant += float((work.good_rows * np.linalg.slogdet(rows)[1]).sum())
    determinant += -float(np.linalg.slogdet(solved.back[solved.used])[1].sum())
    determinant += float(np.linalg.slogdet(solved.normal)[1])
    quadratic += float((solved.unknowns**2 * work.widths**-2.0).sum())
    return -(quadratic + determinant) / 2


def covariance(
    work: Adjustment, solved: Solved, factor: float, of_distortion: float, nodes: tuple[Array, Any] | None
) -> Array:
    """Covariance of the unknowns, the residual distortion with its correlation.

    In the weights the distortion is a white error of catalogue rows. In truth it is one of the measured positions,
    alike for those that lie near each other on the detector: the one is taken out of the errors, the other put in.
    """
    back = np.linalg.inv(solved.normal)
    total: Array = np.array(back, dtype=float)
    system = work.system
    distortion = (of_distortion * work.distortion) ** 2
    if nodes is None or distortion == 0:
        return total
    inverse = work.good_rows[:, None, None] * np.linalg.inv(work.covariance(of_distortion))
    rows = (2 * system.known.star[:, None] + [0, 1]).ravel()
    eliminated = solved.eliminated[rows].toarray().reshape(len(inverse), 2, -1)
    white = np.einsum("kij,kjp->kip", inverse, eliminated).reshape(-1, len(back)) @ back
    total -= distortion * white.T @ white
    places, spread = nodes
    weight = np.repeat(work.good / work.variance(factor), 2)
    design = system.design - system.gather.T @ solved.eliminated
    influence = back @ (design.multiply(weight[:, None]).T @ spread).toarray()
    square = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    alike = np.exp(-square / (2 * system.priors.length**2))
    for axis in (0, 1):
        own = influence[:, axis::2]
        total += distortion * own @ alike @ own.T
    return np.asarray((total + total.T) / 2)


def _nodes(work: Adjustment) -> tuple[Array, Any]:
    """Nodes of the distortion (px from an exposure's middle), and how measured coordinates hang on them.

    The second is a matrix of as many rows as coordinates, with bilinear weights in two columns (x, y) for each node.
    """
    from scipy.sparse import coo_matrix

    measured, layout = work.system.measured, work.system.layout
    step = _NODES * work.system.priors.length
    place = (measured.uv - layout.centres[measured.exposure]) / step
    low = np.floor(place).astype(int)
    part = place - low
    corner = low.min(axis=0)
    size = low.max(axis=0) - corner + 2
    rows, columns, values = [], [], []
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        node = (low[:, 0] + dx - corner[0]) * size[1] + low[:, 1] + dy - corner[1]
        value = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
        for axis in (0, 1):
            rows.append(2 * np.arange(len(node)) + axis)
            columns.append(2 * node + axis)
            values.append(value)
    number = int(size[0] * size[1])
    matrix = coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(2 * len(place), 2 * number)
    ).tocsr()
    used = np.flatnonzero(np.asarray(np.abs(matrix).sum(axis=0)).ravel()[::2] > 0)
    x, y = np.divmod(used, size[1])
    nodes = (np.column_stack([x, y]) + corner) * step
    return nodes, matrix[:, (2 * used[:, None] + [0, 1]).ravel()]
