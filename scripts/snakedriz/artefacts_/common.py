"""Parts that several artefacts have."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from snakedriz.artefacts_.base import Amount, Pair, Policy, Record, Sha256, Switch


class Check(Record):
    """One check of a verification, a fit or a promotion: a value held against a limit."""

    name: str
    value: Amount | None
    limit: Amount | Pair | None = Field(description="a largest value, or lowest and highest")
    unit: str
    passed: Switch | None = Field(description="null: unmeasurable, never counted as passed")
    policy: Sequence[Policy] | None = Field(
        default=None, description="verdicts that it has a part in; empty: a warning; absent: all, as checks of a fit"
    )
    note: str


class SourceFile(Record):
    """A file that a result was made with, whatever its place and whenever it was fetched."""

    file: str = Field(description="name, without folder")
    sha256: Sha256
    service: str | None
    version: str | None = Field(description="of the service")
    query: str | None = Field(description="JSON text of what the service was asked")


class OfExposure(Record):
    """Which exposure a row is of."""

    rootname: str
