"""metrics.json: the verification with the numbers of other jobs, and drizzlepac's verdict among its checks."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.verification import Verification
from snakedriz.verification.metrics import put_together

EXAMPLES = Path(__file__).parents[1] / "artefacts" / "examples"


@pytest.fixture
def measured():
    return Verification.read(EXAMPLES / "verification.json")


def test_what_others_found_is_put_beside_the_verification(measured):
    astrometry = Astrometry.read(EXAMPLES / "astrometry.json")
    found = put_together(measured, astrometry, None)
    parts = {"schema": "metrics/1", "astrometry": astrometry.to_json(), "drizzlepac": None}
    assert found.to_json() == {**measured.to_json(), **parts}
    assert Metrics.parse(found.to_json(), "metrics.json") == found


@pytest.mark.parametrize("verified", [True, False])
def test_drizzlepacs_verdict_is_one_more_check(measured, verified):
    numbers = DrizzlepacNumbers.read(EXAMPLES / "drizzlepac_numbers.json").model_copy(update={"verified": verified})
    found = put_together(measured, None, numbers)
    *same, last = found.checks
    assert same == list(measured.checks)
    assert (last.name, last.passed, last.value, last.note) == ("drizzlepac", verified, numbers.quality, numbers.verdict)
    assert found.verified == {**measured.verified, "drizzlepac": verified}


def test_without_numbers_there_is_no_verdict(measured):
    missing = DrizzlepacNumbers.read(EXAMPLES / "drizzlepac_numbers_not_applicable.json")
    found = put_together(measured, None, missing)
    assert found.drizzlepac == missing
    assert (found.checks, found.verified) == (measured.checks, measured.verified)
