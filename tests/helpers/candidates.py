"""Artefacts of a visit's candidates: good ones, to change one thing at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import Registration
from snakedriz.settings.configuration import Promotion

EXAMPLES = Path(__file__).parents[1] / "artefacts" / "examples"
INVENTORY = Inventory.read(EXAMPLES / "inventory.json")
_SOLUTION, _METRICS = Solution.read(EXAMPLES / "solution_aposteriori.json"), Metrics.read(EXAMPLES / "metrics.json")
SUFFIXES = {"default": "", "apriori": "-GSC240", "aposteriori": "-FIT_REL_GAIAeDR3"}


def settings(**options: Any) -> Promotion:
    """Return the block `promotion` of the configuration."""
    return Promotion(**{"policy": "documented", **options})


def solution(name: str, quality: int | None = 1, **changed: Any) -> Solution:
    """Return a candidate's solution; a posteriori has a fit of 60 stars of a quality."""
    fit = _SOLUTION.fits[0].model_copy(update={"fit_quality": quality, "nmatches": 60})
    return _SOLUTION.model_copy(update={
        "candidate": name, "reason": "", "wcsname": f"IDC_x{SUFFIXES.get(name, '-' + name)}",
        "fits": [fit] if name == "aposteriori" else [], **changed,
    })  # fmt: skip


def registration(shift: float = 0.01, error: float = 0.005, chip_shift: float | None = None) -> Registration:
    """Return the registration of one exposure, of one chip too where that has a shift, px."""
    row = _METRICS.registration.exposures[0]
    common = {"dy": 0.0, "dx_err": error, "dy_err": error, "freedom": 1e6}
    chips = [] if chip_shift is None else [row.chips[0].model_copy(update={"extver": 2, "dx": chip_shift, **common})]
    one = row.model_copy(
        update={"rootname": "a", "dx": shift, **common, "field": None, "field_err": None, "chips": chips}
    )
    return Registration(exposures=[one], scale_arcsec=0.05)


def metrics(
    name: str, similarity: float = 0.2, verified: bool = True, width: float = 1.0, offset: float | None = None,
    found: Registration | None = None, **changed: Any,
) -> Metrics:  # fmt: skip
    """Return a candidate's metrics; `offset` from the catalogue east, with an error of 1 mas."""
    check = Check(
        name="similarity", value=similarity, limit=1.0, unit="", passed=similarity <= 1.0, policy=["documented"],
        note="",
    )  # fmt: skip
    verdicts = {"documented": verified and similarity <= 1.0, "measured": verified, "drizzlepac": verified}
    astrometry = None
    if offset is not None:
        absolute = _METRICS.astrometry.absolute.model_copy(update={"offset_mas": [offset, 0.0], "error_mas": 1.0})
        astrometry = _METRICS.astrometry.model_copy(update={"absolute": absolute})
    return _METRICS.model_copy(update={
        "candidate": name, "checks": [check], "registration": found or registration(), "verified": verdicts,
        "psf_width": _METRICS.psf_width.model_copy(update={"ratio": width, "ratio_err": 0.003}),
        "astrometry": astrometry, **changed,
    })  # fmt: skip
