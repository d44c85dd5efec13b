"""A visit in one tangent plane: its exposures as rigid sets of points, and the stars that they have in common.

The plane is tangent at the middle of the visit, with north up, east left and the detector's pixel scale: an exposure is
a rigid set of points there (all its chips together), its correction one affine map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from snakedriz.alignment import matching
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.geometry import chip_corners, mean_direction, rotation

Array = NDArray[np.float64]
#: No position of a catalogue is taken to be better known (px): 0.005 mas in ACS/WFC.
_LEAST_PX = 1e-4
#: tweakwcs's `FITSWCSCorrector` of each chip of an exposure, by EXTVER.
Correctors = Mapping[int, Any]


class TangentPlane:
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


@dataclass(frozen=True)
class PlacedRows:
    """Rows of a catalogue in the plane: positions (n, 2), their errors per axis (n,) and, where known, covariances.

    Attributes
    ----------
    uv, error : arrays
        px; `error` is the root mean square of both axes'.
    covariance : array, shape (n, 2, 2), or None
        Of the positions, px^2.
    """

    uv: Array
    error: Array
    covariance: Array | None = None

    @classmethod
    def of(
        cls, plane: TangentPlane, ra: Any, dec: Any, sigma: Any, *, errors: tuple[Any, Any, Any] | None = None
    ) -> PlacedRows:
        """Place sky positions (deg) with their errors per axis (mas).

        `errors`: those towards east and north (mas) and their correlation (ra_error, dec_error and ra_dec_corr of
        `catalogs.reference.at_epoch`), for the covariance.
        """
        error = np.asarray(sigma, dtype=float) / (1000.0 * plane.scale)
        uv = plane.from_sky(ra, dec)
        covariance = None if errors is None else _turned(plane, uv, ra, dec, *errors)
        return cls(uv, np.maximum(error, _LEAST_PX), covariance)


def _turned(plane: TangentPlane, uv: Array, ra: Any, dec: Any, east: Any, north: Any, correlation: Any) -> Array:
    """Covariances (n, 2, 2) in the plane (px^2) of errors (mas) towards east and north at positions (deg).

    North at a position is not north at the point of tangency: it is found by a small step. What a gnomonic projection
    stretches is left out: 3e-6 at 0.1 deg.
    """
    dec = np.asarray(dec, dtype=float)
    towards_equator = np.where(dec > 0, -1e-5, 1e-5)  # deg: 36 mas, for no star is so near to a pole
    step = (plane.from_sky(ra, dec + towards_equator) - uv) * np.sign(towards_equator)[:, None]
    up = step / np.hypot(*step.T)[:, None]
    left = np.column_stack([-up[:, 1], up[:, 0]])  # east, where x grows to the west
    e, n = (np.asarray(one, dtype=float) / (1000.0 * plane.scale) for one in (east, north))
    both = np.asarray(correlation, dtype=float) * e * n
    found = (
        e[:, None, None] ** 2 * left[:, :, None] * left[:, None, :]
        + n[:, None, None] ** 2 * up[:, :, None] * up[:, None, :]
        + both[:, None, None] * (left[:, :, None] * up[:, None, :] + up[:, :, None] * left[:, None, :])
    )
    return np.asarray(found + _LEAST_PX**2 * np.eye(2))


def inside(outline: Array, points: Array) -> NDArray[np.bool_]:
    """Whether points (n, 2) lie within the convex hull of an outline (m, 2); true of all if it has no area."""
    from scipy.spatial import ConvexHull

    span = outline - outline.mean(axis=0) if len(outline) else outline
    if len(outline) < 3 or np.linalg.svd(span, compute_uv=False)[-1] < 1e-6:
        return np.ones(len(points), dtype=bool)
    facets = ConvexHull(outline).equations
    return np.asarray((points @ facets[:, :2].T + facets[:, 2] <= 1e-9).all(axis=1))


@dataclass
class PlacedExposure:
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
    correctors: Correctors
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
    motion: Array = field(default_factory=lambda: np.empty((0, 2)))

    @property
    def uv(self) -> Array:
        """Corrected positions (n, 2) in the plane (px)."""
        return self.start @ self.matrix.T + self.shift

    @property
    def middle(self) -> Array:
        """Corrected position of the exposure's middle (px)."""
        return self.matrix @ self.centre + self.shift

    @property
    def moved(self) -> Array:
        """How far the exposure's middle has moved (px)."""
        return self.middle - self.centre

    @property
    def rotation(self) -> float:
        """Angle of the correction (rad), from north to east."""
        return rotation(self.matrix)

    @property
    def scale(self) -> float:
        """Scale of the correction."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def correct(self, matrix: Array, shift: Array) -> None:
        """Apply a further correction: position becomes matrix @ position + shift."""
        self.matrix = matrix @ self.matrix
        self.shift = matrix @ self.shift + shift


def place(exposures: Sequence[ExposureSources]) -> tuple[TangentPlane, list[PlacedExposure]]:
    """Put exposures into one tangent plane.

    Raises
    ------
    SnakedrizError
        If an exposure has no SCI extension or its source table names a chip it does not have.
    """
    chips = [_correctors(exposure) for exposure in exposures]
    middles = [_middle(own) for own in chips]
    # The finest detector's, so that tolerances in px mean at least what they say for every exposure.
    scales = [_pixel_scale(next(iter(own.values()))) for own in chips]
    plane = TangentPlane(*mean_direction(np.array(middles)), min(scales))
    each = zip(exposures, chips, middles, scales, strict=True)
    return plane, [_place_one(plane, *one) for one in each]


def _correctors(exposure: ExposureSources) -> Correctors:
    from stwcs.wcsutil import HSTWCS
    from tweakwcs.correctors import FITSWCSCorrector

    own = {
        version: FITSWCSCorrector(HSTWCS(exposure.skeleton, ext=("SCI", version)))
        for version in science_extensions(exposure.skeleton)
    }
    if not own:
        raise SnakedrizError(
            f"{exposure.rootname}: has no SCI extension with a WCS",
            "get the calibrated exposure from the archive again",
        )
    unknown = sorted({int(chip) for chip in exposure.sources["chip"]} - set(own))
    if unknown:
        raise SnakedrizError(
            f"{exposure.rootname}: sources of chips {unknown}, but the exposure has {sorted(own)}",
            "remove its table of sources and run again",
        )
    return own


def _middle(correctors: Correctors) -> Array:
    """RA and Dec (deg) of the middle of an exposure's chips."""
    sky = []
    for corrector in correctors.values():
        nx, ny = corrector.wcs.pixel_shape
        sky.append(np.array(corrector.det_to_world(np.array([(nx - 1) / 2.0]), np.array([(ny - 1) / 2.0]))).ravel())
    return np.array(mean_direction(np.array(sky)))


