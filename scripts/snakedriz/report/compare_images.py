"""Two products of the same sky: the offset between them, stars to look at, and the same patches cut from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from snakedriz.alignment import matching
from snakedriz.artefacts.comparison import ComparedProduct, Comparison, ProductOffset
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.report.drizzled_product import DrizzledProduct, read
from snakedriz.statistics import factor
from snakedriz.verification import frame_stars, trends
from snakedriz.verification.frames import Image, Mask

Array = NDArray[np.float64]
ISOLATION_ARCSEC = 1.0  # no other source with `NEIGHBOUR` of the light so near: ten times the PSF's width (own choice)
NEIGHBOUR = 0.05  # less is rings and spikes of the star itself (own choice)
COVERED = 0.98  # of a patch around an automatically chosen star: holes of bad pixels are allowed, edges are not
_WIDTHS = (0.8, 1.25)  # of a star over the PSF's: focus and field change it by 10 %, galaxies are wider
_ROTATED = 6  # stars from which on rotation and scale are taken out of the scatter, as in registration


@dataclass(frozen=True)
class Patch:
    """The same sky in both products, on the pixel grid of the first.

    Attributes
    ----------
    ra, dec : float
        Chosen position (deg).
    first, second : ndarray of float32, shape (n, n)
        Electrons/s per pixel of the first product; NaN where not covered.
    wcs : `~astropy.wcs.WCS`
        Of these pixels.
    interval : (float, float)
        Values shown black and white, in both.
    """

    ra: float
    dec: float
    first: Image
    second: Image
    wcs: WCS
    interval: tuple[float, float]


@dataclass(frozen=True)
class ComparedImages:
    """What there is to see: patches, and the report."""

    patches: tuple[Patch, ...]
    report: Comparison


@dataclass(frozen=True)
class _Sources:
    """Sources of a product: pixels and centroids in it, light in 3 x 3 px, east and north (px of the first product)."""

    places: NDArray[np.intp]
    xy: Array
    light: Array
    uv: Array


def _overlap(first: DrizzledProduct, second: DrizzledProduct) -> None:
    y, x = np.nonzero(first.covered[::8, ::8])
    if not second.has(second.pixel(first.sky(np.column_stack([x, y]).astype(float) * 8.0))).any():
        raise SnakedrizError(
            f"{first.path} and {second.path} do not overlap on the sky", "choose products of one visit"
        )


def _sources(product: DrizzledProduct, plane: WCS, numbers: Mapping[str, Any]) -> _Sources:
    found = frame_stars.find(product.image, product.deep, numbers["verification"])
    xy, places = found.positions, found.places
    x, y = places.T
    light = frame_stars.cut(product.image, x, y)[:, 4:7, 4:7].sum(axis=(1, 2)) if len(x) else np.empty(0)
    uv = np.asarray(plane.wcs_world2pix(product.sky(xy), 0), dtype=float) if len(x) else np.empty((0, 2))
    return _Sources(places, xy, light, uv)


def _plane(first: DrizzledProduct) -> WCS:
    """East and north in px of the first product, about its middle."""
    ny, nx = first.image.shape
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval = first.sky(np.array([[(nx - 1) / 2, (ny - 1) / 2]]))[0]
    plane.wcs.crpix = [1.0, 1.0]
    plane.wcs.cdelt = [first.scale / 3600.0, first.scale / 3600.0]
    plane.wcs.set()
    return plane


def _match(one: _Sources, two: _Sources, numbers: Mapping[str, Any]) -> matching.Match:
    """Match the sources of both: near each other, and if that finds nothing as far as the fits search."""
    options, fit = numbers["verification"]["registration"], numbers["fitting"]
    found = matching.Match()
    for radius in (fit["relative"]["searchrad_px"], fit["histogram"]["searchrad_px"]):
        found = matching.match(
            two.uv, one.uv, searchrad=float(radius), tolerance=2.0, min_tolerance=0.5,
            max_false_alarm=float(options["max_false_alarm"]),
        )  # fmt: skip
        if len(found) >= int(options["least_stars"]):
            return found
    reason = found.reason or f"{len(found)} stars in common, {options['least_stars']} are needed"
    return matching.Match(reason=reason)


def _offset(
    one: _Sources, two: _Sources, match: matching.Match, scale: float, numbers: Mapping[str, Any]
) -> ProductOffset:
    """Return the offset, second less first, in mas east and north with its 68 % half-widths.

    The mean of the stars' differences in world coordinates. The error is from their scatter without the trend of
    rotation and scale, Student's t for few stars, and in quadrature the floor that verification uses for kernels and
    pixel phases.
    """
    floor = float(numbers["verification"]["registration"]["floor_px"])
    trend = trends.trend(one.uv[match.ref], two.uv[match.image] - one.uv[match.ref], len(match) >= _ROTATED)
    error = np.hypot(factor(1.0, float(trend.freedom)) * trend.error, floor) * scale * 1000.0
    east, north = trend.shift * scale * 1000.0
    return ProductOffset(
        east_mas=float(east), north_mas=float(north), east_err_mas=float(error[0]), north_err_mas=float(error[1]),
        stars=int(trend.used.sum()), significance=match.significance,
    )  # fmt: skip


def _deep_share(product: DrizzledProduct, x: int, y: int, half: int) -> float:
    """Share of the square of 2 half + 1 px about a pixel that is deep; outside of the frame nothing is."""
    window = product.deep[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
    return float(np.count_nonzero(window)) / (2 * half + 1) ** 2


def _alone(sources: _Sources, rows: NDArray[np.intp], radius: float) -> Mask:
    """Whether no other source of the list with `NEIGHBOUR` of the light is within `radius` (px)."""
    near = cKDTree(sources.uv).query_ball_point(sources.uv[rows], radius)
    return np.array(
        [
            all(other == row or sources.light[other] < NEIGHBOUR * sources.light[row] for other in others)
            for row, others in zip(rows, near, strict=True)
        ]
    )


def _starlike(product: DrizzledProduct, sources: _Sources, rows: NDArray[np.intp]) -> Mask:
    """Whether sources are as wide as the PSF: near the 20th percentile of the brighter half, galaxies being wider."""
    width = frame_stars.widths(frame_stars.cut(product.image, *sources.places[rows].T))
    bright = width[sources.light[rows] >= np.median(sources.light[rows])]
    bright = bright[np.isfinite(bright)]
    if not len(bright):
        return np.zeros(len(rows), dtype=bool)
    ratio = width / np.percentile(bright, 20)
    return np.asarray((ratio > _WIDTHS[0]) & (ratio < _WIDTHS[1]))  # NaN is neither


def _choose(
    pair: tuple[DrizzledProduct, DrizzledProduct],
    lists: tuple[_Sources, _Sources],
    match: matching.Match,
    size: float,
    number: int,
) -> list[tuple[float, float]]:
    """Positions (deg) of the brightest stars that both products show well, brightest first, patches apart.

    A position is the mean of both products' and a brightness their geometric mean, so that the order of the products
    does not matter.
    """
    good = np.ones(len(match), dtype=bool)
    for product, sources, rows in zip(pair, lists, (match.ref, match.image), strict=True):
        half = round(size / 2 / product.scale)
        x, y = sources.places[rows].T
        good &= (sources.light[rows] > 0) & ~product.saturated[y, x] & _starlike(product, sources, rows)
        good &= np.array([_deep_share(product, i, j, half) >= COVERED for i, j in zip(x, y, strict=True)], bool)
        good &= _alone(sources, rows, ISOLATION_ARCSEC / pair[0].scale)
    one, two = lists[0].light[match.ref[good]], lists[1].light[match.image[good]]
    a, b = pair[0].sky(lists[0].xy[match.ref[good]]), pair[1].sky(lists[1].xy[match.image[good]])
    ra = (a[:, 0] + ((b[:, 0] - a[:, 0] + 180.0) % 360.0 - 180.0) / 2.0) % 360.0
    sky = np.round(np.column_stack([ra, (a[:, 1] + b[:, 1]) / 2.0]), 7)  # 0.4 mas: far below a pixel
    chosen: list[tuple[float, float]] = []
    for row in np.lexsort((sky[:, 1], sky[:, 0], -(one * two))):
        mine = (float(sky[row, 0]), float(sky[row, 1]))
        if all(_separation(mine, other) >= size for other in chosen):
            chosen.append(mine)
        if len(chosen) == number:
            break
    return chosen


def _separation(one: tuple[float, float], two: tuple[float, float]) -> float:
    """Larger of the distances in right ascension and declination (arcsec), good for small distances."""
    ra = ((one[0] - two[0] + 180.0) % 360.0 - 180.0) * float(np.cos(np.radians(one[1])))
    return 3600.0 * max(abs(ra), abs(one[1] - two[1]))


def cut_patch(first: DrizzledProduct, second: DrizzledProduct, ra: float, dec: float, size: float) -> Patch:
    """Cut the same sky from both products.

    Parameters
    ----------
    first, second : DrizzledProduct
        The second is brought to the pixel grid of the first by cubic splines, with the area of its pixels.
    ra, dec : float
        Middle of the patch, deg; it comes to lie within half a pixel of the middle.
    size : float
        Side, arcsec.
    """
    from astropy.visualization import ZScaleInterval

    half = max(1, round(size / 2 / first.scale))
    x0, y0 = (int(value) - half for value in np.rint(first.pixel(np.array([[ra, dec]]))[0]))
    y, x = np.mgrid[y0 : y0 + 2 * half + 1, x0 : x0 + 2 * half + 1]
    grid = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    inside = first.has(grid)
    one = np.full(len(grid), np.nan, dtype=np.float32)
    one[inside] = first.image[y.ravel()[inside], x.ravel()[inside]]
    there = second.pixel(first.sky(grid))
    # A margin of 8 px: what lies farther off changes a cubic spline by less than 1e-4.
    low = np.maximum(np.floor(there.min(axis=0)).astype(int) - 8, 0)
    high = np.maximum(np.ceil(there.max(axis=0)).astype(int) + 9, low + 1)
    part = second.image[low[1] : high[1], low[0] : high[0]].astype(float)
    two = np.full(len(grid), np.nan, dtype=np.float32)
    if part.size:
        area = (first.scale / second.scale) ** 2
        two = (area * ndimage.map_coordinates(part, (there - low).T[::-1], order=3, mode="nearest")).astype(np.float32)
    two[~second.has(there)] = np.nan
    wcs = first.wcs.deepcopy()
    wcs.wcs.crpix = wcs.wcs.crpix - np.array([x0, y0])
    wcs.array_shape = x.shape
    shown = np.concatenate([one, two])
    low_high = ZScaleInterval().get_limits(shown[np.isfinite(shown)])
    return Patch(ra, dec, one.reshape(x.shape), two.reshape(x.shape), wcs, (float(low_high[0]), float(low_high[1])))


def compare(
    first: str | Path, second: str | Path, detectors: Mapping[str, Any], positions: Sequence[Sequence[float]] | str,
    size_arcsec: float = 5.0, number: int = 4,
) -> ComparedImages:  # fmt: skip
    """Compare two products.

    Parameters
    ----------
    first, second : path
        Drizzled products (SCI, WHT).
    detectors : mapping
        Numbers of the detectors (`settings.load_detectors`).
    positions : sequence of (float, float) or "auto"
        Right ascension and declination (deg) of the patches, or stars found in both.
    size_arcsec : float
        Side of the patches.
    number : int
        How many stars with "auto", at most.

    Raises
    ------
    NotApplicable
        If one of the products is no image but an outcome, or there is nothing to show: no star that both have, or
        none of the positions in both.
    SnakedrizError
        If a file cannot be read, or the products do not overlap.
    """
    (one, numbers), (two, _) = (read(path, detectors) for path in (first, second))
    _overlap(one, two)
    plane = _plane(one)
    # The numbers of the first detector for both: sources are found the same way.
    lists = _sources(one, plane, numbers), _sources(two, plane, numbers)
    match = _match(*lists, numbers)
    outside: list[tuple[float, float]] = []
    if isinstance(positions, str):
        chosen = _stars_of_both((one, two), lists, match, size_arcsec, number)
    else:
        chosen, outside = _in_both(one, two, positions)
    report = Comparison(
        outcome="ok", reason=match.reason, first=one.summary(), second=two.summary(),
        offset=_offset(*lists, match, one.scale, numbers) if len(match) else None,
        chosen="auto" if isinstance(positions, str) else "given",
        size_arcsec=float(size_arcsec), positions=chosen, outside=outside,
    )  # fmt: skip
    return ComparedImages(tuple(cut_patch(one, two, *at, size_arcsec) for at in chosen), report)


def _stars_of_both(
    pair: tuple[DrizzledProduct, DrizzledProduct], lists: tuple[_Sources, _Sources], match: matching.Match,
    size: float, number: int,
) -> list[tuple[float, float]]:  # fmt: skip
    """Return the positions of stars to show; raises NotApplicable where there is none."""
    names = f"{pair[0].name} and {pair[1].name}"
    if not len(match):
        raise NotApplicable(f"no stars found in both {names}: {match.reason}; give positions")
    chosen = _choose(pair, lists, match, size, number)
    if not chosen:
        raise NotApplicable(
            f"none of {len(match)} stars in both {names} is unsaturated, isolated and well inside both; give positions"
        )
    return chosen


def _in_both(
    one: DrizzledProduct, two: DrizzledProduct, positions: Sequence[Sequence[float]]
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Divide positions (deg) into those in both products and the others; raises NotApplicable if none is in both."""
    given = [(float(ra), float(dec)) for ra, dec in np.asarray(positions, dtype=float)]
    sky = np.array(given).reshape(-1, 2)
    there = one.has(one.pixel(sky)) & two.has(two.pixel(sky))
    inside = [at for at, ok in zip(given, there, strict=True) if ok]
    if not inside:
        each = ", ".join(f"{ra:.6f} {dec:+.6f}" for ra, dec in given) or "none given"
        raise NotApplicable(f"no position ({each}) lies in both {one.name} and {two.name}")
    return inside, [at for at, ok in zip(given, there, strict=True) if not ok]


def not_applicable(first: str | Path, second: str | Path, reason: str, size_arcsec: float) -> ComparedImages:
    """Return the comparison of products that there is nothing to show of, with the reason."""
    one, two = (ComparedProduct(file=str(path), wcsname="", filter="") for path in (first, second))
    report = Comparison(
        outcome="not_applicable", reason=reason, first=one, second=two, offset=None, chosen=None,
        size_arcsec=float(size_arcsec), positions=(), outside=(),
    )  # fmt: skip
    return ComparedImages((), report)
