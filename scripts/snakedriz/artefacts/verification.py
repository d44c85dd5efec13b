"""verification.json: what the pixels of a candidate say of its alignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from snakedriz.artefacts.base import (
    Artefact,
    Count,
    Integer,
    Number,
    Outcome,
    Pair,
    Pixel,
    Policy,
    Real,
    Record,
    Switch,
    schema,
)
from snakedriz.artefacts.common import Check, OfExposure


class CosmicRayCount(OfExposure):
    """What the cosmic-ray step flagged in one exposure."""

    flagged: Real = Field(description="share of the detector's pixels")
    per_second: Real
    ratio_to_others: Number = Field(description="rate over the median rate of the others")
    expected: Real = Field(description="share that the exposure time predicts")
    ratio_to_expected: Number
    ratio_to_default: Number = Field(description="over the default candidate's; 1 where its flags were reused")


class FocusIndex(Record):
    """Sharpness of one image."""

    value: Number = Field(description="electrons/s/px^2")
    position: Pixel | None = Field(default=None, description="(y, x), px from 0")
    error: Number = None
    significance: Number = Field(default=None, description="value over the noise of the filtered image")


class SingleFocusIndex(FocusIndex, OfExposure):
    """Sharpness of the single drizzle of one exposure."""


class Focus(Record):
    """Sharpness of the product and of the single drizzles."""

    formulas: dict[str, str]
    sigma_px: Real = Field(description="width of the filter")
    singles: Sequence[SingleFocusIndex]
    product: FocusIndex


class SourceComparison(Record):
    """Whether two filtered images show the same sources."""

    source_pixels: Integer | None = None
    product_source_pixels: Integer | None = None
    eaten: Number = Field(default=None, description="share of the product's source pixels flagged in the single")
    hamming: Number = None
    mse: Number = None
    index: Number


class ComparedRegion(OfExposure):
    """Where an exposure was compared."""

    region: Literal["largest overlap", "any overlap", "none"]


class ExposureSimilarity(SourceComparison, ComparedRegion):
    """Whether one exposure shows the sources of the product."""


class Similarity(Record):
    """Whether the exposures show the sources of the product."""

    formulas: dict[str, str]
    limit: Real
    exposures: Sequence[ExposureSimilarity]
    index: Number = Field(description="largest of the exposures")


class ProductShift(Record):
    """How a candidate's product was laid on the default's."""

    formulas: dict[str, str]
    shift_px: Pair = Field(description="x, y: from this product's frame to the default's")


class SimilarityToDefault(SourceComparison, ProductShift):
    """Whether a candidate's product shows the sources of the default's."""


class RelativeGeometry(Record):
    """Whether a candidate changes how the exposures lie to each other."""

    reference: str = Field(description="candidate that it is compared with")
    largest_px: Number = Field(
        description="largest distance by which two positions have moved against each other, px of the detector, after "
        "one shift, rotation and scale of the whole set"
    )
    unchanged: Switch
    moved: Sequence[str] = Field(description="rootnames of the exposures that have moved against most of the set")


class MeasuredShift(Record):
    """Exposure minus the median of the others, along the axes of the drizzled frame."""

    dx: Number = Field(description="px")
    dy: Number = Field(description="px")
    dx_err: Number = Field(description="half-width of the 68.3 % interval, px")
    dy_err: Number = Field(description="half-width of the 68.3 % interval, px")
    dx_err95: Number = Field(description="half-width of the 95 % interval, px")
    dy_err95: Number = Field(description="half-width of the 95 % interval, px")
    freedom: Number = Field(description="degrees of freedom of the errors")


class ShiftInMas(Record):
    """The same shift and half-widths on the sky."""

    dx_mas: Number
    dy_mas: Number
    dx_err_mas: Number
    dy_err_mas: Number
    dx_err95_mas: Number
    dy_err95_mas: Number


class ChipMatch(Record):
    """Which chip was registered, and by how many sources."""

    extver: Integer
    nmatches: Count


class ChipRegistration(ShiftInMas, MeasuredShift, ChipMatch):
    """Shift of one chip."""


class ExposureMatch(OfExposure):
    """How an exposure was registered."""

    method: Literal["sources", "correlation", "unmeasurable", "no overlap"]
    nmatches: Count = Field(description="sources, or patches of the correlation")
    significance: Number = Field(description="normal deviate, or height of the correlation over that of other tiles")
    flagged_share: Number = Field(description="share of the matched stars that the CR step flagged")


class LinearTerms(Record):
    """Rotation and scale of an exposure, and each of its chips by itself."""

    rotation_deg: Number
    rotation_deg_err: Number = Field(description="68.3 %")
    scale: Number
    scale_err: Number = Field(description="68.3 %")
    field: Number = Field(description="rms displacement by rotation and scale, px")
    field_err: Number
    chips: Sequence[ChipRegistration] = Field(description="where the exposure has several")


class ExposureRegistration(ShiftInMas, LinearTerms, MeasuredShift, ExposureMatch):
    """Shift, rotation and scale of one exposure against the others."""


class PairMatch(Record):
    """Two exposures that overlap by their footprints, and how they were compared."""

    exposures: Annotated[Sequence[str], Field(min_length=2, max_length=2)] = Field(description="rootnames")
    overlap: Real = Field(description="pixels in common, share of the smaller one's")
    measured: Switch = Field(description="false: nothing is known of them, which is no agreement")
    method: Literal["sources", "correlation", "combined", "unmeasurable"] = Field(
        description="combined: correlated where one is part of what the other was compared with; that row has the shift"
    )
    nmatches: Count = Field(description="sources, or patches of the correlation")
    significance: Number = Field(description="normal deviate, or height of the correlation over that of other tiles")
    field: Number = Field(description="rms displacement by rotation and scale, px")
    field_err: Number = Field(description="68.3 %")
    reason: str = Field(description="why it was not measured; empty where it was")


class PairRegistration(MeasuredShift, PairMatch):
    """Shift of the first of two exposures against the second."""


class Registration(Record):
    """Shifts of all exposures against each other."""

    exposures: Sequence[ExposureRegistration]
    pairs: Sequence[PairRegistration] = Field(default=(), description="every two that overlap by their footprints")
    scale_arcsec: Real = Field(description="size of a drizzled px")


class ExposureStarWidth(OfExposure):
    """Width of stars in one exposure and, the same stars, in the product."""

    stars: Integer
    fwhm_px: Number
    product_fwhm_px: Number
    ratio: Number
    ratio_err: Number


class StarWidth(Record):
    """Width of stars in the product over that in the single drizzles."""

    exposures: Sequence[ExposureStarWidth]
    ratio: Number
    ratio_err: Number


#: What could be known of the relative alignment.
RelativeAlignment = Literal["measured", "failed", "unmeasured", "single exposure", "no overlap"]


class PixelEvidence(Artefact):
    """What the pixels say; what was not measured is absent."""

    candidate: str
    outcome: Outcome
    reason: str | None
    wcsname: str | None
    verified: Annotated[dict[Policy, Switch], Field(min_length=3)] = Field(description="verdict by policy")
    relative: RelativeAlignment | None = Field(
        default=None,
        description="what could be known of the alignment among the exposures; absent where nothing was drizzled",
    )
    flags_trusted: Switch = Field(description="may later candidates reuse the CR flags")
    checks: Sequence[Check]
    cr_census: Sequence[CosmicRayCount] | None = None
    focus: Focus | None = None
    similarity: Similarity | None = None
    registration: Registration | None = None
    psf_width: StarWidth | None = None
    similarity_to_default: SimilarityToDefault | None = None
    relative_geometry: RelativeGeometry | None = Field(default=None, description="against the default's")


class Verification(PixelEvidence):
    """Verification of one candidate by its pixels."""

    schema_: Literal["verification/1"] = schema("verification/1")
