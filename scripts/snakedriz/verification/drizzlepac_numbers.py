"""What drizzlepac 3.11 computes to verify an alignment, for comparison: its numbers, its verdict, its quality code.

Facts and quirks are those of drizzlepac 3.11.0, haputils/astrometric_utils.py and runastrodriz.py (verify_alignment,
run_driz), on the same arrays. The quirks are kept on purpose, since the point is comparison; B... and 3h-n are the
numbers of the known defects, and of the departures from its documentation, in this project's notes on runastrodriz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr, ndtri

from snakedriz.artefacts.drizzlepac_numbers import (
    DrizzlepacFocus,
    DrizzlepacNumbers,
    DrizzlepacOverlap,
    DrizzlepacSimilarity,
    FocusDeviations,
    FocusStatistics,
    OverlapExposure,
    Quality,
)
from snakedriz.artefacts.fit import FitResult
from snakedriz.artefacts.solution import Solution
from snakedriz.errors import SnakedrizError
from snakedriz.verification.frames import Image, Mask
from snakedriz.verification.sparse_filters import TileBounds, clipped_stats, log_peak, sources

#: Width of the focus filter, px (runastrodriz.focus_pars). Other detectors it cannot verify: it stops with a KeyError.
FOCUS_SIGMA = {
    "WFC3/IR": 2.0, "WFC3/UVIS": 1.5, "ACS/WFC": 1.5, "ACS/SBC": 2.0, "ACS/HRC": 1.5, "WFPC2/PC": 1.5,
}  # fmt: skip
#: Widths of the filters of the overlap differences, px: run_driz leaves the focus width at its default, whatever the
#: detector, so these focus indices are not those of the focus dictionary.
OVERLAP_SIGMA, SOURCE_SIGMA = 2.0, 3.0
OVERLAP_LIMIT, SIMILARITY_LIMIT, FOCUS_TOLERANCE = 1.0, 1.0, 0.8


def focus_sigma(instrument: str, detector: str) -> float:
    """Return the width of drizzlepac's focus filter, px; `SnakedrizError` for a detector that it has none for."""
    name = f"{instrument}/{detector}".upper()
    if name not in FOCUS_SIGMA:
        raise SnakedrizError(
            f"drizzlepac cannot verify {name}: it has a focus width for {', '.join(FOCUS_SIGMA)} only",
            "set promotion.drizzlepac_numbers to false",
        )
    return FOCUS_SIGMA[name]


@dataclass(frozen=True)
class DrizzledImages:
    """What a candidate was drizzled to, on one grid; images of float32, shape (ny, nx), electrons/s."""

    product: Image  # NaN (or 0) where it has no weight
    singles: Sequence[Image]  # 0 where not covered, in the order of the association
    exptimes: Sequence[float]  # s
    rootnames: Sequence[str]


@dataclass(frozen=True)
class Alignment:
    """What drizzlepac would say of an alignment: members as of `DrizzlepacNumbers`."""

    focus: DrizzlepacFocus | None
    overlap: DrizzlepacOverlap | None
    similarity_to_default: DrizzlepacSimilarity | None
    verified: bool
    quality: Quality | None
    verdict: str


def compute(
    images: DrizzledImages,
    sigma: float,
    default_product: Image | None = None,
    num_sources: int = -1,
    fraction_matched: float = 1.0,
) -> Alignment:
    """Compute what verify_alignment of runastrodriz does for one candidate.

    Parameters
    ----------
    images : DrizzledImages
    sigma : float
        `focus_sigma` of the detector, px.
    default_product : ndarray of float32, optional
        The default candidate's product, for the others.
    num_sources, fraction_matched : int and float
        Sources matched by the fit, and their share of the catalogue: a posteriori only; the defaults are drizzlepac's.

    Raises
    ------
    SnakedrizError
        If the images are not on one grid.
    """
    product = np.ascontiguousarray(images.product, np.float32)
    singles = [np.ascontiguousarray(single, np.float32) for single in images.singles]
    if any(single.shape != product.shape for single in singles):
        shapes = [single.shape for single in singles]
        raise SnakedrizError(
            f"singles of {shapes} pixels do not fit a product of {product.shape}: one grid is expected",
            "remove the candidate's product and singles and run again",
        )
    verified, said, stopped = True, ["one exposure: neither focus nor overlap is checked"], False
    clean, focus, overlap, similar = _no_nan(product), None, None, None
    if len(singles) > 1:
        focus, overlap, said = _measure(clean, singles, images, sigma, num_sources, fraction_matched)
        stopped = any(row.stops for row in overlap.exposures)
        verified = overlap.passed and (focus.passed or not overlap.focus_consulted)
    code: Quality = 0 if verified else 3
    if default_product is not None:
        index = similarity(clean, _no_nan(np.asarray(default_product, np.float32)))
        alike = not index > SIMILARITY_LIMIT
        similar = DrizzlepacSimilarity(index=index, limit=SIMILARITY_LIMIT, passed=alike)
        said.append(f"similarity to the default {index:.4g}, limit {SIMILARITY_LIMIT:g}: {_word(alike)}")
        # Unlike the default, a candidate only gets a worse code, and is promoted all the same (B3).
        code = 6 if not verified else 0 if alike else 3
    quality = None if stopped else code
    if focus is not None:
        focus = focus.model_copy(update={"alignment_verified": verified, "alignment_quality": quality})
    return Alignment(focus, overlap, similar, verified, quality, "; ".join(said))


