"""What a candidate inherits of the default's verification where it leaves its relative geometry unchanged.

Pixels say how exposures lie to each other, and nothing of where they lie on the sky. So what the default's said holds
for a candidate that moves all exposures as one body.
"""

from __future__ import annotations

from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import RelativeGeometry, Verification
from snakedriz.files import number
from snakedriz.verification.verdicts import POLICIES, verdict
from snakedriz.wcs import relative_geometry

#: Checks of the alignment of exposures to each other.
_RELATIVE = ("registration", "psf_width")


def inherit(own: Verification, default: Verification, geometry: relative_geometry.GeometryChange) -> Verification:
    """Return a candidate's verification with its relative geometry, and with what it inherits of the default's.

    A check that the candidate's own pixels could not decide takes value, limit and outcome of the default's, where that
    was decided: a default that failed fails the candidate, too. What was measured on its own product stays.

    Parameters
    ----------
    own : Verification
        Of a candidate other than the default.
    default : Verification
        Of the default candidate.
    geometry : GeometryChange
        The candidate's against the default's.
    """
    record = RelativeGeometry(
        reference=default.candidate, largest_px=number(geometry.largest_px), unchanged=geometry.unchanged,
        moved=geometry.moved,
    )  # fmt: skip
    result = own.model_copy(update={"relative_geometry": record})
    if not geometry.unchanged:
        return result
    given = {check.name: check for check in default.checks if check.name in _RELATIVE and check.passed is not None}
    note = f"inherited from default: relative geometry unchanged within {relative_geometry.LIMIT_PX} px"
    checks = [
        _inherited(check, given[check.name], note) if check.passed is None and check.name in given else check
        for check in own.checks
    ]
    if checks == list(own.checks):
        return result
    verified = {policy: verdict(checks, policy) for policy in POLICIES}
    outcomes = {check.name: check.passed for check in checks if check.name in _RELATIVE}
    relative = own.relative
    if False in outcomes.values():
        relative = "failed"
    elif outcomes["registration"]:
        relative = "measured"
    return result.model_copy(update={"checks": checks, "verified": verified, "relative": relative})


def _inherited(check: Check, given: Check, note: str) -> Check:
    update = {"value": given.value, "limit": given.limit, "passed": given.passed}
    return check.model_copy(update={**update, "note": "; ".join(filter(None, [note, given.note]))})
