"""Verdicts of a candidate by its checks: what promotion needs of the verification, without what measures pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from snakedriz.artefacts.base import Policy
from snakedriz.artefacts.common import Check

#: The verdicts, by name of the promotion policy that goes by them.
POLICIES: tuple[Policy, ...] = get_args(Policy)
_NEEDED = {"measured": ("registration",), "documented": ("focus", "similarity"), "drizzlepac": ("drizzlepac",)}


def verdict(checks: Sequence[Check], policy: Policy) -> bool:
    """Return whether a candidate is verified by a policy.

    Measured: every exposure's registration was measured and passes, and the stars are not smeared. Documented: focus
    and similarity were measured, and no check of the document fails. drizzlepac: what drizzlepac 3.11 would have said.

    What cannot be measured is never verified.
    """
    relevant = {check.name: check.passed for check in checks if policy in (check.policy or ())}
    return False not in relevant.values() and all(relevant.get(name) is True for name in _NEEDED[policy])