def _measure(
    clean: Image, singles: list[Image], images: DrizzledImages, sigma: float, num_sources: int, fraction: float
) -> tuple[DrizzlepacFocus, DrizzlepacOverlap, list[str]]:
    """Form the focus dictionary and the overlap differences, and put the decision in words."""
    # NaN counts as covered in the focus mask (3a), and as 0 afterwards.
    mask = covered_by_all(singles)
    bounds = TileBounds.of(clean)
    distances, rows, peaks = [], [], []
    for single, exptime, root in zip(singles, images.exptimes, images.rootnames, strict=True):
        finite = _no_nan(single)
        own = TileBounds.of(finite)
        peaks.append(log_peak(finite, mask, sigma, own))
        distance, row = _overlap(root, clean, bounds, finite, own, float(exptime) / float(max(images.exptimes)))
        distances.append(distance)
        rows.append(row)
    focus = _focus(peaks, log_peak(clean, mask, sigma, bounds), images.rootnames)
    # Python's max keeps a NaN that comes first and passes over one that comes later, as drizzlepac's does.
    largest = max(distances)
    overlap = DrizzlepacOverlap(
        limit=OVERLAP_LIMIT, largest=largest,
        # A NaN is not within the limit; -1 of an empty exposure is.
        passed=bool(largest <= OVERLAP_LIMIT) and not any(row.stops for row in rows),
        # The focus decides only where a fit rests on few matches: never for default and a priori (B2).
        focus_consulted=fraction < 0.1 or -1 < num_sources < 10,
        num_sources=num_sources, fraction_matched=fraction, exposures=rows,
    )  # fmt: skip
    return focus, overlap, _said(overlap, largest, focus.passed)


def _word(passed: bool) -> str:
    return "passed" if passed else "failed"


def _said(overlap: DrizzlepacOverlap, largest: float, focus: bool) -> list[str]:
    """Put the decision on overlap and focus in words."""
    reasons = [f"{row.rootname}: {row.stops}" for row in overlap.exposures if row.stops]
    if reasons:
        return [f"drizzlepac stops with an exception ({'; '.join(reasons)}), counted as not verified"]
    return [
        f"largest overlap difference {largest:.4g}, limit {OVERLAP_LIMIT:g}: {_word(overlap.passed)}",
        f"focus {'' if overlap.focus_consulted else 'not consulted, would have '}{_word(focus)}",
    ]


def _no_nan(image: Image) -> Image:
    return image if np.isfinite(image).all() else np.nan_to_num(image, nan=0)


def covered_by_all(singles: Sequence[Image]) -> Mask:
    """Mask what counts in the focus index: 8 px and more from an exact zero of any single, and from the frame's edge.

    Only zeros are left out: saturated stars and cosmic rays are measured (3h-7). The erosion of the common mask is the
    common part of the eroded masks, which are drizzlepac's.
    """
    mask = singles[0] != 0
    for single in singles[1:]:
        mask &= single != 0
    return ndimage.binary_erosion(mask, iterations=8)


def _focus(
    exposures: Sequence[tuple[float, tuple[int, int]]], product: tuple[float, tuple[int, int]], rootnames: Sequence[str]
) -> DrizzlepacFocus:
    """Form the focus dictionary, before the verdict on the alignment."""
    values = np.array([value for value, _ in exposures])
    stats = FocusStatistics(mean=values.mean(), std=values.std(), min=values.min(), max=values.max())
    passed, z = evaluate_focus(product[0], stats)
    return DrizzlepacFocus(
        exp=[value for value, _ in exposures], prod=[product[0]], stats=stats,
        exp_pos=exposures[-1][1],  # one place for all: each exposure overwrites that of the one before
        prod_pos=product[1], expnames=list(rootnames), passed=passed, z=FocusDeviations(**z),
        alignment_verified=False, alignment_quality=None,
    )  # fmt: skip


