"""metrics.json: all that was found of a candidate, with the verdict of each policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from snakedriz.artefacts_.astrometry import Astrometry
from snakedriz.artefacts_.base import schema
from snakedriz.artefacts_.drizzlepac_numbers import DrizzlepacNumbers
from snakedriz.artefacts_.verification import PixelEvidence


class Metrics(PixelEvidence):
    """All that was found of one candidate: verification.json with the numbers of other jobs."""

    schema_: Literal["metrics/1"] = schema("metrics/1")
    astrometry: Astrometry | None = Field(description="astrometry.json")
    drizzlepac: DrizzlepacNumbers | None = Field(description="drizzlepac.json")
