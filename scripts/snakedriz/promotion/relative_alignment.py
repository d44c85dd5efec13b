"""What is known of the alignment of a candidate's exposures to each other."""

from __future__ import annotations

from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.promotion import CandidateRow
from snakedriz.artefacts.verification import RelativeAlignment
from snakedriz.verification.displacements import displacement, unlinked

#: Nothing overlaps, so nothing can be smeared.
NOT_IN_QUESTION: tuple[RelativeAlignment, ...] = ("single exposure", "no overlap")


def known(metrics: Metrics) -> RelativeAlignment | None:
    """Return the word for what is known; None for metrics without registration.

    Where a result of an earlier version has no such word, it is taken from the check of the registration.
    """
    if metrics.relative is not None:
        return metrics.relative
    check = next((check for check in metrics.checks if check.name == "registration"), None)
    if check is None:
        return None
    if check.passed is not None:
        return "measured" if check.passed else "failed"
    if not metrics.verified["measured"]:
        return "unmeasured"
    return "single exposure" if metrics.registration is None else "no overlap"


def is_measured_within(metrics: Metrics, limit_px: float) -> bool:
    """Whether the shift of every exposure that overlaps others is known to within a limit (68 % error, px).

    And exposures that overlap hang together by measured pairs.
    """
    if metrics.registration is None or unlinked(metrics.registration.pairs):
        return False
    found = [displacement(row) for row in metrics.registration.exposures if row.method != "no overlap"]
    return bool(found) and all(one is not None and one[1] <= limit_px for one in found)


def is_unchanged(of: Metrics | CandidateRow) -> bool:
    """Whether a candidate's exposures lie among themselves as the default's do; the default's do by definition."""
    if of.candidate == "default":
        return True
    change = of.relative_geometry
    return change is not None and change.reference == "default" and change.unchanged
