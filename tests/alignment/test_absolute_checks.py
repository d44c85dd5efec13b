"""Checks of an absolute solution: each can fail, and says nothing where nothing was measured."""

from pathlib import Path

import pytest
from snakedriz.alignment import absolute_checks
from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.fit import Fit, FitSummary

EXAMPLES = Path(__file__).parents[1] / "artefacts/examples"
FIT = Fit.read(EXAMPLES / "fit.json")
ROW = Astrometry.read(EXAMPLES / "astrometry.json").catalogs[0]


def checks(fit):
    return {check.name: check for check in absolute_checks.of_fit(fit)}


@pytest.mark.parametrize(
    ("found", "chance", "passed"),
    [(40, 1e-20, True), (25, 1e-6, True), (19, 1e-9, False), (3, 0.5, False), (30, 0.05, None)],
)
def test_held_out_stars_must_be_where_the_others_put_them(found, chance, passed):
    held = {
        "stars": 40, "folds": 10, "found": found, "chance": chance, "rms_mas": 1.0, "in_sample_rms_mas": 1.0,
        "zero_point_error_mas": 0.2, "reason": "",
    }  # fmt: skip
    fit = FIT.parse({**FIT.to_json(), "held_out": held}, "fit.json")
    assert checks(fit)["held_out"].passed is passed


def test_nothing_held_out_is_unmeasured():
    assert checks(FIT.model_copy(update={"held_out": None}))["held_out"].passed is None


def with_magnitudes(pairs):
    exposures = []
    for exposure in FIT.exposures[:1]:
        own, ref = zip(*pairs, strict=True)
        n = len(pairs)
        stars = exposure.matches.model_copy(
            update={
                "objID": [str(i) for i in range(n)], "source": list(range(n)), "d_ra_mas": [0.0] * n,
                "d_dec_mas": [0.0] * n, "source_mag": own, "ref_mag": ref,
            }
        )  # fmt: skip
        exposures.append(exposure.model_copy(update={"matches": stars}))
    return FIT.model_copy(update={"exposures": exposures})


@pytest.mark.parametrize(
    ("pairs", "passed"),
    [
        ([(18.0 + i, 19.0 + i) for i in range(8)], True),
        ([(18.0 + i, 30.0 - i) for i in range(12)], False),  # the brighter here, the fainter there
        ([(18.0 + i, 19.0 + i) for i in range(4)], None),
        ([(18.0, 19.0 + i) for i in range(8)], None),
        ([(18.0 + i, None) for i in range(8)], None),
    ],
)
def test_magnitudes(pairs, passed):
    assert checks(with_magnitudes(pairs))["magnitudes"].passed is passed


@pytest.mark.parametrize(("offset", "passed"), [(60.0, True), (400.0, False)])
def test_another_catalogue_must_not_put_the_sky_elsewhere(offset, passed):
    """Frames from the ground differ by tens of mas; a wrong match by hundreds."""
    group = ROW.group.model_copy(update={"offset_mas": (offset, 0.0), "error_mas": 10.0})
    other = ROW.model_copy(update={"catalog": "2MASS", "group": group})
    fit = FitSummary.of(FIT, "fit.json", True)
    assert absolute_checks.second_catalog(fit, {FIT.catalog: ROW, "2MASS": other}).passed is passed
    assert absolute_checks.second_catalog(fit, {FIT.catalog: ROW}).passed is None
