"""pictures/<first>_vs_<second>.json: two products of the same sky, and the offset between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from snakedriz.artefacts_.base import Artefact, Integer, Pair, Real, Record, schema


class ComparedProduct(Record):
    """One of the two products."""

    file: str
    wcsname: str
    filter: str


class ProductOffset(Record):
    """Second less first, from matched stars in both products' world coordinates; errors are 68 % half-widths."""

    east_mas: Real
    north_mas: Real
    east_err_mas: Annotated[Real, Field(gt=0)]
    north_err_mas: Annotated[Real, Field(gt=0)]
    stars: Annotated[Integer, Field(ge=1)] = Field(description="matched and not clipped")
    significance: Real = Field(description="of the match, as a normal deviate")


class Comparison(Artefact):
    """Two products of the same sky, and the offset between them."""

    schema_: Literal["comparison/1"] = schema("comparison/1")
    outcome: Literal["ok", "not_applicable"]
    reason: str = Field(description="why there is nothing to show, or why no offset was measured; else empty")
    first: ComparedProduct
    second: ComparedProduct
    offset: ProductOffset | None
    chosen: Literal["auto", "given"] | None = Field(description="how the positions came about")
    size_arcsec: Annotated[Real, Field(gt=0)] = Field(description="side of a patch")
    positions: Sequence[Pair] = Field(description="shown: right ascension and declination, deg")
    outside: Sequence[Pair] = Field(description="given, and not in both products")
