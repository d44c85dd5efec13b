"""Shift, rotation and scale in the plane as complex numbers, and their fit with a prior on rotation and scale.

A point (x, y) is z = x + iy, a similarity is z -> turn * z + shift, which makes fits of rotation and scale linear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
#: Standard deviation of rotation (rad) and of scale that a handful of stars has to overcome: 0.03 deg of roll. Only a
#: start is held by it, so that stars in one corner do not throw the other corner off by more than a search finds.
TURN_SIGMA = 5e-4


class SimilarityMap(NamedTuple):
    """The map z -> turn * z + shift of complex positions (px)."""

    turn: complex = 1.0 + 0.0j
    shift: complex = 0.0j

    @classmethod
    def of(cls, matrix: Array, shift: Array) -> SimilarityMap:
        """Return the one nearest to an affine map: what shears it is left out."""
        turn = complex(matrix[0, 0] + matrix[1, 1], matrix[1, 0] - matrix[0, 1]) / 2.0
        return cls(turn, complex(*shift))

    @property
    def matrix(self) -> Array:
        """Its linear part, shape (2, 2)."""
        return np.array([[self.turn.real, -self.turn.imag], [self.turn.imag, self.turn.real]])

    @property
    def offset(self) -> Array:
        """Its shift (px), shape (2,)."""
        return np.array([self.shift.real, self.shift.imag])

    def __call__(self, uv: Array) -> Array:
        """Map positions (n, 2), px."""
        return uv @ self.matrix.T + self.offset

    def then(self, other: SimilarityMap) -> SimilarityMap:
        """Return the map that applies this one first, the other next."""
        return SimilarityMap(other.turn * self.turn, other.turn * self.shift + other.shift)


def as_complex(uv: Array) -> ComplexArray:
    """Positions (n, 2) as n complex numbers."""
    return np.ascontiguousarray(uv, dtype=float).view(complex)[:, 0]


def held_fit(image: Array, ref: Array, weight: Array, least_sigma: float) -> SimilarityMap:
    """Fit ref = turn * image + shift, robustly, with the prior that the turn is 1 within `TURN_SIGMA`.

    Parameters
    ----------
    image, ref : arrays, shape (n, 2)
        Matched positions (px), n >= 1.
    weight : array, shape (n,)
        Relative weights.
    least_sigma : float
        Scatter (px) that is assumed where the points, being few, show less.
    """
    p, q = as_complex(image), as_complex(ref)
    found, robust, sigma = SimilarityMap(), np.ones(len(p)), least_sigma
    for _ in range(8):
        w = weight * robust
        w = w / max(float(w.max()), 1e-300)
        middle_p, middle_q = np.average(p, weights=w), np.average(q, weights=w)
        prior = (sigma / TURN_SIGMA) ** 2
        lever = p - middle_p
        turn = (np.sum(w * lever.conj() * (q - middle_q)) + prior) / (np.sum(w * np.abs(lever) ** 2) + prior)
        found = SimilarityMap(complex(turn), complex(middle_q - turn * middle_p))
        misfit = np.abs(q - found.turn * p - found.shift)
        scatter = float(np.median(misfit)) / 1.1774  # the median of a Rayleigh distribution is 1.1774 sigma
        sigma = max(scatter, least_sigma)
        robust = 1.0 / (1.0 + (misfit / (2.5 * max(scatter, least_sigma / 10.0))) ** 2)
    return found
