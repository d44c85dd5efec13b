"""The verdicts that the injection study sets side by side, each as passed, failed, unmeasurable or stopped."""

from __future__ import annotations

import contextlib
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from snakedriz.artefacts.verification import ExposureRegistration, PixelEvidence

#: Verdicts, as they are called in tables.
VERDICTS = {
    "measured": "calibrated (measured)",
    "documented": "documented (focus and similarity)",
    "drizzlepac": "drizzlepac 3.11",
    "drizzlepac_focus": "drizzlepac 3.11 with its focus check",
}
PASSED, FAILED, UNMEASURABLE, STOPPED = "passed", "failed", "unmeasurable", "stopped"
#: Width of drizzlepac's focus filter, px (runastrodriz.focus_pars).
FOCUS_SIGMA = {"ACS/WFC": 1.5, "WFC3/IR": 2.0}


def _state(passed: list[bool | None]) -> str:
    if False in passed:
        return FAILED
    return PASSED if passed and None not in passed else UNMEASURABLE


def ours(found: PixelEvidence) -> dict[str, str]:
    """The calibrated and the documented verdict of a verification.

    The documented one is that of the seed document, focus and similarity alone: without the registration that
    snakedriz's own `documented` policy may fall back on.
    """
    passed = {check.name: check.passed for check in found.checks}
    relevant = [check.passed for check in found.checks if "measured" in (check.policy or ())]
    measured = PASSED if found.verified["measured"] else (FAILED if False in relevant else UNMEASURABLE)
    return {"measured": measured, "documented": _state([passed["focus"], passed["similarity"]])}


def shift_of(found: PixelEvidence, rootname: str) -> ExposureRegistration:
    """What was measured of one exposure."""
    return next(row for row in found.registration.exposures if row.rootname == rootname)


def numbers_of(found: PixelEvidence) -> dict[str, Any]:
    """Value and limit of the registration check, and values of focus and similarity."""
    checks = {check.name: check for check in found.checks}
    return {
        "registration": checks["registration"].value, "registration_limit": checks["registration"].limit,
        "focus": checks["focus"].value, "similarity": checks["similarity"].value,
    }  # fmt: skip


def drizzlepac_verdict(product: Path, singles: Path, directory: Path, detector: str) -> dict[str, str]:
    """What runastrodriz's verify_alignment says, by drizzlepac's own functions on the same arrays.

    `drizzlepac`: the overlap differences alone, as for every solution but a posteriori fits with few or badly matched
    sources; `drizzlepac_focus`: with the focus check, as for those. Where drizzlepac would stop with an exception, the
    verdict is "stopped".

    Parameters
    ----------
    product, singles : Path
        Those of a second pass: runastrodriz drizzles twice where it looks for cosmic rays, and verifies singles that
        are free of what the first pass flagged.
    directory : Path
        For single drizzles as drizzlepac wants them.
    detector : str
        Key of `FOCUS_SIGMA`.
    """
    from drizzlepac.haputils import astrometric_utils

    astrometric_utils.log.setLevel(logging.CRITICAL)
    names = []
    with fits.open(singles) as bundle:
        versions = sorted(hdu.header["EXTVER"] for hdu in bundle if hdu.name == "SCI")
        for version in versions:
            hdu = bundle["SCI", version]
            names.append(str(directory / f"{hdu.header['ROOTNAME']}_single_sci.fits"))
            header = fits.Header([("EXPTIME", hdu.header["EXPTIME"])])
            fits.PrimaryHDU(hdu.data.astype(np.float32), header).writeto(names[-1], overwrite=True)
        shape = bundle["SCI", versions[0]].data.shape
    # run_driz's SkyFootprint takes the outline of the whole frame of every single drizzle, less its last row and
    # column, whatever is covered in it.
    total = np.full(shape, len(names), dtype=np.int16)
    total[-1], total[:, -1] = 0, 0
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.suppress(_StopError):
        warnings.simplefilter("ignore")
        focus = astrometric_utils.evaluate_focus(
            _or_stop(astrometric_utils.build_focus_dict, names, str(product), sigma=FOCUS_SIGMA[detector])
        )
        differences = _or_stop(astrometric_utils.max_overlap_diff, total, names, str(product), scale=1)
        alike = bool(astrometric_utils.evaluate_overlap_diffs(differences)[0])
        return {"drizzlepac": _state([alike]), "drizzlepac_focus": _state([alike, bool(focus)])}
    return {"drizzlepac": STOPPED, "drizzlepac_focus": STOPPED}


class _StopError(Exception):
    """drizzlepac raised an exception: runastrodriz ends, or rejects the solution."""


def _or_stop(function: Any, *args: Any, **options: Any) -> Any:
    try:
        return function(*args, **options)
    except (ValueError, IndexError, OverflowError, ZeroDivisionError, ArithmeticError) as error:
        raise _StopError(str(error)) from error


def residual(found: ExposureRegistration, true: np.ndarray) -> dict[str, Any]:
    """Measured minus true shift (px) of the displaced exposure, and the errors claimed; None where not measured."""
    if found.dx is None or found.dy is None:
        return dict.fromkeys(("off_x", "off_y", "err_x", "err_y"))
    off_x, off_y = found.dx - float(true[0]), found.dy - float(true[1])
    return {"off_x": off_x, "off_y": off_y, "err_x": found.dx_err, "err_y": found.dy_err}
