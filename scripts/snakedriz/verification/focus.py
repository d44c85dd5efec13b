"""Focus index: how sharp the product is against its own single drizzles (the documented verification)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import Focus, FocusIndex, SingleFocusIndex
from snakedriz.verification.frames import Frames, Image, Mask, eroded, grown, noise

FORMULAS = {
    "index": "max |LoG(image, sigma)| outside masked pixels",
    "z": "(index - mean of singles) / standard deviation of singles (ddof 1)",
    "error": "sqrt(1 + photons) times the robust noise of the filtered image; photons: source over background variance",
    "limits": "[lowest single, highest single], each moved outwards by 3 errors and by allowance * mean, as z",
}


def saturated(image: Image, exptime: float, full_well: float, growth: int) -> Mask:
    """Mask saturated stars: pixels above 60 % of the full well (electrons) and `growth` px around them.

    60 %: a drizzled pixel mixes a saturated one with its neighbours, and mixing three to one with pixels of half the
    level leaves at least that much. The image is in electrons/s, its exposure time in s.
    """
    core = image > 0.6 * full_well / exptime
    return grown(core, growth) if core.any() else core


def focus_index(response: Image, mask: Mask) -> tuple[float, tuple[int, int]] | None:
    """Return the focus index of an image and its (y, x); None if nothing is left or the image is flat.

    The index is the largest absolute response (units of the image) outside the mask. Laplacian of Gaussian as edge
    detector: the seed document, "Computing the Focus Index".

    Parameters
    ----------
    response : ndarray of float32, shape (ny, nx)
        Laplacian of Gaussian of the sky-subtracted image (`frames.source_response`; the sign does not matter).
    mask : ndarray of bool, shape (ny, nx)
        Pixels to leave out.
    """
    values = np.abs(response)
    values[mask | ~np.isfinite(values)] = 0
    place = int(np.argmax(values))
    y, x = divmod(place, response.shape[1])
    value = float(values[y, x])
    return (value, (y, x)) if value > 0 else None


def _entry(response: Image, image: Image, mask: Mask, exptime: float) -> FocusIndex:
    """Index of one image with its place, the error that noise gives it, and its significance."""
    found = focus_index(response, mask)
    if found is None:
        return FocusIndex(value=None, position=None, error=None, significance=None)
    value, place = found
    sigma, sky = noise(response, ~mask), noise(image, ~mask)
    if sigma <= 0 or sky <= 0:
        return FocusIndex(value=value, position=place, error=None, significance=None)
    # Variance of the source's photons over the background's, as in the similarity index: the filtered value is about
    # the light per pixel on a source as wide as the filter.
    error = sigma * float(np.sqrt(1.0 + value / (exptime * sky**2)))
    return FocusIndex(value=value, position=place, error=error, significance=value / sigma)


def measure(frames: Frames, settings: Mapping[str, Any]) -> Focus:
    """Measure the focus index of every single and of the product, on the same stars.

    A place that is masked in one single (not covered, saturated) is masked in all and in the product: indices of
    different stars say nothing about alignment. The region is that of the largest overlap. Cosmic rays are taken out
    of the singles beforehand (`frames.SingleDrizzle.response`); `frames` are prepared.
    """
    sigma, growth = float(settings["log_sigma_px"]), int(settings["saturation_growth_px"])
    depth = frames.depth
    # What the filter mixes with the edge of a single is no measure of sharpness.
    mask = ~eroded((depth == depth.max()) & frames.covered, round(3 * sigma))
    for single in frames.singles:
        mask |= frames.of(single, saturated(single.image, single.exptime, float(settings["full_well"]), growth))
    total = sum(single.exptime for single in frames.singles)
    singles = [
        SingleFocusIndex(
            rootname=one.rootname, **dict(_entry(one.response, one.image, frames.on(one, mask), one.exptime))
        )
        for one in frames.singles
    ]  # fmt: skip
    product = _entry(frames.response, frames.product, mask, total)
    return Focus(formulas=FORMULAS, sigma_px=sigma, singles=singles, product=product)


def check(measured: Focus, settings: Mapping[str, Any]) -> Check:
    """Apply the z-score rule to the measured indices; `value` and `limit` of the check are z-scores.

    The product passes if its z-score lies within the range of the singles'. Two allowances move the ends of that range
    outwards, and are part of the recorded limit: three times the error that noise gives the indices (few singles sample
    their own noise badly), and `focus_allowance` of the mean (the singles' and the product's drizzle kernels differ).
    z is (x - mean) / sigma itself: norm.ppf(norm.cdf()) of the document is the same number, but underflows beyond
    8 sigma, where every blur passes (today's B2).

    Unmeasurable (None, never passed): an index less than `focus_nsigma` times the noise of its image, where the maximum
    is one of noise; singles that do not differ at all. Singles whose scatter exceeds the smallest of them define no
    range: failed, as today.
    """
    entries = [*measured.singles, measured.product]
    if len(entries) < 3:
        return _check(None, None, None, "one exposure: nothing to compare")
    least = float(settings["focus_nsigma"])
    if any((entry.significance or 0.0) < least for entry in entries):
        return _check(None, None, None, f"no unmasked source of {least:g} times the noise in every image")
    *values, product = (float(entry.value or 0.0) for entry in entries)
    allowance = float(settings["focus_allowance"]) * float(np.mean(values))
    return _verdict(values, product, 3.0 * max(entry.error or 0.0 for entry in entries) + allowance)


def _verdict(values: Sequence[float], product: float, widening: float) -> Check:
    mean, sigma = float(np.mean(values)), float(np.std(values, ddof=1))
    if not sigma > 1e-9 * mean:
        return _check(None, None, None, "the singles do not differ: no z-score")
    limit = [(min(values) - widening - mean) / sigma, (max(values) + widening - mean) / sigma]
    z = (product - mean) / sigma
    if sigma > min(values):
        note = f"the singles disagree: standard deviation {sigma:.3g}, lowest {min(values):.3g}"
        return _check(z, limit, False, note)
    return _check(z, limit, limit[0] <= z <= limit[1], f"product {product / mean:.3f} of the singles' mean")


def _check(value: float | None, limit: list[float] | None, passed: bool | None, note: str) -> Check:
    return Check(
        name="focus", value=value, limit=limit, unit="z-score", passed=passed, policy=["documented"], note=note
    )
