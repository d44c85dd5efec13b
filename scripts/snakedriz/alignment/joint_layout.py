"""What a joint solution has to find: corrections of a visit, its guide-star locks and exposures; and their priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Coefficients of roll, scale and skew are displacements (px) so far from the middle (px): numbers of one size.
LEVER = 1000.0


@dataclass(frozen=True)
class Widths:
    """Standard deviations of a correction: shift per axis (px), roll (rad), scale."""

    shift: float
    roll: float
    scale: float


@dataclass(frozen=True)
class PriorWidths:
    """How far corrections can be off, and how large errors usually are that nobody quotes.

    Attributes
    ----------
    visit, lock : Widths
        Common to the visit; of one guide-star lock about it.
    exposures : sequence of Widths
        Of each exposure about its lock.
    skew : float
        Of the two terms of skew, common to the visit.
    floor : float
        Usual additive error of a measured position, px per axis.
    distortion, length : float
        Root mean square of the residual distortion (px per axis), and how far it is correlated (px).
    """

    visit: Widths
    lock: Widths
    exposures: Sequence[Widths]
    skew: float
    floor: float
    distortion: float
    length: float


@dataclass(frozen=True)
class Layout:
    """What the unknowns are.

    Attributes
    ----------
    centres : array, shape (exposures, 2)
        Middles of the exposures (px).
    lock : integer array
        Guide-star lock of each exposure.
    geometry : {"shift", "rshift", "rscale", "general"}
        Of the visit's correction.
    relative : {"shift", "rscale"}
        Of the corrections of exposures among themselves.
    """

    centres: Array
    lock: NDArray[np.intp]
    geometry: str
    relative: str = "rscale"

    TERMS = {"shift": 2, "rshift": 3, "rscale": 4, "general": 6}  # noqa: RUF012

    @property
    def exposures(self) -> int:
        """Number of exposures."""
        return len(self.centres)

    @property
    def locks(self) -> int:
        """Number of locks with unknowns of their own; a single one is the visit itself."""
        number = int(self.lock.max()) + 1
        return number if number > 1 else 0

    @property
    def blocks(self) -> list[tuple[int, int, Array]]:
        """First column, number of columns and middle (px) of each correction: the visit's, locks', exposures'."""
        own = self.TERMS[self.relative]
        sizes = [(self.TERMS[self.geometry], self.centres.mean(axis=0))]
        sizes += [(own, self.centres[self.lock == k].mean(axis=0)) for k in range(self.locks)]
        sizes += [(own, centre) for centre in self.centres]
        first = np.concatenate([[0], np.cumsum([size for size, _ in sizes])])
        return [(int(start), size, centre) for start, (size, centre) in zip(first, sizes, strict=False)]

    def of_exposure(self, index: int) -> list[tuple[int, int, Array]]:
        """Return the blocks that move an exposure."""
        every = self.blocks
        lock = [every[1 + int(self.lock[index])]] if self.locks else []
        return [every[0], *lock, every[1 + self.locks + index]]

    @property
    def size(self) -> int:
        """Number of unknowns."""
        start, size, _ = self.blocks[-1]
        return start + size

    def rows(self, index: int, points: Array) -> Array:
        """Derivatives of positions (n, 2) of an exposure by all unknowns, shape (n, 2, unknowns)."""
        out = np.zeros((len(points), 2, self.size))
        for start, size, centre in self.of_exposure(index):
            out[:, :, start : start + size] = terms(points - centre, size)
        return out

    def correction(self, unknowns: Array, index: int) -> tuple[Array, Array]:
        """Matrix and shift of an exposure's correction: position = matrix @ measured + shift."""
        corners = np.array([[0.0, 0.0], [LEVER, 0.0], [0.0, LEVER]])
        moved = corners + self.rows(index, corners) @ unknowns
        matrix = np.column_stack([(moved[1] - moved[0]) / LEVER, (moved[2] - moved[0]) / LEVER])
        return matrix, moved[0]


def terms(offset: Array, size: int) -> Array:
    """Derivatives of positions at offsets (n, 2) from a correction's middle (px) by its coefficients, (n, 2, size).

    Coefficients: shift in x and y, roll, scale (x and y grow alike), two terms of skew; all but the shift in px at
    `LEVER` from the middle.
    """
    x, y = offset.T / LEVER
    one, zero = np.ones(len(x)), np.zeros(len(x))
    every = np.array([[one, zero, -y, x, x, y], [zero, one, x, y, -y, x]])
    return np.asarray(np.moveaxis(every, 2, 0)[:, :, :size])


def prior_widths(layout: Layout, priors: PriorWidths) -> Array:
    """Standard deviations of all unknowns, px (shift) or px at `LEVER`."""

    def block(widths: Widths, size: int) -> list[float]:
        turned = [widths.roll * LEVER, widths.scale * LEVER, priors.skew * LEVER, priors.skew * LEVER]
        return [widths.shift, widths.shift, *turned][:size]

    kinds = [priors.visit, *[priors.lock] * layout.locks, *priors.exposures]
    return np.array(
        [width for kind, (_, size, _) in zip(kinds, layout.blocks, strict=True) for width in block(kind, size)]
    )


def unknowns_of(layout: Layout, start: Sequence[tuple[Array, Array]]) -> Array:
    """Unknowns that give corrections: the median of all is the visit's, the rest the exposures' own."""
    own = layout.TERMS[layout.relative]
    every = []
    for (matrix, shift), centre in zip(start, layout.centres, strict=True):
        moved = matrix @ centre + shift - centre
        turn, size = (matrix[1, 0] - matrix[0, 1]) / 2 * LEVER, ((matrix[0, 0] + matrix[1, 1]) / 2 - 1) * LEVER
        every.append([*moved, turn, size][:own])
    unknowns = np.zeros(layout.size)
    common = np.median(np.array(every), axis=0)
    visit, number, _ = layout.blocks[0]
    shared = min(number, own)
    unknowns[visit : visit + shared] = common[:shared]
    middle = layout.blocks[0][2]
    for (begin, size, centre), one in zip(layout.blocks[1 + layout.locks :], every, strict=True):
        unknowns[begin : begin + size] = one
        moved = terms((centre - middle)[None], number)[0] @ unknowns[visit : visit + number]
        unknowns[begin : begin + 2] -= moved
        unknowns[begin + 2 : begin + size] -= unknowns[visit + 2 : visit + min(number, size)] if number > 2 else 0.0
    return unknowns
