"""What is known of the alignment of exposures to each other."""

from __future__ import annotations

import pytest
from helpers.candidates import check, geometry, metrics, registration, single, unmeasured
from snakedriz.promotion import relative_alignment


def test_the_word_of_the_verification_comes_first():
    assert relative_alignment.known(unmeasured("apriori")) == "unmeasured"
    assert relative_alignment.known(single("apriori")) == "single exposure"
    assert relative_alignment.known(metrics("apriori")) is None


@pytest.mark.parametrize(
    ("passed", "verified", "word"),
    [(True, True, "measured"), (False, False, "failed"), (None, False, "unmeasured"), (None, True, "no overlap")],
)
def test_without_the_word_the_check_says_it(passed, verified, word):
    found = metrics("apriori", verified=verified, checks=[check("registration", passed)])
    assert relative_alignment.known(found) == word
    bare = found.model_copy(update={"registration": None})
    assert relative_alignment.known(bare) == ("single exposure" if word == "no overlap" else word)


# 0.02 px per axis are 0.028 px together, and half of two of them the same with many degrees of freedom
@pytest.mark.parametrize(("limit", "within"), [(0.03, True), (0.02, False)])
def test_every_exposure_has_to_be_known_to_within_the_limit(limit, within):
    assert relative_alignment.is_measured_within(metrics("default", found=registration(0.5, 0.02)), limit) is within


def test_an_exposure_that_could_not_be_measured_is_not_known():
    found = registration()
    lost = found.exposures[0].model_copy(update={"rootname": "b", "method": "unmeasurable", "dx": None, "dy": None})
    hidden = found.model_copy(update={"exposures": [*found.exposures, lost]})
    assert not relative_alignment.is_measured_within(metrics("default", found=hidden), 1.0)
    apart = lost.model_copy(update={"method": "no overlap"})
    alone = found.model_copy(update={"exposures": [*found.exposures, apart]})
    assert relative_alignment.is_measured_within(metrics("default", found=alone), 1.0)
    assert not relative_alignment.is_measured_within(unmeasured("default"), 1.0)


def test_unchanged_is_what_leaves_the_default_as_it_is():
    assert relative_alignment.is_unchanged(metrics("default"))
    assert not relative_alignment.is_unchanged(metrics("apriori"))
    assert relative_alignment.is_unchanged(metrics("apriori", relative_geometry=geometry(0.009)))
    assert not relative_alignment.is_unchanged(metrics("apriori", relative_geometry=geometry(0.3)))
    other = geometry(0.001).model_copy(update={"reference": "svm"})
    assert not relative_alignment.is_unchanged(metrics("apriori", relative_geometry=other))


@pytest.mark.parametrize(("measured", "within"), [(True, True), (False, False)])
def test_groups_that_overlap_have_to_be_measured_against_each_other(measured, within):
    found = registration(pair=(0.01, measured))
    assert relative_alignment.is_measured_within(metrics("default", found=found), 1.0) is within
