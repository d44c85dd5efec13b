"""Width of the stars in the product against that of the same stars in the single drizzles: smearing, as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import ExposureStarWidth, StarWidth
from snakedriz.statistics import factor
from snakedriz.verification import frame_stars
from snakedriz.verification.frame_stars import FrameStars
from snakedriz.verification.frames import Frames, SingleDrizzle

_FWHM = 2.3548  # of a Gaussian of sigma 1
_MOST = 300  # brightest stars: 300 at 5 % give 0.3 %


def measure(frames: Frames, lists: Sequence[FrameStars], settings: Mapping[str, Any]) -> StarWidth:
    """Measure the widths of the stars of each exposure, and of the same stars in the product.

    Stars that the CR step touched, and saturated ones, are left out of `lists`, the sources of each single. Widths are
    those of `frame_stars.widths`. The ratio of the whole is the median over the exposures, with the smallest 68 %
    half-width any of them has; None where there are too few stars.
    """
    rows = [_row(frames, single, found, settings) for single, found in zip(frames.singles, lists, strict=True)]
    known = [row.ratio for row in rows if row.ratio is not None]
    errors = [row.ratio_err for row in rows if row.ratio_err is not None]
    ratio = float(np.median(known)) if known else None
    return StarWidth(exposures=rows, ratio=ratio, ratio_err=min(errors, default=None))


def _row(frames: Frames, single: SingleDrizzle, found: FrameStars, settings: Mapping[str, Any]) -> ExposureStarWidth:
    x, y = found.places[~found.touched][:_MOST].T
    core = single.image[y, x] < 0.6 * float(settings["full_well"]) / single.exptime
    x, y = x[core], y[core]
    product, covered = frames.on(single, frames.product), frames.on(single, frames.covered)
    own, together = (frame_stars.widths(frame_stars.cut(image, x, y)) for image in (single.image, product))
    ratio = (together / own)[np.isfinite(together) & np.isfinite(own) & covered[y, x]]
    if len(ratio) < int(settings["registration"]["least_stars"]):
        return ExposureStarWidth(
            rootname=single.rootname, stars=len(ratio), fwhm_px=None, product_fwhm_px=None, ratio=None, ratio_err=None
        )
    middle = float(np.median(ratio))
    # Error of a median: 1.2533 times that of the mean, from the scatter of the middle of the distribution
    scatter = 1.4826 * float(np.median(np.abs(ratio - middle)))
    error = 1.2533 * scatter / np.sqrt(len(ratio)) * factor(1.0, len(ratio) - 1)
    return ExposureStarWidth(
        rootname=single.rootname, stars=len(ratio), fwhm_px=_FWHM * float(np.nanmedian(own)),
        product_fwhm_px=_FWHM * float(np.nanmedian(together)), ratio=middle, ratio_err=float(error),
    )  # fmt: skip


def check(measured: StarWidth, limit: float) -> Check:
    """Fail a product whose stars are broader than those of its exposures by more than the limit and three errors."""
    value, error = measured.ratio, measured.ratio_err
    most = None if value is None or error is None else limit + 3.0 * error
    return Check(
        name="psf_width", value=value, limit=most, unit="of the singles",
        passed=None if value is None or most is None else value <= most, policy=["measured"],
        note="width of stars in the product over that in the single drizzles" if value else "too few stars",
    )  # fmt: skip