def _pixel_scale(corrector: Any) -> float:
    """Arcsec per pixel of a chip."""
    return float(np.sqrt(abs(np.linalg.det(corrector.wcs.pixel_scale_matrix))) * 3600.0)


def _place_one(
    plane: TangentPlane, exposure: ExposureSources, correctors: Correctors, middle: Array, scale: float
) -> PlacedExposure:
    """Place an exposure; `middle` in deg, `scale` in arcsec per px of its own."""
    table = exposure.sources
    row = np.flatnonzero(np.asarray(table["use"], dtype=bool)) if len(table) else np.empty(0, np.intp)
    uv = positions(plane, correctors, table, row)
    good = np.isfinite(uv).all(axis=1)
    error = np.sqrt((np.asarray(table["x_err"]) ** 2 + np.asarray(table["y_err"]) ** 2) / 2)[row]
    error = error * (scale / plane.scale)
    return PlacedExposure(
        rootname=exposure.rootname,
        correctors=correctors,
        sources=table,
        exptime=exposure.exptime,
        start=uv[good],
        error=np.clip(error[good], 1e-3, None),
        mag=np.asarray(table["mag"], dtype=float)[row][good],
        row=row[good],
        centre=plane.from_sky(*middle[:, None])[0],
        outlines=[
            plane.from_sky(*corrector.det_to_world(*chip_corners(*corrector.wcs.pixel_shape).T))
            for corrector in correctors.values()
        ],
    )


def positions(plane: TangentPlane, correctors: Correctors, sources: Table, row: NDArray[np.intp]) -> Array:
    """Positions (n, 2) in the plane (px) of rows of a source table, by the present WCS of their chips."""
    uv = np.full((len(row), 2), np.nan)
    chip, x, y = (np.asarray(sources[name])[row] for name in ("chip", "x", "y"))
    for version, corrector in correctors.items():
        mine = chip == version
        if mine.any():
            uv[mine] = plane.from_sky(*corrector.det_to_world(x[mine].astype(float), y[mine].astype(float)))
    return uv


@dataclass(frozen=True)
class MergedStars:
    """Stars of a visit, each once: weighted mean positions over the exposures that saw them.

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


def merge(exposures: Sequence[PlacedExposure], tolerance: float) -> MergedStars:
    """Find the stars that the exposures have in common under their present corrections.

    A source belongs to the star that is its mutual nearest neighbour within `tolerance` (px) among the stars of the
    exposures before it; else it is a new star. Deterministic: exposures are taken in the order given.
    """
    uv = np.empty((0, 2))
    weight, count, mag = np.empty(0), np.empty(0, np.int64), np.empty(0)
    seen = []
    for exposure in exposures:
        own, w = exposure.uv, 1.0 / exposure.error**2
        star = np.full(len(own), -1, dtype=np.intp)
        if len(uv) and len(own):
            i, r = matching.mutual_neighbours(own, uv, tolerance)
            star[i] = r
            total = weight[r] + w[i]
            uv[r] = (uv[r] * weight[r, None] + own[i] * w[i, None]) / total[:, None]
            mag[r] = (mag[r] * count[r] + exposure.mag[i]) / (count[r] + 1)
            weight[r], count[r] = total, count[r] + 1
        new = np.flatnonzero(star < 0)
        star[new] = len(uv) + np.arange(len(new))
        uv = np.vstack([uv, own[new]])
        weight, mag = np.r_[weight, w[new]], np.r_[mag, exposure.mag[new]]
        count = np.r_[count, np.ones(len(new), np.int64)]
        seen.append(star)
    return MergedStars(uv, 1.0 / np.sqrt(weight) if len(weight) else weight, count, mag, seen)
