"""How far the stars of a drizzled product are from the truth of the simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from snakedriz.simulate.truth import Truth

WINDOW_SIGMA = 1.2  # pixels: about the sigma of the PSF in a product, for which a windowed centroid is nearly optimal
STAMP = 6


def windowed_centroid(image: NDArray[np.float64], x: float, y: float, steps: int = 30) -> tuple[float, float] | None:
    """Centroid of a star under a Gaussian window that follows it (as SExtractor's XWIN), or None when it gets lost.

    ``x``, ``y`` (from 0) must be within about two pixels of the star; the background must be near zero.
    """
    start = (x, y)
    for _ in range(steps):
        column, row = round(x), round(y)
        y0, y1, x0, x1 = row - STAMP, row + STAMP + 1, column - STAMP, column + STAMP + 1
        if y0 < 0 or x0 < 0 or y1 > image.shape[0] or x1 > image.shape[1]:
            return None
        part = image[y0:y1, x0:x1]
        dy, dx = np.mgrid[y0:y1, x0:x1] - np.array([y, x])[:, None, None]
        weight = part * np.exp(-(dx**2 + dy**2) / (2 * WINDOW_SIGMA**2))
        total = weight.sum()
        if not np.isfinite(total) or total <= 0:
            return None
        # Twice the shift of the windowed mean: exact for a Gaussian star as wide as the window.
        step_x, step_y = 2 * (weight * dx).sum() / total, 2 * (weight * dy).sum() / total
        x, y = x + step_x, y + step_y
        if np.hypot(x - start[0], y - start[1]) > 3.0:
            return None
        if np.hypot(step_x, step_y) < 1e-4:
            return x, y
    return None


def read_product(path: Path) -> tuple[NDArray[np.float64], WCS]:
    """Pixels and linear world coordinate system of a drizzled product.

    The SCI extension is taken where there is one, else the first image. Raises ValueError for a file without an image.
    """
    with fits.open(path) as hdus:
        named = [h for h in hdus if h.name == "SCI" and h.data is not None and h.data.ndim == 2]
        images = named or [h for h in hdus if h.is_image and h.data is not None and h.data.ndim == 2]
        if not images:
            raise ValueError(f"{path}: no image in this file")
        return images[0].data.astype(float), WCS(images[0].header)


def isolated(
    x: NDArray[np.float64], y: NDArray[np.float64], mag: NDArray[np.float64], radius: float
) -> NDArray[np.bool_]:
    """Which sources have no other one within ``radius`` pixels that is brighter than their magnitude plus 2.5."""
    alone = np.ones(len(x), dtype=bool)
    for k in range(len(x)):
        near = np.hypot(x - x[k], y - y[k]) < radius
        near[k] = False
        alone[k] = not np.any(mag[near] < mag[k] + 2.5)
    return alone


def measure_offsets(
    product: Path | str,
    truth: Truth,
    max_radius_px: float = 20.0,
    mag_range: tuple[float, float] | None = None,
    isolation_px: float = 12.0,
) -> Table:
    """Offsets of the stars in a product from the truth, measured minus true.

    Each true star within ``mag_range`` (by default that of the reference catalogue: bright, not saturated) that has no
    comparable neighbour within ``isolation_px`` is looked for as the brightest pixel within ``max_radius_px`` of where
    it should be, then centroided. Pairs that a common displacement explains are kept: stars farther than 3 pixels from
    the median displacement are mistaken identities and are dropped.

    Columns: id, ra, dec (truth, deg), mag, x, y (measured, from 1), dra_mas (dRA cos dec), ddec_mas. meta["summary"]:
    n, median_dra_mas, median_ddec_mas, median_radial_mas, rms_mas (two-dimensional, about zero), scatter_mas (rms about
    the median displacement). An empty table has NaN there. Raises ValueError for a file without an image.
    """
    image, wcs = read_product(Path(product))
    image = np.where(np.isfinite(image), image, 0.0)
    low, high = truth.visit.reference_range if mag_range is None else mag_range
    scene = truth.scene
    x, y = wcs.all_world2pix(np.asarray(scene["ra"]), np.asarray(scene["dec"]), 0)
    mag = np.asarray(scene["mag"], dtype=float)
    wanted = np.asarray(scene["kind"] == "star") & (mag >= low) & (mag <= high) & isolated(x, y, mag, isolation_px)
    rows = []
    for k in np.flatnonzero(wanted):
        found = _find(image, float(x[k]), float(y[k]), max_radius_px)
        if found is not None:
            rows.append((k, *found))
    keep = np.array([r[0] for r in rows], dtype=int)
    mx, my = (np.array([r[i] for r in rows], dtype=float) for i in (1, 2))
    ra, dec = np.asarray(scene["ra"])[keep], np.asarray(scene["dec"])[keep]
    if len(keep):
        shift = np.hypot(mx - x[keep] - np.median(mx - x[keep]), my - y[keep] - np.median(my - y[keep]))
        good = shift < 3.0
        keep, mx, my, ra, dec = keep[good], mx[good], my[good], ra[good], dec[good]
        found_ra, found_dec = wcs.all_pix2world(mx, my, 0)
    else:
        found_ra, found_dec = ra, dec
    table = Table()
    table["id"] = np.asarray(scene["id"])[keep]
    table["ra"], table["dec"], table["mag"] = ra, dec, mag[keep]
    table["x"], table["y"] = mx + 1.0, my + 1.0
    table["dra_mas"] = ((found_ra - ra + 180.0) % 360.0 - 180.0) * np.cos(np.deg2rad(dec)) * 3.6e6
    table["ddec_mas"] = (found_dec - dec) * 3.6e6
    table.meta["summary"] = _summary(np.asarray(table["dra_mas"]), np.asarray(table["ddec_mas"]))
    return table


def _find(image: NDArray[np.float64], x: float, y: float, radius: float) -> tuple[float, float] | None:
    """Centroid (from 0) of the brightest star within ``radius`` pixels of x, y, the local background subtracted."""
    reach = int(np.ceil(radius)) + 2 * STAMP
    column, row = round(x), round(y)
    y0, x0 = max(row - reach, 0), max(column - reach, 0)
    part = image[y0 : row + reach + 1, x0 : column + reach + 1]
    if row < 0 or column < 0 or min(part.shape) < 2 * STAMP + 3 or np.mean(part == 0.0) > 0.3:
        return None
    part = part - np.median(part[part != 0.0])
    gy, gx = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
    near = np.hypot(gx + x0 - x, gy + y0 - y) <= radius
    if not near.any():
        return None
    peak = int(np.argmax(np.where(near, part, -np.inf)))
    found = windowed_centroid(part, float(gx.flat[peak]), float(gy.flat[peak]))
    return None if found is None else (found[0] + x0, found[1] + y0)


def _summary(dra: NDArray[np.float64], ddec: NDArray[np.float64]) -> dict[str, float]:
    if not len(dra):
        nan = float("nan")
        names = ("median_dra_mas", "median_ddec_mas", "median_radial_mas", "rms_mas", "scatter_mas")
        return {"n": 0, **dict.fromkeys(names, nan)}
    mx, my = float(np.median(dra)), float(np.median(ddec))
    return {
        "n": len(dra),
        "median_dra_mas": mx,
        "median_ddec_mas": my,
        "median_radial_mas": float(np.median(np.hypot(dra, ddec))),
        "rms_mas": float(np.sqrt(np.mean(dra**2 + ddec**2))),
        "scatter_mas": float(np.sqrt(np.mean((dra - mx) ** 2 + (ddec - my) ** 2))),
    }
