"""Expected errors: 68 per cent radius on the sky."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.candidates import EXAMPLES, INVENTORY, metrics, solution, unmeasured
from snakedriz.artefacts.metrics import Metrics
from snakedriz.promotion.expected_error import of_candidate
from snakedriz.statistics import RADIUS

FITTED = Metrics.read(EXAMPLES / "metrics.json")


def off(offset, error=1.0, field=0.0, scatter=None, catalog="GAIAeDR3"):
    """Return astrometry with these errors, mas; the scatter's own error is 1 mas."""
    found = FITTED.astrometry
    absolute = found.absolute.model_copy(
        update={"offset_mas": offset, "error_mas": error, "field_mas": field, "catalog": catalog, "nmatches": 20}
    )
    relative = found.relative.model_copy(update={"scatter_mas": scatter, "error_mas": 1.0})
    return found.model_copy(update={"absolute": absolute, "relative": relative, "held_out": None})


def of(name, astrometry, confirmed=True, **changed):
    given = metrics(name).model_copy(update={"astrometry": astrometry})
    return of_candidate(INVENTORY, solution(name, **changed), given, confirmed)


def test_the_radius_holds_68_per_cent_of_a_round_gaussian():
    """Of 200,000 the share has a standard error of 0.001."""
    drawn = np.hypot(*np.random.default_rng(1).normal(0, 3.0, (2, 200_000)))
    assert np.mean(drawn < 3.0 * RADIUS) == pytest.approx(0.6827, abs=0.004)


def test_the_offset_from_the_catalogue_comes_with_its_error():
    """50 mas off with 10 mas per axis: the 68.27 per cent quantile of Rice's distribution is 55.71 mas."""
    found = of("apriori", off([30.0, -40.0], 10.0))
    assert found.value_mas == pytest.approx(55.71, rel=0.01)
    assert found.rests_on == "offset from GAIAeDR3, 20 stars"


@pytest.mark.parametrize("distance", [0.0, 1.0, 2.0, 5.0, 20.0, 200.0])
def test_the_true_offset_is_below_it_in_68_per_cent(distance):
    """Measured with 2 mas per axis. Of 50,000 the share has a standard error of 0.002; the form used is within 0.02."""
    true = np.random.default_rng(2).normal([distance, 0.0], 2.0, (50_000, 2))
    expected = of("apriori", off([distance, 0.0], 2.0)).value_mas
    assert 0.677 <= np.mean(np.hypot(*true.T) <= expected) <= 0.708


def test_rotation_and_scatter_count():
    assert of("apriori", off([3.0, 0.0], 0.0, field=4.0)).value_mas == pytest.approx(5.0)
    # scatter of hypot(1, 2) with an error of 1: 2 mas per axis are left
    found = of("apriori", off([0.0, 0.0], 0.0, scatter=math.sqrt(5.0)))
    assert found.value_mas == pytest.approx(2.0 * RADIUS)
    assert found.rests_on.endswith("scatter of the exposures")
    assert of("apriori", off([3.0, 4.0], 0.0, scatter=0.5)).value_mas == pytest.approx(5.0)  # explained by its error


def test_a_fit_has_the_error_of_its_zero_point_not_the_offset_that_it_removed():
    found = of_candidate(INVENTORY, solution("aposteriori"), FITTED)
    assert found.value_mas == pytest.approx(RADIUS * 0.16832, rel=1e-4)
    assert found.rests_on.startswith("its fit to GAIAeDR3, 60 stars, 48 held out in turn")
    held = FITTED.astrometry.held_out.model_copy(update={"zero_point_error_mas": 2.0})
    worse = FITTED.model_copy(update={"astrometry": FITTED.astrometry.model_copy(update={"held_out": held})})
    assert of_candidate(INVENTORY, solution("aposteriori"), worse).value_mas == pytest.approx(RADIUS * 2.0)
    alone = of("aposteriori", None)
    assert alone.value_mas == pytest.approx(RADIUS * 0.16832, rel=1e-4)
    assert "none held out" in alone.rests_on


def test_a_rotation_that_a_fit_left_in_counts():
    """Stars say that the field is turned, by 20 mas in the rms, whatever the zero point's error."""
    assert of("aposteriori", off([0.0, 0.0], 0.3, field=20.0)).value_mas == pytest.approx(
        20.0, abs=0.3
    )  # and half an error


def test_another_catalogue_is_evidence_of_its_own():
    found = of("aposteriori", off([30.0, 40.0], 0.0, catalog="GSC242"))
    assert (found.value_mas, found.rests_on) == (pytest.approx(50.0), "offset from GSC242, 20 stars")


def test_of_a_fit_that_unseen_stars_refute_nothing_is_known():
    found = of_candidate(INVENTORY, solution("aposteriori"), FITTED, confirmed=False)
    assert (found.value_mas, found.rests_on) == (None, "unseen stars refute its fit")


@pytest.mark.parametrize(
    ("wcsname", "value", "said"),
    [("IDC_x", 300.0, "pointing as observed"), ("IDC_x-GSC240", 200.0, "guide stars corrected"),
     ("IDC_x-FIT_SVM_GAIADR2", 10.0, "archived fit to Gaia"), ("IDC_x-mine", None, "nothing is known")],
)  # fmt: skip
def test_where_nothing_was_measured_it_is_what_is_published(wcsname, value, said):
    """The exposure is of 2012: guide stars of GSC 2.3."""
    found = of_candidate(INVENTORY, solution("apriori", wcsname=wcsname), unmeasured("apriori"))
    assert found.value_mas == value
    assert said in found.rests_on
