"""Whether stars that a fit has not seen confirm it."""

from __future__ import annotations

import pytest
from helpers.candidates import check, metrics, solution
from snakedriz.promotion import absolute_solution


def confirmed(*checks, name="aposteriori"):
    found = metrics(name)
    astrometry = metrics("aposteriori").astrometry.model_copy(update={"checks": checks})
    gate = absolute_solution.checks(solution(name), found.model_copy(update={"astrometry": astrometry}))
    return absolute_solution.is_confirmed(gate)


@pytest.mark.parametrize("held_out", [True, False, None])
@pytest.mark.parametrize("others", [{}, {"magnitudes": True}, {"second_catalog": None}])
def test_held_out_stars_decide(held_out, others):
    """What else could not be measured does not count."""
    found = confirmed(check("held_out", held_out), *(check(name, passed) for name, passed in others.items()))
    assert found is held_out


@pytest.mark.parametrize("held_out", [True, None])
@pytest.mark.parametrize("refuted", ["magnitudes", "second_catalog"])
def test_any_check_can_refute(refuted, held_out):
    assert confirmed(check("held_out", held_out), check(refuted, False)) is False


def test_without_the_check_it_is_not_confirmed():
    assert confirmed() is None
    bare = metrics("aposteriori").model_copy(update={"astrometry": None})
    (found,) = absolute_solution.checks(solution("aposteriori"), bare)
    assert (found.name, found.passed) == ("held_out", None)
    assert "measured" in found.policy


def test_what_was_not_fitted_has_nothing_to_confirm():
    assert absolute_solution.checks(solution("apriori"), metrics("apriori")) == []
    assert confirmed(check("magnitudes", False), name="apriori") is True
