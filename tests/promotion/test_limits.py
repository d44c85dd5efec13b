"""Limits of the user's: they change what measured values are held against, and nothing else."""

from __future__ import annotations

import pytest
from helpers.candidates import check, metrics, registration, single, unmeasured
from snakedriz.errors import SnakedrizError
from snakedriz.promotion import limits
from snakedriz.verification import verdicts


def judged(found, policy, **changed):
    return limits.verdict(found, limits.apply(found.checks, changed, found), policy)


def measured(shift=0.3, error=0.005, **changed):
    """Return metrics with checks of the measured policy; the recorded verdict follows from them."""
    checks = [check("registration", shift <= 0.1, shift, policy=["measured"]), check("psf_width", True, 1.05)]
    return metrics("default", verified=shift <= 0.1, found=registration(shift, error), checks=checks, **changed)


# registration was unmeasurable, stars could be measured; limits that today make it "verified"
@pytest.mark.parametrize("changed", [{}, {"psf_width": 1.2}, {"registration": 0.2}, {"similarity": 0.9}])
@pytest.mark.parametrize("policy", ["measured", "documented"])
def test_what_was_not_measured_is_never_verified(changed, policy):
    """With any limit set, all checks that could not be measured once counted as passed."""
    checks = [
        check("registration", None, policy=["measured"]), check("psf_width", True, 1.05, policy=["measured"]),
        check("focus", None, policy=["documented"]), check("similarity", True, 0.5, policy=["documented"]),
    ]  # fmt: skip
    assert judged(unmeasured("aposteriori", checks=checks), policy, **changed) is False


def test_a_value_that_was_not_judged_is_not_judged_by_a_limit_either():
    """The worst of those exposures that could be measured, or a comparison with a default that is not good."""
    hidden = check("registration", None).model_copy(update={"value": 0.05})
    (found,) = limits.apply([hidden], {"registration": 0.2}, metrics("default"))
    assert (found.value, found.passed) == (0.05, None)


@pytest.mark.parametrize(
    ("limit", "verified"), [(0.5, True), (0.2, False), ([0.0, 0.5], True), ([0.4, 0.5], False), ([0.0, 0.2], False)]
)
def test_measured_values_are_held_against_the_users_limit(limit, verified):
    found = measured()
    assert judged(found, "measured", registration=limit) is verified
    (first, _) = limits.apply(found.checks, {"registration": limit}, found)
    assert (first.passed, first.limit) == (verified, limit)
    assert "was 1.0" in first.note


def test_a_looser_limit_does_not_vouch_for_exposures_that_were_not_measured():
    """One is 0.3 px off, another could not be measured: within 0.5 px are not both."""
    found = measured().registration
    lost = found.exposures[0].model_copy(update={"rootname": "b", "method": "unmeasurable", "dx": None, "dy": None})
    hidden = measured().model_copy(
        update={"registration": found.model_copy(update={"exposures": [*found.exposures, lost]})}
    )
    assert judged(hidden, "measured", registration=0.5) is False
    assert judged(measured(error=1.0), "measured", registration=0.5) is False  # known to 1.4 px only


def test_what_was_inherited_is_held_against_the_users_limit():
    """The default's registration counts for a candidate with its relative geometry, which could not be measured."""
    checks = [check("registration", True, 0.05, policy=["measured"])]
    given = metrics("apriori", checks=checks, registration=None)
    assert judged(given, "measured", registration=0.06) is True
    assert judged(given, "measured", registration=0.04) is False


def test_the_verdict_is_that_of_the_verification():
    """With limits that are the recorded ones nothing changes, and both go by one function."""
    for shift in (0.01, 0.3):
        found = measured(shift)
        same = limits.apply(found.checks, {"registration": 0.1, "psf_width": 1.1}, found)
        assert limits.verdict(found, same, "measured") == verdicts.verdict(same, "measured") == (shift < 0.1)


def test_one_exposure_stays_verified_unless_a_limit_fails():
    assert judged(single("default"), "measured", registration=0.2) is True
    wide = single("default", checks=[*single("default").checks, check("psf_width", True, 1.05)])
    assert judged(wide, "measured", psf_width=1.2) is True
    assert judged(wide, "measured", psf_width=1.0) is False


def test_a_misspelt_limit_is_refused():
    with pytest.raises(SnakedrizError, match=r"simlarity.*held_out.*no_harm_width.*similarity"):
        limits.refuse_unknown({"simlarity": 2.0}, [metrics("default")])
    limits.refuse_unknown({"held_out": 2.0, "similarity": 0.5}, [metrics("default")])
