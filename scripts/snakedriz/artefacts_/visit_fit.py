"""visits/<visit>/<catalog>_<geometry>.json: all exposures of a visit fitted to one catalogue, as one body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from snakedriz.artefacts_.base import Integer, Number, Pair, Record, schema
from snakedriz.artefacts_.fit import FitExposure, FitMethod, FitResult


class Inheritance(Record):
    """An exposure that took over the correction of another, taken on the same guide-star lock."""

    rootname: str
    giver: str = Field(validation_alias="from", serialization_alias="from", description="rootname")
    why: str
    checked: str = Field(description="what catalogue stars say of it")


class VisitExposure(FitExposure):
    """An exposure in the fit of its visit."""

    association: str
    inherits: Inheritance | None


class VisitTie(Record):
    """Two exposures with common sources."""

    exposures: Annotated[Sequence[str], Field(min_length=2, max_length=2)] = Field(description="rootnames")
    sources: Annotated[Integer, Field(ge=1)]
    offset_mas: Pair = Field(description="second minus first after the fit, east and north")
    error_mas: Number = Field(description="half-width per axis, 68.27 per cent")
    error95_mas: Number = Field(description="half-width per axis, 95 per cent")


class LeftOut(Record):
    """An exposure that got no solution."""

    rootname: str
    reason: str


class VisitScope(FitMethod):
    """What a fit of a visit covers."""

    visit: str
    associations: dict[str, Sequence[str]] = Field(description="rootnames by association")


class VisitFit(FitResult, VisitScope):
    """One fit of all exposures of a visit to one catalogue, as one body."""

    schema_: Literal["visit_fit/1"] = schema("visit_fit/1")
    method: Literal["visit"]
    wcs_kind: Literal["SVM"] = Field(description="as in WCSNAME")
    exposures: Sequence[VisitExposure]
    bodies: Sequence[Sequence[str]] = Field(description="exposures tied to each other by common sources")
    ties: Sequence[VisitTie] = Field(description="pairs of exposures with common sources")
    inherited: Sequence[Inheritance] = Field(description="who inherits from whom, and why")
    left_out: Sequence[LeftOut]
    # Corrections can be inherited only between WCSs with the same errors: the pointing as observed.
    start: Literal["default"] = Field(description="candidate whose WCS it started from")
