"""Artefacts of a visit's candidates: good ones, to change one thing at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.solution import Solution
from snakedriz.artefacts.verification import PairRegistration, Registration, RelativeGeometry
from snakedriz.settings.configuration import PromotionSettings

EXAMPLES = Path(__file__).parents[1] / "artefacts" / "examples"
INVENTORY = Inventory.read(EXAMPLES / "inventory.json")
_SOLUTION, _METRICS = Solution.read(EXAMPLES / "solution_aposteriori.json"), Metrics.read(EXAMPLES / "metrics.json")
FITTED = ("aposteriori", "visit")
SUFFIXES = {"default": "", "apriori": "-GSC240", "aposteriori": "-FIT_REL_GAIAeDR3"}


def settings(**options: Any) -> PromotionSettings:
    """Return the block `promotion` of the configuration."""
    return PromotionSettings(**{"policy": "documented", **options})


def solution(name: str, quality: int | None = 1, **changed: Any) -> Solution:
    """Return a candidate's solution; a posteriori has a fit of 60 stars of a quality."""
    fit = _SOLUTION.fits[0].model_copy(update={"fit_quality": quality, "nmatches": 60})
    return _SOLUTION.model_copy(update={
        "candidate": name, "reason": "", "wcsname": f"IDC_x{SUFFIXES.get(name, '-' + name)}",
        "fits": [fit] if name == "aposteriori" else [], **changed,
    })  # fmt: skip


def registration(
    shift: float = 0.01, error: float = 0.005, chip_shift: float | None = None,
    pair: tuple[float | None, bool] | None = None,
) -> Registration:  # fmt: skip
    """Return the registration of one exposure, of one chip too where that has a shift, px.

    A `pair` has the shift against another exposure, and whether it was measured.
    """
    row = _METRICS.registration.exposures[0]
    common = {"dy": 0.0, "dx_err": error, "dy_err": error, "freedom": 1e6}
    chips = [] if chip_shift is None else [row.chips[0].model_copy(update={"extver": 2, "dx": chip_shift, **common})]
    one = row.model_copy(
        update={"rootname": "a", "dx": shift, **common, "field": None, "field_err": None, "chips": chips}
    )
    pairs = [] if pair is None else [PairRegistration(
        exposures=["a", "b"], overlap=1.0, measured=pair[1], method="sources" if pair[1] else "unmeasurable",
        nmatches=50, significance=9.0, field=None, field_err=None, reason="", dx=pair[0], dy=pair[0] and 0.0,
        dx_err=error, dy_err=error, dx_err95=None, dy_err95=None, freedom=1e6,
    )]  # fmt: skip
    return Registration(exposures=[one], pairs=pairs, scale_arcsec=0.05)


def check(name: str, passed: bool | None, value: float | None = 0.0, **changed: Any) -> Check:
    """Return a check of all policies against a limit of 1; what is open has no value."""
    content = {"limit": 1.0, "unit": "", "policy": ["measured", "documented", "drizzlepac"], "note": "", **changed}
    return Check(name=name, value=None if passed is None else value, passed=passed, **content)


def geometry(largest_px: float) -> RelativeGeometry:
    """Return how far exposures have moved among themselves from where the default has them."""
    return RelativeGeometry(reference="default", largest_px=largest_px, unchanged=largest_px <= 0.01, moved=())


def metrics(
    name: str, similarity: float = 0.2, verified: bool = True, width: float = 1.0, offset: float | None = None,
    found: Registration | None = None, held_out: bool | None = True, **changed: Any,
) -> Metrics:  # fmt: skip
    """Return a candidate's metrics; `offset` from the catalogue east, with an error of 1 mas; `held_out` of a fit."""
    checks = [
        check("similarity", similarity <= 1.0, similarity, policy=["documented"]),
        check("focus", True, policy=["documented"]), check("drizzlepac", verified, policy=["drizzlepac"]),
    ]  # fmt: skip
    verdicts = {"documented": verified and similarity <= 1.0, "measured": verified, "drizzlepac": verified}
    astrometry = None
    if offset is not None or name in FITTED:
        known = (
            {"offset_mas": None, "error_mas": None}
            if offset is None
            else {"offset_mas": [offset, 0.0], "error_mas": 1.0}
        )
        absolute = _METRICS.astrometry.absolute.model_copy(update=known)
        seen = [check("held_out", held_out)] if name in FITTED else []
        astrometry = _METRICS.astrometry.model_copy(update={"absolute": absolute, "checks": seen})
    return _METRICS.model_copy(update={
        "candidate": name, "checks": checks, "registration": found or registration(), "verified": verdicts,
        "psf_width": _METRICS.psf_width.model_copy(update={"ratio": width, "ratio_err": 0.003}),
        "astrometry": astrometry, **changed,
    })  # fmt: skip


def unmeasured(name: str, **changed: Any) -> Metrics:
    """Return the metrics of a candidate in a field in which nothing can be measured."""
    return metrics(name, **{
        "verified": False, "relative": "unmeasured",
        "registration": None, "psf_width": None,
        "checks": [check("registration", None, limit=None, policy=["measured"]),
                   check("similarity", None, limit=None, policy=["documented"])], **changed,
    })  # fmt: skip


def single(name: str, **changed: Any) -> Metrics:
    """Return the metrics of a candidate of one exposure, which has nothing to be compared with."""
    return metrics(name, **{
        "relative": "single exposure", "registration": None, "psf_width": None,
        "checks": [check("registration", None, limit=None)], **changed,
    })  # fmt: skip
