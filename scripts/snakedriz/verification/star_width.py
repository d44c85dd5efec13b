"""Width of the stars in the product against that of the same stars in the single drizzles: smearing, as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snakedriz.statistics import factor
from snakedriz.verification import frame_stars
from snakedriz.verification.frame_stars import Stars
from snakedriz.verification.frames import Frames

_FWHM = 2.3548  # of a Gaussian of sigma 1
_MOST = 300  # brightest stars: 300 at 5 % give 0.3 %


def measure(frames: Frames, lists: Sequence[Stars], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Measure the widths.

    Parameters
    ----------
    frames : Frames
    lists : sequence of Stars
        Sources of each single (`stars.of_single`).
    settings : mapping
        `full_well` (electrons) and `registration` (`least_stars`).

    Returns
    -------
    dict
        Per exposure the median FWHM (px) of its stars, and the `ratio` of the widths of the same stars in the product
        and in the single with its 68 % half-width; `ratio` of the whole: the median over the exposures with the
        smallest error any of them has. None where there are too few stars.

    Notes
    -----
    Stars that the CR step touched, and saturated ones, are left out. Widths are those of `stars.widths`.
    """
    rows, least = [], int(settings["registration"]["least_stars"])
    for single, found in zip(frames.singles, lists, strict=True):
        x, y = found.places[~found.touched][:_MOST].T
        core = single.image[y, x] < 0.6 * float(settings["full_well"]) / single.exptime
        x, y = x[core], y[core]
        own, together = (frame_stars.widths(frame_stars.cut(image, x, y)) for image in (single.image, frames.product))
        ratio = (together / own)[np.isfinite(together) & np.isfinite(own) & frames.covered[y, x]]
        row: dict[str, Any] = {"rootname": single.rootname, "stars": len(ratio)}
        row |= {"fwhm_px": None, "product_fwhm_px": None, "ratio": None, "ratio_err": None}
        if len(ratio) >= least:
            middle = float(np.median(ratio))
            # Error of a median: 1.2533 times that of the mean, from the scatter of the middle of the distribution
            scatter = 1.4826 * float(np.median(np.abs(ratio - middle)))
            error = 1.2533 * scatter / np.sqrt(len(ratio)) * factor(1.0, len(ratio) - 1)
            row |= {
                "fwhm_px": _FWHM * float(np.nanmedian(own)), "product_fwhm_px": _FWHM * float(np.nanmedian(together)),
                "ratio": middle, "ratio_err": float(error),
            }  # fmt: skip
        rows.append(row)
    known = [row for row in rows if row["ratio"] is not None]
    ratio = float(np.median([row["ratio"] for row in known])) if known else None
    return {"exposures": rows, "ratio": ratio, "ratio_err": min((r["ratio_err"] for r in known), default=None)}


def check(measured: Mapping[str, Any], limit: float) -> dict[str, Any]:
    """Fail a product whose stars are broader than those of its exposures by more than the limit and three errors."""
    value = measured["ratio"]
    most = None if value is None else limit + 3.0 * measured["ratio_err"]
    return {
        "name": "psf_width", "value": value, "limit": most, "unit": "of the singles",
        "passed": None if value is None or most is None else value <= most, "policy": ["measured"],
        "note": "width of stars in the product over that in the single drizzles" if value else "too few stars",
    }  # fmt: skip
