"""Do no harm: what a candidate would do to exposures, chips, stars and sky, against those that it would replace."""

from __future__ import annotations

import pytest
from helpers.candidates import metrics, registration
from snakedriz.promotion import no_harm


def _failed(candidate, *replaced):
    return [check.name for check in no_harm.checks(candidate, replaced) if not check.passed]


# limit: 0.01 + 3 sqrt(2 (0.005^2 + error^2)) = 0.06 and 0.18 px
@pytest.mark.parametrize(("error", "failed"), [(0.01, ["no_harm"]), (0.04, [])])
def test_exposures_are_no_worse_registered_beyond_the_errors(error, failed):
    assert _failed(metrics("aposteriori", found=registration(0.10, error)), metrics("default")) == failed


def test_the_strictest_of_the_replaced_counts():
    checks = no_harm.checks(
        metrics("aposteriori", found=registration(0.3)),
        [metrics("apriori"), metrics("default", found=registration(0.5))],
    )
    assert "apriori: 0.010 px" in checks[0].note
    assert [check.name for check in checks] == ["no_harm", "no_harm_width"]


def test_a_chip_counts_like_an_exposure():
    stale = metrics("aposteriori", found=registration(chip_shift=0.4))
    assert no_harm.worst_registration(stale)[0] == pytest.approx(0.4)
    assert "a chip 2" in no_harm.checks(stale, [metrics("default")])[0].note
    assert _failed(stale, metrics("default")) == ["no_harm"]


# limit: 1 + 0.01 + 3 x 0.003 x sqrt(2) = 1.023
@pytest.mark.parametrize(("width", "failed"), [(1.02, []), (1.03, ["no_harm_width"])])
def test_stars_are_no_wider(width, failed):
    assert _failed(metrics("aposteriori", width=width), metrics("default")) == failed


# limit: 2 + 3 sqrt(2) = 6.24 mas
@pytest.mark.parametrize(("offset", "failed"), [(-6.2, []), (6.3, ["no_harm_offset"])])
def test_the_catalogue_is_no_farther(offset, failed):
    assert _failed(metrics("aposteriori", offset=offset), metrics("default", offset=2.0)) == failed


def test_what_one_side_lacks_is_not_compared():
    bare = metrics("aposteriori").model_copy(update={"registration": None, "psf_width": None})
    assert no_harm.worst_registration(bare) is None
    assert no_harm.checks(bare, [metrics("default", offset=2.0)]) == []
    assert no_harm.checks(metrics("aposteriori", offset=2.0), [bare]) == []
