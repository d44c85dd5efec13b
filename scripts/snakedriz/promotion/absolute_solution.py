"""The gate of a fit to a catalogue: evidence of where it puts the exposures on the sky that the fit has not seen.

The offset from the catalogue says nothing of a fit that made it small. Stars that were held out do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from snakedriz.artefacts.base import Policy
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.solution import Solution

#: Checks of astrometry.json.
NAMES = ("held_out", "second_catalog", "magnitudes")
_NEEDED = "held_out"


def checks(solution: Solution, metrics: Metrics) -> list[Check]:
    """Return the checks of a candidate's fit, whatever the policy; none for a candidate that was not fitted."""
    if solution.chosen_fit is None:
        return []
    policies = get_args(Policy)
    measured = metrics.astrometry.checks if metrics.astrometry else ()
    found = [check.model_copy(update={"policy": policies}) for check in measured]
    if all(check.name != _NEEDED for check in found):
        found.append(
            Check(name=_NEEDED, value=None, limit=None, unit="", passed=None, policy=policies,
                  note="no star was held out of the fit")
        )  # fmt: skip
    return found


def is_confirmed(gate: Sequence[Check]) -> bool | None:
    """Return whether unseen stars confirm a fit, by its `checks`; None where it could not be measured.

    A candidate that was not fitted claims nothing that could fail.
    """
    if not gate:
        return True
    if any(check.passed is False for check in gate):
        return False
    return True if all(check.passed for check in gate if check.name == _NEEDED) else None
