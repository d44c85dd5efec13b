"""All that was found of one candidate, put together, with what drizzlepac 3.11 would have said as a verdict."""

from __future__ import annotations

from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts.metrics import Metrics
from snakedriz.artefacts.verification import Verification


def put_together(
    verification: Verification, astrometry: Astrometry | None, drizzlepac: DrizzlepacNumbers | None
) -> Metrics:
    """Put together what was found of a candidate.

    `astrometry` is None without a catalogue, `drizzlepac` where the comparison is switched off, both where the
    candidate does not apply.
    """
    measured = {name: getattr(verification, name) for name in verification.model_fields_set - {"schema_"}}
    result = Metrics(**measured, astrometry=astrometry, drizzlepac=drizzlepac)
    if drizzlepac is None or not drizzlepac.computed or verification.outcome != "ok":
        return result
    check = Check(
        name="drizzlepac", value=drizzlepac.quality, limit=None, unit="quality code", passed=drizzlepac.verified,
        policy=["drizzlepac"], note=drizzlepac.verdict,
    )  # fmt: skip
    verified = {**verification.verified, "drizzlepac": drizzlepac.verified}
    return result.model_copy(update={"checks": [*verification.checks, check], "verified": verified})
