"""promotion.json: the promoted candidate, and every candidate with every check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from snakedriz.artefacts.astrometry import AbsoluteErrors, RelativeErrors
from snakedriz.artefacts.base import (
    Artefact,
    CandidateName,
    Count,
    FitQuality,
    Number,
    Outcome,
    Policy,
    Real,
    Record,
    Switch,
    schema,
)
from snakedriz.artefacts.common import Check, SourceFile
from snakedriz.artefacts.fit import HeldOut
from snakedriz.artefacts.verification import RelativeAlignment, RelativeGeometry


class LargestShift(Record):
    """The largest measured displacement of an exposure or chip."""

    worst_px: Real
    error_px: Real
    of: str


class ErrorSummary(Record):
    """Relative and absolute errors, apart: astrometry.json without each exposure."""

    relative: RelativeErrors
    absolute: AbsoluteErrors
    held_out: HeldOut | None


class PromotedFit(Record):
    """The fit that a candidate's WCS is from."""

    file: str
    catalog: str
    method: Literal["relative", "2dhist", "default", "visit"]
    nmatches: Count
    total_rms_mas: Number


#: What can be said of a candidate. The first three are verified; "changes nothing": its exposures lie among themselves
#: as the default's do, and it is expected to be closer to the truth on the sky.
Verdict = Literal[
    "verified", "single exposure", "no overlap", "unmeasured, changes nothing", "not verified, changes nothing",
    "absolute solution unmeasured", "unmeasured", "not verified",
]  # fmt: skip


class ExpectedError(Record):
    """How far from the truth a candidate's positions are expected to be."""

    value_mas: Number = Field(description="radius on the sky that holds 68 per cent; null where nothing is known")
    rests_on: str = Field(description="what it was measured from, or why it is expected")


class CandidateRow(Record):
    """One candidate with every check."""

    candidate: CandidateName
    outcome: Outcome
    reason: str
    wcsname: str
    verified: Switch
    verdict: Verdict | None = Field(default=None, description="in words; absent for a candidate without a WCS")
    expected_error: ExpectedError | None = Field(default=None, description="absent for a candidate without a WCS")
    relative: RelativeAlignment | None = Field(default=None, description="what is known of its exposures' alignment")
    relative_geometry: RelativeGeometry | None = Field(default=None, description="of the exposures among themselves")
    verdicts: dict[Policy, Switch] = Field(description="by policy; empty for a candidate without a WCS")
    fit_quality: FitQuality | None
    registration: LargestShift | None
    astrometry: ErrorSummary | None
    sources: Sequence[SourceFile] = Field(description="files that a pre-computed solution is from")
    checks: Sequence[Check]
    fit: PromotedFit | None = Field(default=None, description="absent where the WCS is from none")


class Override(Record):
    """What the user chose instead."""

    chosen: str
    policy_would_promote: str


class CatalogFile(SourceFile):
    """The file of a reference catalogue."""

    name: str = Field(description="of the catalogue, as in WCSNAME")


class Promotion(Artefact):
    """The promoted candidate, and every candidate with every check."""

    schema_: Literal["promotion/1"] = schema("promotion/1")
    association: str
    winner: str | None
    wcsname: str | None
    verified: Switch
    verdict: Verdict | None = Field(default=None, description="of the winner, in words")
    policy: Policy
    reason: Annotated[str, Field(min_length=1)]
    override: Override | None
    catalogs: Sequence[CatalogFile] = Field(description="that candidates were fitted to or held against, best first")
    candidates: Sequence[CandidateRow]
