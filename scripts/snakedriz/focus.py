"""Focus index: how sharp the product is against its own single drizzles (the documented verification)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from .frames import Frames, Image, Mask

FORMULA = "max |LoG(image, sigma)| outside masked pixels; z = (index - mean of singles) / standard deviation of singles"


def saturated(image: Image, exptime: float, full_well: float, growth: int) -> Mask:
    """Mask saturated stars: pixels above 60 % of the full well (electrons) and `growth` px around them.

    60 %: a drizzled pixel mixes a saturated one with its neighbours, and mixing three to one with pixels of half the
    level leaves at least that much.
    """
    core = image > 0.6 * full_well / exptime
    if not core.any():
        return core
    return ndimage.binary_dilation(core, structure=np.ones((3, 3), bool), iterations=growth)


def focus_index(response: Image, mask: Mask) -> tuple[float, tuple[int, int]] | None:
    """Return the focus index of an image and its place.

    Parameters
    ----------
    response : ndarray of float32, shape (ny, nx)
        Laplacian of Gaussian of the sky-subtracted image (`frames.source_response`; the sign does not matter).
    mask : ndarray of bool, shape (ny, nx)
        Pixels to leave out.

    Returns
    -------
    (float, (int, int)) or None
        Largest absolute response and its (y, x); None if nothing is left or the image is flat.

    Notes
    -----
    Laplacian of Gaussian as edge detector: the seed document, "Computing the Focus Index".
    """
    values = np.where(mask, np.float32(0), np.abs(response))
    place = int(np.argmax(values))
    y, x = divmod(place, response.shape[1])
    value = float(values[y, x])
    return (value, (y, x)) if value > 0 else None


def measure(frames: Frames, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the focus index of every single and of the product, on the same stars.

    A place that is masked in one single (not covered, saturated) is masked in all and in the product: indices of
    different stars say nothing about alignment. The region is that of the largest overlap. Cosmic rays are taken out
    of the singles beforehand (`frames.Single.clean`).
    """
    sigma, growth = float(settings["log_sigma_px"]), int(settings["saturation_growth_px"])
    depth = frames.depth
    # What the filter mixes with the edge of a single is no measure of sharpness.
    mask = ndimage.binary_dilation(depth < depth.max(), structure=np.ones((3, 3), bool), iterations=round(3 * sigma))
    for single in frames.singles:
        mask |= saturated(single.image, single.exptime, float(settings["full_well"]), growth)
    found = [focus_index(single.response, mask) for single in frames.singles]
    product = focus_index(frames.response, mask | ~frames.covered)
    return {
        "formula": FORMULA,
        "sigma_px": sigma,
        "singles": [
            {"rootname": s.rootname, "value": f and f[0], "position": f and list(f[1])}
            for s, f in zip(frames.singles, found, strict=True)
        ],
        "product": {"value": product and product[0], "position": product and list(product[1])},
    }


def check(measured: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Apply the z-score rule to the measured indices.

    The product passes if its z-score lies within the range of the singles', with two allowances that noise and
    sub-pixel sampling need and that are recorded as the limit: from min(lowest single, 0.8 of their mean) to
    max(highest single, mean + 3 standard deviations). z is (x - mean) / sigma itself: norm.ppf(norm.cdf()) of the
    document is the same number, but underflows beyond 8 sigma (today's B2). The singles must agree among themselves
    (their standard deviation below the smallest of them), or they define no range.
    """
    values = [single["value"] for single in measured["singles"]]
    product = measured["product"]["value"]
    if len(values) < 2:
        return _check(None, None, None, "one exposure: nothing to compare")
    if product is None or any(value is None for value in values):
        return _check(None, None, None, "no unmasked source to measure")
    return _verdict(values, product, float(settings["focus_floor"]))


def _verdict(values: Sequence[float], product: float, floor: float) -> dict[str, Any]:
    mean, sigma = float(np.mean(values)), float(np.std(values, ddof=1))
    if sigma <= 1e-9 * mean:
        return _check(None, None, None, "the singles do not differ: no z-score")
    low = (min(*values, floor * mean) - mean) / sigma
    high = (max(*values, mean + 3 * sigma) - mean) / sigma
    z = (product - mean) / sigma
    if sigma > min(values):
        return _check(
            z, [low, high], False, f"the singles disagree: standard deviation {sigma:.3g}, lowest {min(values):.3g}"
        )
    return _check(z, [low, high], bool(low <= z <= high), f"product {product / mean:.3f} of the singles' mean")


def _check(value: float | None, limit: list[float] | None, passed: bool | None, note: str) -> dict[str, Any]:
    return {
        "name": "focus", "value": value, "limit": limit, "unit": "z-score", "passed": passed,
        "policy": ["documented"], "note": note,
    }  # fmt: skip
