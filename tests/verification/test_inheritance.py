"""What a candidate takes over from the default's verification, and what it does not."""

import numpy as np
import pytest
from helpers.candidates import EXAMPLES
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import RelativeGeometry, Verification
from snakedriz.verification.inheritance import inherit
from snakedriz.verification.verdicts import POLICIES, verdict
from snakedriz.wcs import relative_geometry

UNCHANGED = relative_geometry.GeometryChange(0.002)
CHANGED = relative_geometry.GeometryChange(0.2, ("jtest02q",))
EXAMPLE = Verification.read(EXAMPLES / "verification.json")


def verification(candidate, registration, psf_width=True):
    """A verification with two checks of known outcome."""
    checks = [
        Check(
            name=name, value=None if passed is None else value, limit=None if passed is None else limit, unit="px",
            passed=passed, policy=["measured"], note="unmeasurable: jtest01q" if passed is None else "",
        )
        for name, passed, value, limit in (("registration", registration, 0.02, 0.1), ("psf_width", psf_width, 1, 1.03))
    ]  # fmt: skip
    verified = {policy: verdict(checks, policy) for policy in POLICIES}
    relative = {True: "measured", False: "failed", None: "unmeasured"}[registration]
    update = {"candidate": candidate, "checks": checks, "verified": verified, "relative": relative}
    return EXAMPLE.model_copy(update=update)


def outcome(found, name="registration"):
    return next((c.passed, c.value, c.limit) for c in found.checks if c.name == name)


def test_what_could_not_be_measured_is_inherited_where_the_relative_geometry_is_unchanged():
    """An a priori that moved a sparse field as one body was refused, though the default's alignment was measured."""
    own = verification("apriori", registration=None)
    assert own.verified["measured"] is False
    found = inherit(own, verification("default", registration=True), UNCHANGED)
    assert outcome(found) == (True, 0.02, 0.1)
    assert found.checks[0].note == "inherited from default: relative geometry unchanged within 0.01 px"
    assert (found.verified["measured"], found.relative) == (True, "measured")
    assert found.relative_geometry == RelativeGeometry(
        reference="default", largest_px=0.002, unchanged=True, moved=()
    )  # fmt: skip


def test_a_default_that_failed_fails_what_could_not_be_measured_itself():
    found = inherit(verification("apriori", registration=None), verification("default", registration=False), UNCHANGED)
    assert outcome(found)[0] is False
    assert (found.verified["measured"], found.relative) == (False, "failed")
    default = verification("default", registration=True, psf_width=False)
    found = inherit(verification("apriori", registration=None, psf_width=None), default, UNCHANGED)
    assert outcome(found, "psf_width")[0] is False
    assert (found.verified["measured"], found.relative) == (False, "failed")


@pytest.mark.parametrize("passed", [True, False])
def test_what_was_measured_stays(passed):
    own = verification("apriori", registration=passed)
    found = inherit(own, verification("default", registration=not passed), UNCHANGED)
    assert found.checks == own.checks
    assert (found.verified, found.relative) == (own.verified, own.relative)


@pytest.mark.parametrize("geometry", [CHANGED, relative_geometry.GeometryChange(np.inf, ("jtest02q",))])
def test_nothing_is_inherited_where_the_relative_geometry_changed(geometry):
    own = verification("apriori", registration=None)
    found = inherit(own, verification("default", registration=True), geometry)
    assert (found.checks, found.verified) == (own.checks, own.verified)
    assert list(found.relative_geometry.moved) == ["jtest02q"]
    assert found.relative_geometry.largest_px == (0.2 if geometry is CHANGED else None)


def test_nothing_is_inherited_from_a_default_that_was_not_measured_either():
    own = verification("apriori", registration=None)
    found = inherit(own, verification("default", registration=None), UNCHANGED)
    assert (found.checks, found.verified) == (own.checks, own.verified)
    assert found.relative_geometry.unchanged is True


def test_it_is_written_and_read(tmp_path):
    found = inherit(verification("apriori", None), verification("default", True), UNCHANGED)
    found.write(tmp_path / "verification.json")
    assert Verification.read(tmp_path / "verification.json").relative_geometry == found.relative_geometry
