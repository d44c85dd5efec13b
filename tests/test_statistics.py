"""Intervals from few values: Student's t, not a Gaussian."""

import pytest
from scipy import stats
from snakedriz import statistics


@pytest.mark.parametrize("freedom", [1, 2, 7.5, 1e6])
@pytest.mark.parametrize("sigmas", [1.0, 1.96, 3.0])
def test_as_many_standard_errors_as_hold_the_share_of_a_gaussian(sigmas, freedom):
    found = statistics.factor(sigmas, freedom)
    assert found == float(stats.t.isf(stats.norm.sf(sigmas), freedom))  # bit for bit what earlier versions wrote
    assert found > sigmas * (1 - 1e-9)


def test_less_than_one_degree_of_freedom_counts_as_one():
    assert statistics.factor(1.0, 0.2) == statistics.factor(1.0, 1)


def test_limits_hold_two_shares_and_never_fall_below_the_floor():
    one, two = statistics.limits(2.0, 4)
    assert (one, two) == (2.0 * stats.t.ppf(0.5 + 0.6827 / 2, 4), 2.0 * stats.t.ppf(0.975, 4))
    assert statistics.limits(0.0, 4, floor=3.0) == (3.0, 1.96 * 3.0)
    assert statistics.limits(2.0, 4, floor=3.0)[0] == pytest.approx((one**2 + 9.0) ** 0.5)
