"""The verdicts that the injection study sets side by side, each as passed, failed, unmeasurable or stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from snakedriz.artefacts.verification import ExposureRegistration, PixelEvidence
from snakedriz.verification import drizzlepac_numbers

#: Verdicts, as they are called in tables.
VERDICTS = {
    "measured": "calibrated (measured)",
    "documented": "documented (focus and similarity)",
    "drizzlepac": "drizzlepac 3.11",
    "drizzlepac_focus": "drizzlepac 3.11 with its focus check",
}
PASSED, FAILED, UNMEASURABLE, STOPPED = "passed", "failed", "unmeasurable", "stopped"


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


def drizzlepac_verdict(product: Path, singles: Path, detector: str) -> dict[str, str]:
    """What runastrodriz's verify_alignment says.

    `drizzlepac`: the overlap differences alone, as for every solution but a posteriori fits with few or badly matched
    sources; `drizzlepac_focus`: with the focus check, as for those. Where drizzlepac would stop with an exception, the
    verdict is "stopped". Product and singles are those of a second pass: runastrodriz drizzles twice where it looks for
    cosmic rays, and verifies singles that are free of what the first pass flagged.
    """
    sigma = drizzlepac_numbers.focus_sigma(*detector.split("/"))
    found = drizzlepac_numbers.compute(drizzlepac_numbers.read(product, singles), sigma)
    if found.overlap is None or found.focus is None or found.quality is None:
        return {"drizzlepac": STOPPED, "drizzlepac_focus": STOPPED}
    alike = found.overlap.passed
    return {"drizzlepac": _state([alike]), "drizzlepac_focus": _state([alike, found.focus.passed])}


def residual(found: ExposureRegistration, true: np.ndarray) -> dict[str, Any]:
    """Measured minus true shift (px) of the displaced exposure, and the errors claimed; None where not measured."""
    if found.dx is None or found.dy is None:
        return dict.fromkeys(("off_x", "off_y", "err_x", "err_y"))
    off_x, off_y = found.dx - float(true[0]), found.dy - float(true[1])
    return {"off_x": off_x, "off_y": off_y, "err_x": found.dx_err, "err_y": found.dy_err}
