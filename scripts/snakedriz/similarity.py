"""Similarity index: do the single drizzles show the same sources as the product (the documented verification)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import ndimage

from .frames import Frames, Image, Mask, noise, source_response

FORMULAS = {
    "hamming": "pixels in one source mask only / pixels of the single's source mask, times exposure time / longest",
    "mse": "2 (sum (single - product)^2 - expected noise) / sum (single^2 + product^2), on pixels of either mask",
    "index": "min(hamming, mse) per exposure, the largest over the exposures",
}
#: Returned when one image has sources and the other has none: nothing agrees.
NOTHING_AGREES = 2.0


def compare(
    single: Image,
    product: Image,
    filtered_single: Image,
    filtered_product: Image,
    region: Mask,
    touched: Mask,
    exptime: float,
    weight: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Compare one single drizzle with the product.

    Parameters
    ----------
    single, product : ndarray of float32, shape (ny, nx)
        Electrons/s, on one grid.
    filtered_single, filtered_product : ndarray of float32, shape (ny, nx)
        Their `source_response`.
    region : ndarray of bool
        Where to compare.
    touched : ndarray of bool
        Pixels of the single that the CR step flagged. They are left out on both sides, unless they hold most of the
        product's sources: then the step has taken the stars of a misplaced exposure for cosmic rays, and that is the
        mismatch looked for.
    exptime : float
        Of the single, s.
    weight : float
        Its exposure time over the longest.
    settings : mapping
        `source_nsigma`, `eaten_share`, `least_source_pixels`.

    Returns
    -------
    dict
        `hamming`, `mse`, `index` (None where neither image has a source), counts of source pixels, `eaten` (share of
        the product's source pixels that are flagged in the single).

    Notes
    -----
    The threshold is the same in both images, `source_nsigma` times the noise of the single, which is the noisier one:
    with one of its own each, the product's fainter sources would count as differences. The factor 2 of the mean squared
    error makes images without anything in common score 2 and images that agree in half their power 1, so that the
    document's limit of 1 has its meaning: "more differs than agrees". The expected noise is the sky's in both images
    plus Poisson's of the product's counts.
    """
    threshold = float(settings["source_nsigma"]) * noise(filtered_single, region)
    in_single, in_product = (filtered_single > threshold) & region, (filtered_product > threshold) & region
    n_product = int(np.count_nonzero(in_product))
    eaten = float(np.count_nonzero(in_product & touched)) / n_product if n_product else 0.0
    kept = region if eaten > float(settings["eaten_share"]) else region & ~touched
    in_single &= kept
    in_product &= kept
    n_single, n_product = int(np.count_nonzero(in_single)), int(np.count_nonzero(in_product))
    out: dict[str, Any] = {"source_pixels": n_single, "product_source_pixels": n_product, "eaten": eaten}
    if n_single + n_product < int(settings["least_source_pixels"]):
        return {**out, "hamming": None, "mse": None, "index": None}
    if n_single == 0:
        return {**out, "hamming": NOTHING_AGREES, "mse": NOTHING_AGREES, "index": NOTHING_AGREES}
    hamming = float(np.count_nonzero(in_single ^ in_product)) / n_single * weight
    either = in_single | in_product
    s, p = single[either].astype(float), product[either].astype(float)
    sky = noise(single, region & ~either) ** 2 + noise(product, region & ~either) ** 2
    expected = len(s) * sky + float(np.sum(np.clip(p, 0, None))) / exptime
    power = float(np.sum(s**2) + np.sum(p**2))
    mse = max(0.0, 2.0 * (float(np.sum((s - p) ** 2)) - expected) / power) if power > 0 else NOTHING_AGREES
    return {**out, "hamming": hamming, "mse": mse, "index": min(hamming, mse)}


def measure(frames: Frames, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Compare every single with the product, in the region of largest overlap, or of any overlap where it has none."""
    depth = frames.depth
    longest = max(single.exptime for single in frames.singles)
    exposures = []
    for single in frames.singles:
        region = single.covered & (depth == depth.max()) & frames.covered
        where = "largest overlap"
        if not region.any():
            region, where = single.covered & (depth > 1) & frames.covered, "any overlap"
        found = compare(
            single.image, frames.product, single.response, frames.response, region, single.touched, single.exptime,
            single.exptime / longest, settings,
        )  # fmt: skip
        exposures.append({"rootname": single.rootname, "region": where, **found})
    indices = [e["index"] for e in exposures]
    known = [index for index in indices if index is not None]
    return {
        "formulas": FORMULAS,
        "exposures": exposures,
        "index": max(known) if len(known) == len(indices) and known else None,
    }


def check(measured: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """The document's limit: below 1."""
    value = measured["index"]
    worst = next((e["rootname"] for e in measured["exposures"] if e["index"] == value), "") if value is not None else ""
    return {
        "name": "similarity", "value": value, "limit": limit, "unit": "", "passed": None if value is None else value < limit,
        "policy": ["documented"], "note": f"worst: {worst}" if worst else "no sources to compare",
    }  # fmt: skip


def to_default(frames: Frames, default: Image, default_covered: Mask, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Compare a candidate's product with the default's, after removing the shift between their frames.

    The candidates differ in absolute pointing on purpose; what may not differ is the sky. Each product's pixel grid
    follows its own WCS, so the bulk shift in pixels (a fraction of one, or a few where an exposure was moved) is
    measured by phase correlation and taken out by linear interpolation.
    """
    from skimage.registration import phase_cross_correlation

    sigma = float(settings["log_sigma_px"])
    ny, nx = (min(a, b) for a, b in zip(frames.product.shape, default.shape, strict=True))
    mine, mine_covered, mine_filtered = (a[:ny, :nx] for a in (frames.product, frames.covered, frames.response))
    theirs, theirs_covered = default[:ny, :nx], default_covered[:ny, :nx]
    theirs_filtered = source_response(theirs, sigma)
    cut = _central(ny, nx)
    shift = np.zeros(2)
    if mine_filtered[cut].any() and theirs_filtered[cut].any():
        # compressed, or the brightest stars alone would decide
        a, b = (
            np.arcsinh(filtered[cut] / max(noise(filtered, covered), 1e-6))
            for filtered, covered in ((theirs_filtered, theirs_covered), (mine_filtered, mine_covered))
        )
        shift, _, _ = phase_cross_correlation(a, b, upsample_factor=20, normalization=None)
    moved = ndimage.shift(mine, shift, order=1, mode="constant", cval=0.0, output=np.float32)
    edge = int(np.ceil(np.abs(shift).max())) + round(3 * sigma)
    region = ndimage.binary_erosion(mine_covered & theirs_covered, structure=np.ones((3, 3), bool), iterations=edge)
    exptime = sum(single.exptime for single in frames.singles)
    found = compare(
        moved, theirs, source_response(moved, sigma), theirs_filtered, region, np.zeros_like(region), exptime, 1.0,
        settings,
    )  # fmt: skip
    return {"formulas": FORMULAS, "shift_px": [float(shift[1]), float(shift[0])], **found}


def _central(ny: int, nx: int, size: int = 1024) -> tuple[slice, slice]:
    """Return the middle of a frame, at most `size` px a side: enough for a shift, at a fraction of the cost."""
    y, x = max(0, (ny - size) // 2), max(0, (nx - size) // 2)
    return slice(y, min(ny, y + size)), slice(x, min(nx, x + size))
