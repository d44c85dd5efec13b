"""What is published of kinds of solutions."""

from __future__ import annotations

import pytest
from snakedriz.settings.wcs_accuracy import TABLE, published


# 2002, 2010 and 2020: guide stars of GSC 1.1, of GSC 2.3 and of GSC 2.4
@pytest.mark.parametrize(
    ("kind", "began", "radius"),
    [("", 52300.0, 1000.0), ("", 55300.0, 300.0), ("", 59000.0, 200.0), ("", None, 1000.0), ("GSC240", 52300.0, 200.0),
     ("gsc242", None, 200.0), ("HSC30", 55300.0, 200.0), ("FIT_REL_GAIAeDR3", 55300.0, 10.0),
     ("FIT_SVM_GAIADR2", None, 10.0)],
)  # fmt: skip
def test_the_kind_and_the_era_say_how_far_off_a_solution_is(kind, began, radius):
    assert published(kind, began).radius_mas == radius


@pytest.mark.parametrize("kind", ["FIT_REL_NONE", "FIT_IMG_2MASS", "mine", "GSC1"])
def test_of_other_kinds_nothing_is_known(kind):
    assert published(kind, 55300.0) is None


def test_every_number_has_a_source():
    assert all(row.source and row.what and row.radius_mas > 0 for row in TABLE)
