"""Registration: the measured shift of every exposure against the others, with its error.

Each single drizzle is compared with the combination of the other exposures, in which it has no part: against the
product a displaced exposure would be compared with itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import norm as norm_distribution
from scipy.stats import t as student

from . import matching
from .frames import Frames, Image, Mask, Single, eroded, noise, source_response

Array = NDArray[np.float64]
#: An exposure that shares less than this part of its pixels with others is not compared with them.
LEAST_OVERLAP = 0.01
_LEAST_LINEAR = 8  # sources for rotation and scale along with the shift: twice the unknowns
_HALF = 5  # px: half the side of a star's stamp, 2.5 FWHM of HST's PSF


def find_stars(image: Image, covered: Mask, settings: Mapping[str, Any]) -> tuple[Array, Array]:
    """Find star-like sources on a drizzled frame.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        Sky-subtracted; cosmic rays may be in it.
    covered : ndarray of bool, shape (ny, nx)
    settings : mapping
        `log_sigma_px`, and of `registration`: `detect_nsigma`, `star_share`, `most_stars`.

    Returns
    -------
    positions : array, shape (n, 2)
        Centroids x, y (px, from 0), brightest first.
    places : integer array, shape (n, 2)
        The pixels (x, y) they were found at.

    Notes
    -----
    A local maximum of -LoG counts if its brightest pixel holds less than `star_share` of the light in 3 x 3 pixels,
    which most cosmic rays exceed. Centroids are means under a Gaussian window that follows the star (the XWIN
    parameters of SExtractor).
    """
    options = settings["registration"]
    response = source_response(image, float(settings["log_sigma_px"]))
    inside = eroded(covered, _HALF + 2)
    threshold = float(options["detect_nsigma"]) * noise(response, covered)
    candidates = (response > threshold) & inside
    if threshold <= 0 or not candidates.any():
        return np.empty((0, 2)), np.empty((0, 2), dtype=int)
    peaks = candidates & (response >= ndimage.maximum_filter(response, size=5))
    y, x = np.nonzero(peaks)
    order = np.lexsort((x, y, -response[y, x]))[: 6 * int(options["most_stars"])]
    y, x = y[order], x[order]
    stamps = image[y[:, None, None] + _GRID[0], x[:, None, None] + _GRID[1]].astype(float)
    stamps -= np.median(stamps, axis=(1, 2), keepdims=True)
    core = stamps[:, _HALF - 1 : _HALF + 2, _HALF - 1 : _HALF + 2]
    light = core.sum(axis=(1, 2))
    star = (light > 0) & (core.max(axis=(1, 2)) < float(options["star_share"]) * light)
    offset, good = _centroids(stamps[star])
    keep = np.flatnonzero(star)[good][: int(options["most_stars"])]
    positions = np.column_stack([x[keep], y[keep]]) + offset[good][: len(keep)]
    return positions, np.column_stack([x[keep], y[keep]])


_GRID = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1]


def _centroids(stamps: Array, sigma: float = 1.2, steps: int = 12) -> tuple[Array, NDArray[np.bool_]]:
    """Windowed centroids of stamps, shape (n, 2) relative to their middle (x, y), and which converged."""
    centre = np.zeros((len(stamps), 2))
    good = np.ones(len(stamps), dtype=bool)
    for _ in range(steps):
        dx = _GRID[1][None] - centre[:, 0, None, None]
        dy = _GRID[0][None] - centre[:, 1, None, None]
        weight = stamps * np.exp(-(dx**2 + dy**2) / (2 * sigma**2))
        total = weight.sum(axis=(1, 2))
        good &= total > 0
        total = np.where(total > 0, total, 1.0)
        # Twice the shift of the windowed mean: exact for a Gaussian star as wide as the window
        step = 2 * np.column_stack([(weight * dx).sum(axis=(1, 2)), (weight * dy).sum(axis=(1, 2))]) / total[:, None]
        centre += np.clip(step, -0.5, 0.5)
    good &= np.abs(centre).max(axis=1, initial=0) < 2.0
    return centre, good


@dataclass(frozen=True)
class Trend:
    """Mean shift of a list of differences, with the linear trend (one rotation, one scale) about its middle.

    Attributes
    ----------
    shift, error : arrays, shape (2,)
        Of x and y (px).
    field, field_error : float
        Root mean square displacement that rotation and scale add over the sources (px), 0 where they were not fitted.
    rotation, scale : float
        rad, and as a factor.
    used : ndarray of bool
        Rows that were not clipped.
    """

    shift: Array
    error: Array
    field: float
    field_error: float
    rotation: float
    scale: float
    used: NDArray[np.bool_]


def _trend(positions: Array, difference: Array, floor: float, linear: bool) -> Trend:
    """Fit differences (n, 2) at positions (n, 2); rows more than 3.5 robust standard deviations off are clipped.

    Errors are those of the mean from the scatter that is left, with `floor` added in quadrature, and widened for few
    rows so that three of them enclose what three do of a Gaussian (Student's t).
    """
    used = np.ones(len(difference), dtype=bool)
    for _ in range(20):
        middle = np.median(difference[used], axis=0) if not linear else difference[used].mean(axis=0)
        offset = positions - positions[used].mean(axis=0)
        u, d = offset[used], (difference - middle)[used]
        norm = float((u**2).sum())
        p = q = 0.0
        if linear and norm > 0:
            p = float((u * d).sum()) / norm
            q = float((u[:, 0] * d[:, 1] - u[:, 1] * d[:, 0]).sum()) / norm
        x, y = offset.T
        residual = difference - middle - np.column_stack([p * x - q * y, p * y + q * x])
        distance = np.abs(residual - np.median(residual[used], axis=0))
        now = (distance < 3.5 * (1.4826 * np.median(distance[used], axis=0) + 1e-3)).all(axis=1)
        if now.sum() < (_LEAST_LINEAR if linear else 3) or (now == used).all():
            break
        used = now
    n = int(used.sum())
    freedom = max(n - 2 if linear else n - 1, 1)
    widening = float(student.isf(norm_distribution.sf(3.0), freedom)) / 3.0
    scatter = np.sqrt(((residual[used] - residual[used].mean(axis=0)) ** 2).sum(axis=0) / freedom) * widening
    error = np.sqrt(scatter**2 / n + floor**2)
    radius = float(np.sqrt((u**2).sum() / len(u)))
    return Trend(
        difference[used].mean(axis=0), error, float(np.hypot(p, q)) * radius,
        float(np.hypot(*scatter) / np.sqrt(n)) if linear else 0.0, q, 1.0 + p, used,
    )  # fmt: skip


def _by_sources(single: Single, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Shift from matched stars, None where there are too few of them."""
    options = settings["registration"]
    mine, places = find_stars(single.image, single.covered, settings)
    theirs, _ = find_stars(single.others, single.others_covered, settings)
    least = int(options["least_stars"])
    if min(len(mine), len(theirs)) < least:
        return None
    match = matching.match(
        mine, theirs, searchrad=float(options["search_px"]), tolerance=2.0, min_tolerance=0.5,
        max_false_alarm=float(options["max_false_alarm"]),
    )  # fmt: skip
    if len(match) < least:
        return None
    here, difference = theirs[match.ref], mine[match.image] - theirs[match.ref]
    touched = single.touched[places[match.image][:, 1], places[match.image][:, 0]]
    # A ray beside a star pulls its centroid; but where the CR step took the stars themselves, they are what counts.
    if np.count_nonzero(~touched) >= max(least, 0.5 * len(match)):
        here, difference = here[~touched], difference[~touched]
    trend = _trend(here, difference, float(options["floor_px"]), len(difference) >= _LEAST_LINEAR)
    if trend.used.sum() < least:
        return None
    return {
        "method": "sources",
        "nmatches": int(trend.used.sum()),
        "significance": match.significance,
        "dx": float(trend.shift[0]), "dy": float(trend.shift[1]),
        "dx_err": float(trend.error[0]), "dy_err": float(trend.error[1]),
        "rotation_deg": float(np.degrees(trend.rotation)), "scale": trend.scale,
        "field": trend.field, "field_err": trend.field_error,
        "flagged_share": float(touched.mean()),
    }  # fmt: skip


def _by_correlation(single: Single, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Shift from cross-correlation of tiles, for galaxies and nebulae; None where the tiles do not agree.

    The scatter of the tiles is what gives the error, and their agreement is what tells a signal from noise.
    """
    from skimage.registration import phase_cross_correlation

    options = settings["registration"]
    both = single.covered & single.others_covered
    ys, xs = np.nonzero(both.any(axis=1))[0], np.nonzero(both.any(axis=0))[0]
    if len(ys) == 0 or len(xs) == 0:
        return None
    y0, y1, x0, x1 = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    size = int(np.clip(min(y1 - y0, x1 - x0) // 3, 96, 512))
    search, found = float(options["search_px"]), []
    tiles = [(y, x) for y in range(y0, y1 - size + 1, size) for x in range(x0, x1 - size + 1, size)]
    step = max(1, len(tiles) // int(options["most_tiles"]))
    for y, x in tiles[::step]:
        cut = np.s_[y : y + size, x : x + size]
        if both[cut].mean() < 0.9:
            continue
        # The median over 5 x 5 px takes out cosmic rays and point sources, the wide LoG the sky.
        a, b = (
            source_response(ndimage.median_filter(np.where(both[cut], image[cut], 0), size=5), 3.0)
            for image in (single.others, single.image)
        )
        if not a.any() or not b.any():
            continue
        shift, _, _ = phase_cross_correlation(a, b, upsample_factor=100, normalization=None)
        found.append((-shift[1], -shift[0], x + size / 2, y + size / 2))
    tried, rows = len(found), np.array(found, dtype=float).reshape(-1, 4)
    rows = rows[np.abs(rows[:, :2]).max(axis=1, initial=0) <= search]
    shifts, middles = rows[:, :2], rows[:, 2:]
    if len(shifts) < int(options["least_tiles"]):
        return None
    near = np.hypot(*(shifts - np.median(shifts, axis=0)).T) < 1.0
    if near.sum() < max(int(options["least_tiles"]), 0.5 * tried):
        return None
    trend = _trend(middles[near], shifts[near], float(options["floor_px"]), False)
    return {
        **_UNMEASURABLE, "method": "correlation", "nmatches": int(trend.used.sum()),
        "dx": float(trend.shift[0]), "dy": float(trend.shift[1]),
        "dx_err": float(trend.error[0]), "dy_err": float(trend.error[1]),
    }  # fmt: skip


_UNMEASURABLE: dict[str, Any] = {
    "method": "unmeasurable", "nmatches": 0, "significance": None, "dx": None, "dy": None, "dx_err": None,
    "dy_err": None, "rotation_deg": None, "scale": None, "field": None, "field_err": None, "flagged_share": None,
}  # fmt: skip


def measure(frames: Frames, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the shift of every exposure against the combination of the others.

    Parameters
    ----------
    frames : Frames
        Prepared (`frames.prepare`).
    settings : mapping
        `log_sigma_px`, and the block `registration`.

    Returns
    -------
    dict
        `exposures`: per exposure rootname, method ("sources", "correlation", "unmeasurable", or "no overlap" with any
        other exposure), number of stars or tiles, dx, dy and their errors (px, along the axes of the drizzled frame,
        exposure minus the others), the same in mas, rotation (deg) and scale, and `field`, the root mean square
        displacement (px) that rotation and scale add over the stars.
    """
    exposures, limit = [], float(settings["registration"]["limit_px"])
    for single in frames.singles:
        found = dict(_UNMEASURABLE)
        if np.count_nonzero(single.covered & single.others_covered) < LEAST_OVERLAP * np.count_nonzero(single.covered):
            found["method"] = "no overlap"
        else:
            sources = _by_sources(single, settings)
            precise = sources is not None and 3.0 * shift_error(sources)[1] <= limit
            # Few or broad sources: their correlation may know better.
            tiles = None if precise else _by_correlation(single, settings)
            found = min((f for f in (sources, tiles) if f is not None), key=lambda f: shift_error(f)[1], default=found)
        for key in ("dx", "dy", "dx_err", "dy_err"):
            found[f"{key}_mas"] = None if found[key] is None else found[key] * frames.scale * 1e3
        exposures.append({"rootname": single.rootname, **found})
    return {"exposures": exposures, "scale_arcsec": frames.scale}


def shift_error(exposure: Mapping[str, Any]) -> tuple[float, float]:
    """Total displacement of a measured exposure (mean shift, rotation and scale in quadrature) and its error, px."""
    shift = np.sqrt(exposure["dx"] ** 2 + exposure["dy"] ** 2 + (exposure["field"] or 0.0) ** 2)
    error = np.sqrt(exposure["dx_err"] ** 2 + exposure["dy_err"] ** 2 + (exposure["field_err"] or 0.0) ** 2)
    return float(shift), float(error)


def check(measured: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the worst exposure: its shift may exceed `limit_px` by no more than three times its error.

    The shift is that of the mean with the displacement that rotation and scale add. A measured displacement speaks in
    both policies: a product known to be smeared is not verified, whatever its focus and similarity. An exposure that
    cannot be measured, or whose error exceeds `max_error_px` so that a displacement could hide in it, leaves the
    verdict open (None). An exposure that overlaps no other can smear nothing, and does not count.
    """
    options = settings["registration"]
    worst, unknown, apart = None, [], []
    for exposure in measured["exposures"]:
        if exposure["method"] == "no overlap":
            apart.append(exposure["rootname"])
            continue
        if exposure["dx"] is None:
            unknown.append(exposure["rootname"])
            continue
        shift, error = shift_error(exposure)
        limit = float(options["limit_px"]) + 3.0 * error
        if worst is None or shift - limit > worst[0] - worst[1]:
            worst = (shift, limit, exposure["rootname"])
        if error > float(options["max_error_px"]):
            unknown.append(exposure["rootname"])
    note = "; ".join(
        f"{word}: {', '.join(names)}"
        for word, names in (("unmeasurable", unknown), ("overlaps no other exposure", apart)) if names
    )  # fmt: skip
    if worst is None:
        return _check(None, None, None, note)
    failed = worst[0] > worst[1]
    note = "; ".join(filter(None, [f"worst: {worst[2]}", note]))
    return _check(worst[0], worst[1], False if failed else (None if unknown else True), note)


def _check(value: float | None, limit: float | None, passed: bool | None, note: str) -> dict[str, Any]:
    return {
        "name": "registration", "value": value, "limit": limit, "unit": "px", "passed": passed,
        "policy": ["documented", "measured"], "note": note,
    }  # fmt: skip
