"""A visit in one tangent plane: its exposures as rigid sets of points, and the stars that they have in common.

The plane is tangent at the middle of the visit, with north up, east left and the detector's pixel scale: an exposure is
a rigid set of points there (all its chips together), its correction one affine map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.geometry import chip_corners, mean_direction

Array = NDArray[np.float64]


class Plane:
    """The tangent plane of a visit, as a WCS: tweakwcs corrects chips in a plane that is one.

    Parameters
    ----------
    ra, dec : float
        Point of tangency (deg), at (0, 0) of the plane.
    scale : float
        Arcsec per unit ("px") of the plane; x grows to the west, y to the north.
    """

    def __init__(self, ra: float, dec: float, scale: float) -> None:
        from astropy.wcs import WCS
        from tweakwcs.correctors import FITSWCSCorrector

        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [ra, dec]
        wcs.wcs.crpix = [1.0, 1.0]
        wcs.wcs.cd = np.diag([-scale, scale]) / 3600.0
        wcs.pixel_shape = (64, 64)
        wcs.wcs.set()
        self.scale = scale
        self.wcs = wcs
        self.corrector = FITSWCSCorrector(wcs)

    def from_sky(self, ra: Any, dec: Any) -> Array:
        """Positions (n, 2) in the plane (px) of sky positions (deg)."""
        return np.column_stack(self.wcs.wcs_world2pix(np.asarray(ra, float), np.asarray(dec, float), 0))

    def to_sky(self, uv: Array) -> tuple[Array, Array]:
        """Sky positions (deg) of positions (n, 2) in the plane (px)."""
        ra, dec = self.wcs.wcs_pix2world(uv[:, 0], uv[:, 1], 0)
        return np.asarray(ra), np.asarray(dec)


def inside(outline: Array, points: Array) -> NDArray[np.bool_]:
    """Whether points (n, 2) lie within the convex hull of an outline (m, 2); true of all if it has no area."""
    from scipy.spatial import ConvexHull

    span = outline - outline.mean(axis=0) if len(outline) else outline
    if len(outline) < 3 or np.linalg.svd(span, compute_uv=False)[-1] < 1e-6:
        return np.ones(len(points), dtype=bool)
    facets = ConvexHull(outline).equations
    return np.asarray((points @ facets[:, :2].T + facets[:, 2] <= 1e-9).all(axis=1))


@dataclass
class Member:
    """An exposure in the plane: its usable sources, and the correction found so far.

    Attributes
    ----------
    start, error, mag, row : arrays of n sources
        Positions in the plane (px) under the initial WCS, errors per axis (px), magnitudes, rows of the source table.
    centre : array, shape (2,)
        Middle of the chips in the plane (px).
    outlines : list of arrays, shape (4, 2)
        Corners of each chip in the plane under the initial WCS (px).
    matrix, shift : arrays
        Correction: position = matrix @ start + shift (px).
    motion : array, shape (n, 2) or (0, 2)
        Proper motion that was taken off `start` (`snakedriz.alignment.star_motions`), px; empty for none.
    """

    rootname: str
    correctors: dict[int, Any]
    sources: Table
    exptime: float
    start: Array
    error: Array
    mag: Array
    row: NDArray[np.intp]
    centre: Array
    outlines: list[Array]
    matrix: Array = field(default_factory=lambda: np.eye(2))
    shift: Array = field(default_factory=lambda: np.zeros(2))
    tied: bool = False
    relative: dict[str, Any] = field(default_factory=dict)
    motion: Array = field(default_factory=lambda: np.empty((0, 2)))

    @property
    def uv(self) -> Array:
        """Corrected positions (n, 2) in the plane (px)."""
        return self.start @ self.matrix.T + self.shift

    @property
    def moved(self) -> Array:
        """How far the exposure's middle has moved (px)."""
        return self.matrix @ self.centre + self.shift - self.centre

    def correct(self, matrix: Array, shift: Array) -> None:
        """Apply a further correction: position becomes matrix @ position + shift."""
        self.matrix = matrix @ self.matrix
        self.shift = matrix @ self.shift + shift


