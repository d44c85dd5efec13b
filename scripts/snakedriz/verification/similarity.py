"""Similarity index: do the single drizzles show the same sources as the product (the documented verification)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import ExposureSimilarity, Similarity, SimilarityToDefault, SourceComparison
from snakedriz.verification.frames import Frames, Image, Mask, eroded, noise, read_product, source_response

FORMULAS = {
    "images": "responses (-LoG) of the single and of the product without the single's own share",
    "share": "product without it = (product - f single) / (1 - f); f: share of the exposure time, at most share_cap",
    "hamming": "pixels in one source mask only / pixels of the single's source mask, times exposure time / longest",
    "mse": "2 (sum (single - product)^2 - n) / (sum (single^2 + product^2) - n), on pixels of either mask; n: noise",
    "index": "min(hamming, mse) per exposure, the largest over the exposures",
}
#: Returned when one image has sources and the other has none: nothing agrees.
NOTHING_AGREES = 2.0
#: The region of largest overlap serves an exposure if it holds at least this share of its pixels; a sliver does not.
LEAST_REGION = 0.05
#: Grids of one visit's products differ by less (px): they follow the WCS of the exposures.
MOST_SHIFT = 64.0


def without_share(product: Image, single: Image, share: Image, cap: float) -> Image:
    """Take a single's own share out of the (filtered) product; the filter is linear.

    Parameters
    ----------
    product, single, share : ndarray of float32, shape (ny, nx)
        `share`: the single's part in the product's weight, 0 to 1.
    cap : float
        Largest share taken out. What is left of the product after more than that is too noisy to compare with: the
        exposure then *is* the product, and the index says so.
    """
    part = np.minimum(share, np.float32(cap))
    return ((product - part * single) / (np.float32(1) - part)).astype(np.float32, copy=False)


def compare(
    single: Image,
    product: Image,
    region: Mask,
    touched: Mask | None,
    poisson: Image | None,
    weight: float,
    settings: Mapping[str, Any],
) -> SourceComparison:
    """Compare two filtered images on their sources.

    Parameters
    ----------
    single, product : ndarray of float32, shape (ny, nx)
        Their `source_response` (electrons/s), on one grid, with independent noise.
    region : ndarray of bool
        Where to compare.
    touched : ndarray of bool, optional
        Pixels of the single that the CR step flagged. They are left out on both sides, unless they hold most of the
        product's sources: then the step has taken the stars of a misplaced exposure for cosmic rays, and that is the
        mismatch looked for.
    poisson : ndarray of float32, optional
        Variance of the single's photon noise over that of its background, per pixel.
    weight : float
        Exposure time of the single over the longest (the document's scaling of the Hamming distance).
    settings : mapping
        `source_nsigma`, `eaten_share`, `least_source_pixels`.

    Notes
    -----
    The threshold is the same in both images, `source_nsigma` times the larger noise of the two: with one of its own
    each, the fainter sources of the deeper image would count as differences. A Hamming distance above 1 means that
    less than half of the product's source pixels are source in the single, when both have as many.
    """
    scatter = noise(single, region), noise(product, region)
    threshold = float(settings["source_nsigma"]) * max(scatter)
    in_single, in_product = (single > threshold) & region, (product > threshold) & region
    n_product = int(np.count_nonzero(in_product))
    eaten = 0.0
    if touched is not None:
        eaten = float(np.count_nonzero(in_product & touched)) / n_product if n_product else 0.0
        if eaten <= float(settings["eaten_share"]):
            in_single &= ~touched
            in_product &= ~touched
    n_single, n_product = int(np.count_nonzero(in_single)), int(np.count_nonzero(in_product))
    hamming = mse = index = None
    if n_single + n_product >= int(settings["least_source_pixels"]):
        # One pixel stands for none: a single without sources next to a product full of them differs in all of them.
        hamming = int(np.count_nonzero(in_single ^ in_product)) / max(n_single, 1) * weight
        either = in_single | in_product
        mse = _mean_squared_error(
            single[either], product[either], scatter, None if poisson is None else poisson[either]
        )  # fmt: skip
        index = min(hamming, mse)
    return SourceComparison(
        source_pixels=n_single, product_source_pixels=n_product, eaten=eaten, hamming=hamming, mse=mse, index=index
    )


def _mean_squared_error(single: Image, product: Image, scatter: tuple[float, float], poisson: Image | None) -> float:
    """Mean squared error of filtered images on their source pixels: of these sky and nebulosity, which agree, are none.

    Its normalisation makes identical images 0, images with nothing in common 2, and images that agree in half their
    power 1: the document's limit of 1 keeps its meaning, "more differs than agrees". The expected noise, that of both
    backgrounds and the photons of the single, is taken out of the difference and of the power.
    """
    sigma_s, sigma_p = scatter
    s, p = single.astype(float), product.astype(float)
    expected = len(s) * (sigma_s**2 + sigma_p**2)
    if poisson is not None:
        expected += sigma_s**2 * float(np.sum(poisson, dtype=float))
    power = float(np.sum(s**2) + np.sum(p**2)) - expected
    return max(0.0, 2.0 * (float(np.sum((s - p) ** 2)) - expected) / power) if power > 0 else NOTHING_AGREES


def measure(frames: Frames, settings: Mapping[str, Any]) -> Similarity:
    """Compare every single with the product, in the region of largest overlap, or of any overlap where it has none.

    Each single is compared with the product less its own share. In the whole product of n exposures, a share of 1/n
    of any exposure agrees with itself wherever it lies: two exposures could never be told apart, which is part of why
    today's index sees nothing (B1). An exposure that overlaps no other is not compared.
    """
    depth, cap = frames.depth, float(settings["share_cap"])
    deepest = depth.max()
    longest = max(single.exptime for single in frames.singles)
    total = np.zeros(frames.product.shape, dtype=np.float32)
    for single in frames.singles:
        total += frames.of(single, np.float32(single.exptime) * (single.covered & ~single.touched))
    exposures: list[ExposureSimilarity] = []
    for single in frames.singles:
        here, product = frames.on(single, depth), frames.on(single, frames.covered)
        region = single.covered & (here == deepest) & product
        sliver = deepest < 2 or np.count_nonzero(region) < LEAST_REGION * np.count_nonzero(single.covered)
        if sliver:
            region = single.covered & (here > 1) & product
        if not region.any():
            exposures.append(ExposureSimilarity(rootname=single.rootname, region="none", index=None))
            continue
        share = np.where(
            single.touched, np.float32(0),
            np.float32(single.exptime) / np.maximum(frames.on(single, total), np.float32(1e-9)),
        )  # fmt: skip
        rest = without_share(frames.on(single, frames.response), single.response, share, cap)
        # Photon noise over background noise, from the measured scatter of the pixels; the filter treats both alike.
        # Light is that of the filtered image: on a source about as wide as the filter it is of the same size.
        background = max(noise(single.image, region), 1e-12)
        poisson = np.clip(single.image, 0, None) / np.float32(single.exptime * background**2)
        found = compare(single.response, rest, region, single.touched, poisson, single.exptime / longest, settings)
        where: Literal["any overlap", "largest overlap"] = "any overlap" if sliver else "largest overlap"
        exposures.append(ExposureSimilarity(rootname=single.rootname, region=where, **dict(found)))
    compared = [exposure.index for exposure in exposures if exposure.region != "none"]
    known = [index for index in compared if index is not None]
    worst = max(known) if known and len(known) == len(compared) else None
    return Similarity(
        formulas=FORMULAS, limit=float(settings["similarity_limit"]), exposures=exposures, index=worst
    )  # fmt: skip


def check(measured: Similarity, limit: float) -> Check:
    """The document's limit: below 1."""
    value = measured.index
    worst = next((e.rootname for e in measured.exposures if e.index == value), "") if value is not None else ""
    return Check(
        name="similarity", value=value, limit=limit, unit="", passed=None if value is None else value < limit,
        policy=["documented"], note=f"worst: {worst}" if worst else "no sources to compare",
    )  # fmt: skip


def to_default(frames: Frames, default: str | Path, settings: Mapping[str, Any]) -> SimilarityToDefault:
    """Compare a candidate's product with the default's, after removing the shift between their (prepared) frames.

    The candidates differ in absolute pointing on purpose; what may not differ is the sky. Each product's pixel grid
    follows its own WCS, so the bulk shift in pixels (a fraction of one, or a few where an exposure was moved) is
    measured by phase correlation and taken out: whole pixels by reading the default's product elsewhere, the rest by
    linear interpolation.
    """
    from skimage.registration import phase_cross_correlation

    sigma = float(settings["log_sigma_px"])
    # The default's frame may be a few pixels larger or smaller; what it lacks is not covered.
    part = frames.regions
    theirs, covered, _ = read_product(default, part)
    filtered = source_response(theirs, sigma)
    cut = _central(*frames.product.shape)
    shift = np.zeros(2)
    if frames.response[cut].any() and filtered[cut].any():
        # compressed, or the brightest stars alone would decide
        a, b = (
            np.arcsinh(image[cut] / max(noise(image, where), 1e-6))
            for image, where in ((filtered, covered), (frames.response, frames.covered))
        )
        shift, _, _ = phase_cross_correlation(a, b, upsample_factor=20, normalization=None)
        if np.abs(shift).max() > MOST_SHIFT:  # unrelated frames: they are compared as they lie, and differ
            shift = np.zeros(2)
    # `shift` moves the candidate onto the default, so the default is read that much further on.
    whole_px = np.rint(shift).astype(int)
    if whole_px.any():
        theirs, covered, _ = read_product(default, part, (int(whole_px[0]), int(whole_px[1])))
        filtered = source_response(theirs, sigma)
    # The filtered image is smooth on the scale of a pixel, which linear interpolation needs.
    moved = ndimage.shift(frames.response, shift - whole_px, order=1, mode="constant", cval=0.0, output=np.float32)
    both = frames.covered & covered
    part.close_seams(both)
    # The default is the truth here, as a single is for its product: the distance is per source pixel of it.
    found = compare(filtered, moved, eroded(both, 1 + round(3 * sigma)), None, None, 1.0, settings)
    return SimilarityToDefault(formulas=FORMULAS, shift_px=shift[::-1].tolist(), **dict(found))


def _central(ny: int, nx: int, size: int = 1024) -> tuple[slice, slice]:
    """Return the middle of a frame, at most `size` px a side: enough for a shift, at a fraction of the cost."""
    y, x = max(0, (ny - size) // 2), max(0, (nx - size) // 2)
    return slice(y, min(ny, y + size)), slice(x, min(nx, x + size))
