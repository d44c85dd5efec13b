"""The verdict on a candidate in words, and whether one that is not verified may be promoted all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snakedriz.artefacts.base import Policy
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.promotion import CandidateRow, Verdict
from snakedriz.artefacts.verification import RelativeAlignment
from snakedriz.promotion import no_harm, relative_alignment

VERIFIED: tuple[Verdict, ...] = ("verified", "single exposure", "no overlap")
CHANGES_NOTHING: tuple[Verdict, ...] = ("unmeasured, changes nothing", "not verified, changes nothing")


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate, with the user's limits.

    Attributes
    ----------
    of_policy : bool
        The verdict of the policy.
    checks, harm : sequence of Check
        Those that the policy goes by, and those of doing no harm.
    confirmed : bool or None
        Whether unseen stars confirm its fit (`absolute_solution.is_confirmed`).
    relative : str or None
        What is known of the alignment of its exposures to each other.
    """

    of_policy: bool
    checks: Sequence[Check]
    harm: Sequence[Check]
    confirmed: bool | None
    relative: RelativeAlignment | None


def of(evidence: Evidence) -> Verdict:
    """Return the verdict by what was measured of the candidate itself; what is open is never verified."""
    if evidence.confirmed is False or any(check.passed is False for check in (*evidence.checks, *evidence.harm)):
        return "not verified"
    if evidence.confirmed is None:
        return "absolute solution unmeasured"
    if not evidence.of_policy or not all(check.passed for check in evidence.harm):
        return "unmeasured"
    if evidence.relative == "single exposure":
        return "single exposure"
    return "no overlap" if evidence.relative == "no overlap" else "verified"


def beside(row: CandidateRow, default: CandidateRow, policy: Policy) -> Verdict | None:
    """Return the verdict on a candidate beside the default.

    A candidate that is not verified, leaves the exposures among themselves as the default has them, and is expected to
    be closer to the truth on the sky, changes nothing for the worse: where it could not be measured, and where it is a
    pre-computed solution that fails in nothing but what the default fails in. It is no more verified for that.
    """
    if row.verdict not in ("unmeasured", "not verified") or _why_not(row, default) is not None:
        return row.verdict
    if row.verdict == "unmeasured":
        if any(check.name in no_harm.NAMES and check.passed is None for check in row.checks):
            return row.verdict
        # The same relative geometry fails alike, whether or not it could be measured again.
        return "not verified, changes nothing" if default.relative == "failed" else "unmeasured, changes nothing"
    if row.fit is None and failures(row, policy) <= failures(default, policy):
        return "not verified, changes nothing"
    return row.verdict


def failures(row: CandidateRow, policy: Policy) -> set[str]:
    """Return the names of the checks of a policy that fail; those of the document for fits have a quality instead."""
    return {check.name for check in row.checks if check.passed is False and policy in (check.policy or ())}


def why_not_promoted(row: CandidateRow, default: CandidateRow) -> str:
    """Say why a candidate of which nothing was measured is not promoted in place of the default."""
    return _why_not(row, default) or "a better one would be replaced"


def _why_not(row: CandidateRow, default: CandidateRow) -> str | None:
    """Return why a candidate does not count as one that changes nothing; None where it may."""
    if not relative_alignment.is_unchanged(row):
        change = row.relative_geometry
        if change is None or change.largest_px is None:
            return "it may move exposures among themselves"
        return f"it moves exposures among themselves by {change.largest_px:.3g} px"
    own, other = (one.expected_error.value_mas if one.expected_error else None for one in (row, default))
    if own is None:
        return "its error on the sky is not known"
    if other is None or own >= other:
        return f"its expected error of {own:.3g} mas is not below the default's"
    return None
