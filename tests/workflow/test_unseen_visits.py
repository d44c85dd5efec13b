"""Difficult visits through the whole workflow, at the size of a small frame: nothing wrong is certified.

What must come out of each is in `benchmarks.unseen_visits`: positions against the truth of the simulation, verdicts,
and which exposures were measured.
"""

import pytest
from benchmarks import unseen_visits

pytestmark = pytest.mark.workflow
QUICK = ("roll",)  # a minute; test_nothing_to_measure has the empty field, tests of verification the mosaic


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in unseen_visits.CASES]
)
def test_what_is_promoted_is_true_or_not_verified(tmp_path, name):
    found = unseen_visits.run(name, tmp_path, small=True)
    assert not found.shortfalls, unseen_visits.describe(found)
