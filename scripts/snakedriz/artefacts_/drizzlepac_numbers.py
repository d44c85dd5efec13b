"""drizzlepac.json: what drizzlepac 3.11 would say of one candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from snakedriz.artefacts_.base import Artefact, Count, Integer, Number, Outcome, Pixel, Real, Record, Switch, schema

Quality = Literal[0, 3, 6]


class FocusStatistics(Record):
    """Statistics of the focus indices of the exposures."""

    mean: Real
    std: Real
    min: Real
    max: Real


class FocusDeviations(Record):
    """Focus indices as deviations; null: infinite, or standard deviation 0."""

    product: Number
    lowest: Number
    highest: Number


class DrizzlepacFocus(Record):
    """What `evaluate_focus` makes of the focus indices."""

    exp: Sequence[Real] = Field(description="electrons/s/px^2, per exposure")
    prod: Sequence[Real] = Field(description="electrons/s/px^2")
    stats: FocusStatistics
    exp_pos: Pixel | None = Field(description="(y, x), px from 0, of the last exposure")
    prod_pos: Pixel | None = Field(description="(y, x), px from 0")
    expnames: Sequence[str]
    passed: Switch = Field(description="evaluate_focus, whether consulted or not")
    z: FocusDeviations
    alignment_verified: Switch
    alignment_quality: Quality | None


class OverlapExposure(Record):
    """One exposure where it overlaps others."""

    rootname: str
    xslice: Pixel | None = Field(description="first pixel and the one after the last")
    yslice: Pixel | None = Field(description="first pixel and the one after the last")
    focus: Real
    focus_pos: Pixel | None = Field(description="(y, x), px from 0")
    product_focus: Real
    product_focus_pos: Pixel | None = Field(description="(y, x), px from 0")
    #: A distance that is not a number fails, as in drizzlepac.
    distance: Number = Field(description="smaller of Hamming distance and twice the similarity; -1: no data")
    hamming: Number
    similarity: Number
    stops: str = Field(description="why drizzlepac would end in an exception; empty: it would not")
    num_sources: Count
    product_num_sources: Count


class DrizzlepacOverlap(Record):
    """Differences of the exposures from the product where they overlap."""

    limit: Real
    largest: Number
    passed: Switch
    focus_consulted: Switch
    num_sources: Annotated[Integer, Field(ge=-1)] = Field(description="matched by the fit; -1: no fit")
    fraction_matched: Real
    exposures: Sequence[OverlapExposure]


class DrizzlepacSimilarity(Record):
    """The candidate's product against the default's."""

    index: Number
    limit: Real
    passed: Switch


_WHERE_OK = ("sigma_px", "focus", "overlap", "similarity_to_default", "verified", "quality", "verdict")


class DrizzlepacNumbers(Artefact):
    """What drizzlepac 3.11 would say of one candidate; of one that does not apply, its outcome only."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"anyOf": [{"required": [name]} for name in _WHERE_OK]},
            "then": {"required": list(_WHERE_OK), "properties": {"outcome": {"const": "ok"}}},
        }
    )

    schema_: Literal["drizzlepac_numbers/1"] = schema("drizzlepac_numbers/1")
    candidate: str
    outcome: Outcome
    reason: str | None
    sigma_px: Real = Field(default=0.0, description="width of the focus filter")
    focus: DrizzlepacFocus | None = None
    overlap: DrizzlepacOverlap | None = None
    similarity_to_default: DrizzlepacSimilarity | None = None
    verified: Switch = False
    quality: Quality | None = Field(
        default=None,
        description="0 good, 3 not verified or unlike the default, 6 both; null: drizzlepac would end in an exception",
    )
    verdict: str = ""

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        given = [name for name in _WHERE_OK if name in self.model_fields_set]
        if len(given) not in (0, len(_WHERE_OK)) or (given and self.outcome != "ok"):
            raise ValueError(f"all of {', '.join(_WHERE_OK)} or none, and none unless the outcome is ok")
        return self

    @property
    def computed(self) -> bool:
        """Whether there are numbers, or the outcome only."""
        return "verified" in self.model_fields_set
