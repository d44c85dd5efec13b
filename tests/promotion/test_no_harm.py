"""Do no harm: what a candidate would do to exposures, chips, stars and sky, against those that it would replace."""

from __future__ import annotations

import pytest
from helpers.candidates import check, geometry, metrics, registration, unmeasured
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


def test_two_groups_that_part_count_by_their_pairs():
    """Half of 0.6 px each; what was not measured of a pair does not count."""
    parted = metrics("aposteriori", found=registration(pair=(0.6, True)))
    assert no_harm.worst_registration(parted)[::2] == (pytest.approx(0.3), "a and b")
    assert _failed(parted, metrics("default")) == ["no_harm"]
    assert no_harm.worst_registration(metrics("default", found=registration(pair=(None, False))))[2] == "a"


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


GOOD = {"relative": "measured", "checks": [check("registration", True)]}


def hidden(**changed):
    """Return the metrics of a fit that moved exposures among themselves by 3 px, and could not be measured."""
    return unmeasured("aposteriori", **{"relative_geometry": geometry(3.0), **changed})


def test_what_was_not_measured_is_no_better_than_what_was():
    """Left out, the comparison once let a candidate win for lack of measurement."""
    (found,) = no_harm.checks(hidden(), [metrics("default", **GOOD)])
    assert (found.name, found.value, found.passed) == ("no_harm", None, None)
    assert "default, which is good" in found.note
    assert set(found.policy) == {"measured", "documented", "drizzlepac"}


@pytest.mark.parametrize(
    ("candidate", "other"),
    [
        (hidden(), metrics("default", relative="failed")),  # nothing good would be replaced
        (hidden(), unmeasured("default")),
        (hidden(relative_geometry=geometry(0.001)), metrics("default", **GOOD)),
        (hidden(relative_geometry=geometry(0.001)),
         metrics("apriori", relative_geometry=geometry(0.001), **GOOD)),
    ],
)  # fmt: skip
def test_what_was_not_good_or_does_not_change_is_not_compared(candidate, other):
    assert no_harm.checks(candidate, [other]) == []


def test_what_is_unmeasured_is_held_against_each_of_the_others():
    """It lies as the default does, and the a priori, which does not, was measured."""
    apriori = metrics("apriori", relative_geometry=geometry(0.5), **GOOD)
    (found,) = no_harm.checks(hidden(relative_geometry=geometry(0.001)), [apriori, unmeasured("default")])
    assert found.passed is None
    assert "apriori" in found.note


@pytest.mark.parametrize(("shift", "passed"), [(0.01, None), (0.5, False)])
def test_what_was_measured_of_a_part_can_refute_and_not_confirm(shift, passed):
    """One exposure is registered, another of the same candidate could not be measured."""
    found = no_harm.checks(hidden(registration=registration(shift)), [metrics("default", **GOOD)])
    assert [check.passed for check in found if check.name == "no_harm"] == [passed]
