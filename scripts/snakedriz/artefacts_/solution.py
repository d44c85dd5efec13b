"""solution.json: how a candidate got its WCS, or why it could not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from snakedriz.artefacts_.base import Artefact, CandidateName, Integer, Number, Outcome, Pair, Record, schema
from snakedriz.artefacts_.common import SourceFile
from snakedriz.artefacts_.fit import FitSummary


class SolutionExposure(Record):
    """One file of an exposure and where its WCS is from; of a candidate without a WCS, what the exposure has."""

    rootname: str
    available: Sequence[str] | None = Field(default=None, description="kinds of solution that can be used")
    refused: Sequence[str] | None = Field(default=None, description="what matches and cannot be used, and why")
    file: str | None = Field(default=None, description="<rootname>_<kind>")
    source: str | None = Field(default=None, description="what the WCS is from")
    path: str | None = Field(default=None, description="of the headerlet, or of the table of offsets")
    wcsname: str | None = None
    hdrname: str | None = None
    before: str | None = Field(default=None, description="WCSNAME that was active")
    nmatch: Integer | None = None
    rms_ra_mas: Number = None
    rms_dec_mas: Number = None
    proof_microarcsec: Number = Field(default=None, description="largest distance of a pixel from where it should be")
    shift_px: Pair | None = Field(default=None, description="of the guide-star offset, x and y")
    attached: Sequence[str] | None = Field(default=None, description="WCSNAMEs of headerlets attached as alternatives")
    repaired: Sequence[str] | None = Field(default=None, description="what was repaired in the copy")
    notes: Sequence[str] | None = None


class Solution(Artefact):
    """How a candidate got its WCS, or why it could not."""

    schema_: Literal["solution/1"] = schema("solution/1")
    candidate: CandidateName
    outcome: Outcome
    reason: str
    wcsname: str
    exposures: Sequence[SolutionExposure]
    sources: Sequence[SourceFile] = Field(default=(), description="files that a pre-computed solution is from")
    fits: Sequence[FitSummary] = Field(default=(), description="fits to choose from")

    @property
    def chosen_fit(self) -> FitSummary | None:
        """The fit that the WCS is from, if it is from one."""
        return next((fit for fit in self.fits if fit.chosen), None)