def evaluate_focus(product: float, stats: FocusStatistics) -> tuple[bool, dict[str, float]]:
    """Return whether a product's focus index passes, and the z-scores that decide: product, lowest, highest."""
    mean, std = stats.mean, stats.std
    lowest, highest = min(mean - 3 * std, FOCUS_TOLERANCE * mean), mean + 3 * std
    z = {
        "product": _score(product, mean, std),
        "lowest": _score(lowest, mean, std),
        "highest": _score(highest, mean, std),
    }
    # Of a NaN every comparison is False: std 0 passes anything (B2). Against the document's range of the singles: 3h-8.
    return not (z["product"] < z["lowest"] or z["product"] > z["highest"] or std > stats.min), z


def _score(value: float, mean: float, std: float) -> float:
    """Return a z-score the long way round, ppf(cdf(value)) of a normal distribution.

    The cdf underflows to 0 below z = -37.7, whose ppf is -inf: with std below 0.0053 of the mean the lower limit is
    -inf and any blur passes (B2). Above z = 8.3 it is 1, and the score +inf.
    """
    return float(ndtri(ndtr((value - mean) / std))) if std > 0 else float("nan")


#: What becomes of an exposure without data; a distance of NaN is none.
_NO_DATA = OverlapExposure(
    rootname="", xslice=None, yslice=None, focus=0.0, focus_pos=None, product_focus=0.0, product_focus_pos=None,
    distance=None, hamming=None, similarity=None, stops="", num_sources=0, product_num_sources=0,
)  # fmt: skip


def _overlap(
    rootname: str, product: Image, product_bounds: TileBounds, single: Image, bounds: TileBounds, weight: float
) -> tuple[float, OverlapExposure]:
    """Compare one exposure with the product; `stops` tells where drizzlepac would have raised an exception.

    The distance is returned beside the row, which cannot hold a NaN.
    """
    region, row = single > 0, _NO_DATA.model_copy(update={"rootname": rootname})
    if not region.any():  # no data: -1, which passes any limit
        return -1.0, row.model_copy(update={"distance": -1.0})
    # The region of the largest overlap is the whole frame: the footprints drawn are those of the single drizzles' WCS,
    # which is the product's (B10). Their slices leave out the last row and column. No exposure can lie outside, so the
    # fall-back to any overlap has the same region.
    region[-1], region[:, -1] = False, False
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if len(rows) == 0:
        return math.nan, row.model_copy(update={"stops": "data in the last row and column only"})
    # The stop is the last row and column that have data, and so leaves them out: once more.
    y, x = slice(int(rows[0]), int(rows[-1])), slice(int(columns[0]), int(columns[-1]))
    focus, place = log_peak(single, region, OVERLAP_SIGMA, bounds)
    product_focus, product_place = log_peak(product, region, OVERLAP_SIGMA, product_bounds)
    row = row.model_copy(update={
        "xslice": [x.start, x.stop], "yslice": [y.start, y.stop], "focus": focus, "focus_pos": list(place),
        "product_focus": product_focus, "product_focus_pos": list(product_place),
    })  # fmt: skip
    # Pixels of the single that are not positive are 0 in both: half the sky, and with it half the noise.
    ours, theirs = (np.where(region[y, x], image[y, x], np.float32(0)) for image in (single, product))
    if ours.size == 0 or ours.max() < 0 or theirs.max() < 0:
        why = "data in one row or column only" if ours.size == 0 else "no background of a product below 0 everywhere"
        return math.nan, row.model_copy(update={"stops": why})
    found, product_found = _detect(ours), _detect(theirs)
    pixels = int(np.count_nonzero(found))
    with np.errstate(divide="ignore", invalid="ignore"):
        hamming = float(np.int64(np.count_nonzero(found != product_found)) / np.int64(pixels) * weight)
    index = similarity(ours, theirs)
    # A blurred exposure, or one of other stars, has the same flux: twice the similarity is nearly always the smaller,
    # and hides what the Hamming distance sees (B1, 3h-11). A NaN here, of no source in either, stays.
    distance = min(hamming, index * 2.0)
    return distance, OverlapExposure(**{
        **dict(row), "distance": distance, "hamming": hamming, "similarity": index,
        "num_sources": ndimage.label(found)[1], "product_num_sources": ndimage.label(product_found)[1],
    })  # fmt: skip


