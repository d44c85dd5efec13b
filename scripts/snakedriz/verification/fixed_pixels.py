"""Which sources of two exposures belong to the detector and not to the sky: hot pixels that nobody flagged.

They repeat in the detector's pixels. Where those lie in another exposure follows from the WCS of the two (the bundle of
single drizzles has it), or from sources too narrow for a star, which hot pixels are. After a dither, or where the
telescope drifted, stars lie elsewhere, and what repeats is left out. Without, position does not tell them apart: most
hot pixels are too narrow for a star, and how many of these repeat says how many clusters look like one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from snakedriz.alignment import matching
from snakedriz.verification.frame_stars import FrameStars
from snakedriz.verification.frames import SingleDrizzle

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NEAR = 0.4  # px: a pixel of the detector lies in two exposures within as much of where it is expected
#: px: stars farther from where the detector's pixels lie are told apart from these by their position
APART = 0.8
_BRIGHTEST = 1000  # narrow sources that are matched


@dataclass(frozen=True)
class SamePixel:
    """Where what one exposure shows at a place lies in another if it is the same pixel of the detector.

    The displacement, px of the frame, is a polynomial in x and y, (p - middle) / size, with coefficients of shape
    (terms, 2).
    """

    middle: Array
    size: float
    powers: tuple[tuple[int, int], ...]
    coefficients: Array

    @classmethod
    def fitted(cls, here: Array, there: Array, degree: int) -> SamePixel:
        """Fit positions (n, 2) in the other exposure to those in the one."""
        middle, size = np.asarray(here.mean(axis=0), dtype=float), float(np.ptp(here, axis=0).max()) or 1.0
        powers = tuple((i, j) for i in range(degree + 1) for j in range(degree + 1 - i))
        fit = np.linalg.lstsq(_terms((here - middle) / size, powers), there - here, rcond=None)[0]
        return cls(middle, size, powers, np.asarray(fit, dtype=float))

    def displacement(self, positions: Array) -> Array:
        """Return the displacement at positions (n, 2)."""
        return np.asarray(_terms((positions - self.middle) / self.size, self.powers) @ self.coefficients)

    def repeated(self, own: Array, other: Array) -> tuple[Mask, Mask]:
        """Which sources of either list, (n, 2) and (m, 2), the other has in the same pixels of the detector."""
        mine, theirs = np.zeros(len(own), bool), np.zeros(len(other), bool)
        if len(own) and len(other):
            i, j = matching.mutual_neighbours(own + self.displacement(own), other, NEAR)
            mine[i], theirs[j] = True, True
        return mine, theirs


def _terms(places: Array, powers: tuple[tuple[int, int], ...]) -> Array:
    return np.column_stack([places[:, 0] ** i * places[:, 1] ** j for i, j in powers])


def same_pixel(
    exposures: tuple[SingleDrizzle, SingleDrizzle], lists: tuple[FrameStars, FrameStars], options: Mapping[str, Any]
) -> SamePixel | None:
    """Find where the detector's pixels of one exposure lie in another; None where neither WCS nor hot pixels tell.

    `options` are the settings `registration`.
    """
    grids = [exposure.detector for exposure in exposures]
    if grids[0].size and grids[0].shape == grids[1].shape:
        # Both see the sky through one distortion: for dithers, what differs is a cubic to 0.01 px.
        here, there = (np.moveaxis(grid[:, :, ::4, ::4], 1, -1).reshape(-1, 2) for grid in grids)
        return SamePixel.fitted(here, there, 3)
    narrow = [found.narrow[:_BRIGHTEST] for found in lists]
    match = matching.match(
        narrow[0], narrow[1], searchrad=float(options["search_px"]), tolerance=2.0, min_tolerance=0.5,
        max_false_alarm=float(options["max_false_alarm"]),
    )  # fmt: skip
    if len(match) < int(options["least_stars"]):
        return None
    here, there = narrow[0][match.image], narrow[1][match.ref]
    near = np.hypot(*(there - here - np.median(there - here, axis=0)).T) < NEAR
    linear = int(near.sum()) >= 12  # twice the unknowns
    return SamePixel.fitted(here[near], there[near], 1 if linear else 0) if near.any() else None


@dataclass(frozen=True)
class Doubt:
    """What two exposures show in the same pixels of the detector.

    Attributes
    ----------
    own, other : arrays of bool
        Star-like sources of either that the other has in the same pixel: clusters of hot pixels, or stars that do not
        move on the detector.
    hot : float
        As many of them are expected to be clusters.
    where : SamePixel or None
    """

    own: Mask
    other: Mask
    hot: float
    where: SamePixel | None

    @property
    def repeat(self) -> bool:
        """Whether any source repeats."""
        return bool(self.own.any())

    def apart(self, own: Array, other: Array) -> bool:
        """Whether matched sources, positions (n, 2) in either exposure, lie elsewhere than the detector's pixels do."""
        if self.where is None or not len(own):
            return False
        return bool(np.hypot(*np.median(other - own - self.where.displacement(own), axis=0)) > APART)


def doubt(
    exposures: tuple[SingleDrizzle, SingleDrizzle], lists: tuple[FrameStars, FrameStars], options: Mapping[str, Any]
) -> Doubt:
    """Find the sources of two exposures that may belong to the detector; `options` are the settings `registration`."""
    own, other = lists
    where = same_pixel(exposures, lists, options)
    if where is None:
        return Doubt(np.zeros(len(own), bool), np.zeros(len(other), bool), 0.0, None)
    mine, theirs = where.repeated(own.positions, other.positions)
    narrow = 0
    if len(own.narrow) and len(other.narrow):
        distance, _ = cKDTree(other.narrow).query(own.narrow + where.displacement(own.narrow))
        narrow = int(np.count_nonzero(distance < NEAR))
    return Doubt(mine, theirs, float(options["fixed_share"]) * narrow, where)
