"""The normal equations of a joint solution: the stars eliminated, only the corrections left.

Each star has a 2 x 2 matrix of its own, so that elimination costs no more than the measurements are many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakedriz.alignment.joint_layout import Array, Layout, PriorWidths, terms


@dataclass(frozen=True)
class Measured:
    """Measured positions, n of them: exposure and star (indices), place in the plane (px), error per axis (px)."""

    exposure: NDArray[np.intp]
    star: NDArray[np.intp]
    uv: Array
    error: Array


@dataclass(frozen=True)
class Known:
    """Stars whose positions a catalogue gives, each at most once: index, place (px), covariance (k, 2, 2) in px^2."""

    star: NDArray[np.intp]
    uv: Array
    covariance: Array


class System:
    """The normal equations of the corrections, the stars eliminated, for given errors and weights.

    Everything is relative to a first guess of each star's position, which keeps small differences exact.
    """

    def __init__(
        self, layout: Layout, measured: Measured, known: Known, stars: int, start: Array, priors: PriorWidths
    ) -> None:
        from scipy.sparse import csr_matrix

        self.layout, self.measured, self.known, self.priors, self.number = layout, measured, known, priors, stars
        n = len(measured.star)
        design = _design(layout, measured)
        self.design = design
        first = _first_guess(measured, known, (design @ start).reshape(n, 2), stars)
        self.first = first
        self.seen = measured.uv - first[measured.star]
        self.offset = known.uv - first[known.star]
        gather = np.repeat(2 * measured.star, 2) + np.tile([0, 1], n)
        self.gather: Any = csr_matrix((np.ones(2 * n), (gather, np.arange(2 * n))), shape=(2 * stars, 2 * n))

    def solve(self, weight: Array, inverse: Array, prior: Array) -> Solved:
        """Solve for the corrections.

        Parameters
        ----------
        weight : array, shape (n,)
            Of measured positions, 1/px^2.
        inverse : array, shape (k, 2, 2)
            Of catalogue rows, 1/px^2.
        prior : array
            Weights of the unknowns' priors, which are nought with a width.
        """
        from scipy.sparse import bsr_matrix

        hessian = np.zeros((self.number, 2, 2))
        total = np.bincount(self.measured.star, weight, minlength=self.number)
        hessian[:, 0, 0] += total
        hessian[:, 1, 1] += total
        hessian[self.known.star] += inverse
        used = hessian[:, 0, 0] > 0
        back = np.zeros_like(hessian)
        back[used] = np.linalg.inv(hessian[used])
        right = np.zeros((self.number, 2))
        for axis in (0, 1):
            right[:, axis] = np.bincount(self.measured.star, weight * self.seen[:, axis], minlength=self.number)
        right[self.known.star] += np.einsum("kij,kj->ki", inverse, self.offset)
        both = np.repeat(weight, 2)
        weighted = self.design.multiply(both[:, None]).tocsr()
        sums = (self.gather @ weighted).tocsr()
        blocks = bsr_matrix((back, np.arange(self.number), np.arange(self.number + 1)), shape=(2 * self.number,) * 2)
        eliminated = (blocks @ sums).tocsr()
        normal = np.asarray((self.design.T @ weighted - sums.T @ eliminated).toarray()) + np.diag(prior)
        vector = -(weighted.T @ self.seen.ravel() - eliminated.T @ right.ravel())
        unknowns = np.linalg.solve(normal, np.asarray(vector).ravel())
        moved = self.seen + (self.design @ unknowns).reshape(-1, 2)
        pulled = right + (sums @ unknowns).reshape(-1, 2)
        stars = np.einsum("sij,sj->si", back, pulled)
        return Solved(
            unknowns, normal, stars, back, used, moved - stars[self.measured.star],
            self.offset - stars[self.known.star], eliminated,
        )  # fmt: skip


@dataclass(frozen=True)
class Solved:
    """One solution of a `System`: unknowns, their normal matrix, stars (from the first guess), residuals.

    `back` are the inverses of the stars' own 2 x 2 matrices, `used` which of them have one, `eliminated` those times
    the stars' sums of weighted derivatives.
    """

    unknowns: Array
    normal: Array
    stars: Array
    back: Array
    used: NDArray[np.bool_]
    residual: Array
    row_residual: Array
    eliminated: Any


def _design(layout: Layout, measured: Measured) -> Any:
    """Derivatives of all measured coordinates (rows: x and y of each) by the unknowns, sparse."""
    from scipy.sparse import coo_matrix

    rows: list[Any] = []
    columns: list[Any] = []
    values: list[Any] = []
    for index in range(layout.exposures):
        mine = np.flatnonzero(measured.exposure == index)
        for start, size, centre in layout.of_exposure(index):
            value = terms(measured.uv[mine] - centre, size)
            row = np.broadcast_to((2 * mine[:, None] + [0, 1])[:, :, None], value.shape)
            column = np.broadcast_to(np.arange(start, start + size), value.shape)
            for kept, part in ((rows, row), (columns, column), (values, value)):
                kept.append(part.ravel())
    shape = (2 * len(measured.star), layout.size)
    return coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()


def _first_guess(measured: Measured, known: Known, moved: Array, stars: int) -> Array:
    """Mean position of each star under the first corrections, or the catalogue's."""
    at = measured.uv + moved
    number = np.bincount(measured.star, minlength=stars)
    total = np.column_stack([np.bincount(measured.star, axis, minlength=stars) for axis in at.T])
    first = total / np.maximum(number, 1)[:, None]
    first[known.star] = np.where(number[known.star, None] > 0, first[known.star], known.uv)
    return np.asarray(first)