def _detect(image: Image) -> Mask:
    """Mask the cores of what stands out of the background.

    Where nothing does, drizzlepac clips its image at 0 and at its own, negative, maximum; numpy then returns that
    maximum everywhere. The response of the truncated filter to such a constant is not 0, but of the sign that is no
    source.
    """
    top = image.max()
    if top == 0:
        threshold, smooth = np.float32(0), False
    else:
        # Fewer iterations for faint images: one from 6.3 electrons/s on. Below that it is 0, which astropy takes for
        # no limit; below 0.063 it is negative, and nothing is clipped.
        mean, median, std = clipped_stats(image.ravel(), 3.0, int(np.log10(top / 2) + 0.5))
        # Sky-subtracted images nearly always are "blank", so their PSFs are smoothed before they are compared.
        threshold, smooth = mean + 4 * std, bool(median < std and median < 1.0)
    return sources(image, threshold, smooth, SOURCE_SIGMA)


def similarity(image: Image, reference: Image) -> float:
    """Return drizzlepac's similarity index: the difference of the net fluxes over that of the image.

    Of the corner at pixel (0, 0) only, as large as the largest power of 2 that fits both, which are finite. Rebinning
    leaves sums as they are; it is done here for the rounding. A negative net flux gives a negative index, which passes
    (B1, 3h-10, 3h-14).
    """
    bits = int(min(*image.shape, *reference.shape)).bit_length() - 1
    window, factor = 2**bits, 4 if bits - 2 > 6 else 1
    binned, other = (_rebin(array[:window, :window], factor) for array in (image, reference))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.abs((binned - other).sum()) / binned.sum())


def _rebin(array: Image, factor: int) -> NDArray[np.float32]:
    """Sum squares of pixels, along x first, in the order numpy's sum over an axis has."""
    for axis in (1, 0):
        view = np.moveaxis(array, axis, 0)
        total = view[::factor].copy()
        for step in range(1, factor):
            total += view[step::factor]
        array = np.moveaxis(total, 0, axis)
    return np.ascontiguousarray(array)


def read(product: str | Path, singles: str | Path) -> DrizzledImages:
    """Read a candidate's product and singles bundle."""
    with fits.open(singles, memmap=False) as hdul:
        versions = sorted(hdu.header["EXTVER"] for hdu in hdul[1:] if hdu.name == "SCI")
        headers = [hdul["SCI", version].header for version in versions]
        images = [hdul["SCI", version].data.astype(np.float32) for version in versions]
    exptimes = [float(header["EXPTIME"]) for header in headers]
    return DrizzledImages(read_product(product), images, exptimes, [str(header["ROOTNAME"]) for header in headers])


def read_product(path: str | Path) -> Image:
    """Read a product as drizzlepac does: NaN where it has no weight."""
    with fits.open(path, memmap=False) as hdul:
        return hdul["SCI"].data.astype(np.float32)


def matched(fit: FitResult | None) -> tuple[int, float]:
    """Return what drizzlepac counts of a fit: sources matched in the first exposure, and their share of the catalogue.

    Default and a priori candidates have no fit, and drizzlepac -1 and 1 for them.
    """
    if fit is None:
        return -1, 1.0
    number = fit.exposures[0].nmatches
    return number, number / fit.reference.rows


def assess(
    product: str | Path | None,
    singles: str | Path | None,
    solution: Solution,
    instrument: str,
    detector: str,
    default_product: str | Path | None = None,
    fit: FitResult | None = None,
) -> DrizzlepacNumbers:
    """Return what drizzlepac would say of one candidate; of one that does not apply, its outcome only.

    `product` and `singles` are None for a candidate that does not apply; `default_product` is for the others than the
    default, `fit` what the a posteriori candidate is made of.
    """
    result = DrizzlepacNumbers(candidate=solution.candidate, outcome=solution.outcome, reason=solution.reason)
    if solution.outcome != "ok" or product is None or singles is None:
        return result
    sigma = focus_sigma(instrument, detector)
    default = None if default_product is None else read_product(default_product)
    found = compute(read(product, singles), sigma, default, *matched(fit))
    return result.model_copy(update={"sigma_px": sigma, **vars(found)})
