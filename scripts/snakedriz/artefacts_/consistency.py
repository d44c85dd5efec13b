"""visits/<visit>/consistency_*.json: which WCS solution each exposure of a visit has active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from snakedriz.artefacts_.base import Artefact, Integer, Number, Record, Switch, schema


class ActiveSolution(Record):
    """The WCS solution that an exposure has active."""

    file: str
    rootname: str
    association: str
    visit: str
    detector: str
    filter: str
    exptime: Number = Field(description="s")
    wcsname: str
    nmatch: Integer | None
    rms_ra_mas: Number
    rms_dec_mas: Number
    rms_ra_px: Number
    rms_dec_px: Number


class ConsistencyGroup(Record):
    """The exposures of one association, or of one visit."""

    kind: Literal["association", "visit"]
    name: str
    exposures: Sequence[ActiveSolution]
    consistent: Switch
    warnings: Sequence[str]
    notes: Sequence[str]
    common: Sequence[str] = Field(description="solutions that all have, best first, without the IDCTAB's root")
    best: str | None
    switch: str | None = Field(description="pattern for `snakedriz wcs switch --to`")


class Consistency(Artefact):
    """Which WCS solution each exposure of a visit has active, and where they disagree."""

    schema_: Literal["consistency/1"] = schema("consistency/1")
    groups: Sequence[ConsistencyGroup]