def place(exposures: Sequence[ExposureSources]) -> tuple[Plane, list[Member]]:
    """Put exposures into one tangent plane.

    Raises
    ------
    SnakedrizError
        If an exposure has no SCI extension or its source table names a chip it does not have.
    """
    from stwcs.wcsutil import HSTWCS
    from tweakwcs.correctors import FITSWCSCorrector

    chips: list[dict[int, Any]] = []
    middles: list[Array] = []
    for exposure in exposures:
        own = {
            version: FITSWCSCorrector(HSTWCS(exposure.skeleton, ext=("SCI", version)))
            for version in science_extensions(exposure.skeleton)
        }
        if not own:
            raise SnakedrizError(f"{exposure.rootname}: has no SCI extension with a WCS")
        unknown = sorted({int(chip) for chip in exposure.sources["chip"]} - set(own))
        if unknown:
            raise SnakedrizError(f"{exposure.rootname}: sources of chips {unknown}, but the exposure has {sorted(own)}")
        chips.append(own)
        sky = []
        for corrector in own.values():
            nx, ny = corrector.wcs.pixel_shape
            sky.append(np.array(corrector.det_to_world(np.array([(nx - 1) / 2.0]), np.array([(ny - 1) / 2.0]))).ravel())
        middles.append(np.array(mean_direction(np.array(sky))))
    # The finest detector's, so that tolerances in px mean at least what they say for every exposure.
    scales = [_pixel_scale(next(iter(own.values()))) for own in chips]
    scale = min(scales)
    plane = Plane(*mean_direction(np.array(middles)), scale)
    members = []
    for exposure, own, middle, own_scale in zip(exposures, chips, middles, scales, strict=True):
        table = exposure.sources
        row = np.flatnonzero(np.asarray(table["use"], dtype=bool)) if len(table) else np.empty(0, np.intp)
        uv = np.full((len(row), 2), np.nan)
        chip = np.asarray(table["chip"])[row]
        for version, corrector in own.items():
            mine = chip == version
            if mine.any():
                x, y = (np.asarray(table[c], dtype=float)[row][mine] for c in ("x", "y"))
                uv[mine] = plane.from_sky(*corrector.det_to_world(x, y))
        good = np.isfinite(uv).all(axis=1)
        error = np.sqrt((np.asarray(table["x_err"]) ** 2 + np.asarray(table["y_err"]) ** 2) / 2)[row]
        error = error * (own_scale / scale)
        members.append(
            Member(
                rootname=exposure.rootname,
                correctors=own,
                sources=table,
                exptime=exposure.exptime,
                start=uv[good],
                error=np.clip(error[good], 1e-3, None),
                mag=np.asarray(table["mag"], dtype=float)[row][good],
                row=row[good],
                centre=plane.from_sky(*middle[:, None])[0],
                outlines=[_outline(plane, corrector) for corrector in own.values()],
            )
        )
    return plane, members


def _pixel_scale(corrector: Any) -> float:
    """Arcsec per pixel of a chip."""
    return float(np.sqrt(abs(np.linalg.det(corrector.wcs.pixel_scale_matrix))) * 3600.0)


def _outline(plane: Plane, corrector: Any) -> Array:
    return plane.from_sky(*corrector.det_to_world(*chip_corners(*corrector.wcs.pixel_shape).T))


@dataclass
class Stars:
    """Stars of a visit: weighted mean positions over the exposures that saw them.

    Attributes
    ----------
    uv, error, count : arrays of m stars
        Mean position (px), its error per axis (px), number of exposures.
    mag : array
        Mean instrumental magnitude.
    seen : list, one per exposure, of integer arrays
        Star of each source.
    """

    uv: Array
    error: Array
    count: NDArray[np.int64]
    mag: Array
    seen: list[NDArray[np.intp]]


def merge(members: Sequence[Member], tolerance: float) -> Stars:
    """Find the stars that the exposures have in common under their present corrections.

    A source belongs to the star that is its mutual nearest neighbour within `tolerance` (px) among the stars of the
    exposures before it; else it is a new star. Deterministic: exposures are taken in the order given.
    """
    uv = np.empty((0, 2))
    weight, count, mag = np.empty(0), np.empty(0, np.int64), np.empty(0)
    seen = []
    for member in members:
        own, w = member.uv, 1.0 / member.error**2
        star = np.full(len(own), -1, dtype=np.intp)
        if len(uv) and len(own):
            i, r = matching.mutual_neighbours(own, uv, tolerance)
            star[i] = r
            total = weight[r] + w[i]
            uv[r] = (uv[r] * weight[r, None] + own[i] * w[i, None]) / total[:, None]
            mag[r] = (mag[r] * count[r] + member.mag[i]) / (count[r] + 1)
            weight[r], count[r] = total, count[r] + 1
        new = np.flatnonzero(star < 0)
        star[new] = len(uv) + np.arange(len(new))
        uv = np.vstack([uv, own[new]])
        weight, mag = np.r_[weight, w[new]], np.r_[mag, member.mag[new]]
        count = np.r_[count, np.ones(len(new), np.int64)]
        seen.append(star)
    return Stars(uv, 1.0 / np.sqrt(weight) if len(weight) else weight, count, mag, seen)
