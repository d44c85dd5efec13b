"""fits/<catalog>_<method>_<geometry>.json: one fit of the exposures of an association to one catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from snakedriz.artefacts.base import (
    Artefact,
    Count,
    FitQuality,
    Geometry,
    Integer,
    Matrix,
    Number,
    Outcome,
    Pair,
    Real,
    Record,
    Switch,
    schema,
)
from snakedriz.artefacts.common import Check, SourceFile


class ReferenceSummary(Record):
    """The reference catalogue of a fit, as it was used."""

    rows: Count
    source: SourceFile | None
    epoch: Number = Field(description="Julian year, mean of the exposures")
    epochs: dict[str, Real] = Field(description="Julian year, by rootname")
    without_pm: Integer | None = Field(description="rows without proper motion")
    pm_policy: str | None = Field(description="what became of them")
    with_parallax: Integer | None = Field(description="rows whose parallax was applied")
    median_sigma_mas: Number = Field(description="of the positions, per axis")


class FitChip(Record):
    """The corrected linear WCS of one SCI extension."""

    extver: Integer
    crval: Pair = Field(description="deg")
    cd: Matrix = Field(description="deg/px")


class RelativeTie(Record):
    """How an exposure was tied to the others; what was not measured is absent."""

    nmatches: Count | None = None
    significance: Number = Field(description="normal deviate of the match; null where stars in common say so")
    geometry: str | None = None
    rms_px: Number = None
    offset_px: Pair | None = Field(default=None, description="median offset from the others")
    error_px: Number = Field(default=None, description="half-width per axis, 68.27 per cent")
    error95_px: Number = Field(default=None, description="half-width per axis, 95 per cent")
    shift_px: Pair | None = Field(default=None, description="correction less the median of those that hang together")
    rotation_deg: Number = None
    scale: Number = None
    reason: str | None = Field(default=None, description="why it could not be tied; empty if it was")


class MatchedStars(Record):
    """Sources of an exposure and the catalogue rows they are; all lists have one entry per match."""

    objID: Sequence[str] = Field(description="of the catalogue")  # noqa: N815 - the catalogue's own name
    source: Sequence[Integer] = Field(description="id in the table of sources")
    d_ra_mas: Sequence[Real] = Field(description="source minus catalogue, towards east")
    d_dec_mas: Sequence[Real]
    source_mag: Sequence[Number] = Field(description="instrumental")
    ref_mag: Sequence[Number]


class FitExposure(Record):
    """What a fit did to one exposure, and how well its stars agree with the catalogue afterwards."""

    rootname: str
    status: Literal["fitted", "kept", "inherited"] = Field(
        description="fitted: by stars that others or the catalogue have; kept: without such stars, carried along with "
        "the visit; inherited: likewise, with its guide-star lock"
    )
    chips: Sequence[FitChip]
    shift_px: Pair = Field(description="x west, y north, at the middle of the exposure")
    shift_arcsec: Pair = Field(description="east, north")
    rotation_deg: Real = Field(description="from north to east")
    scale: Real
    nmatches: Count
    rms_mas: Number = Field(description="root mean square separation, about zero")
    rms_ra_mas: Number
    rms_dec_mas: Number
    mae_mas: Number = Field(description="mean separation")
    median_ra_mas: Number
    median_dec_mas: Number
    zero_point_error_mas: Number = Field(description="half-width per axis at the middle of it, 68.27 per cent")
    zero_point_error95_mas: Number = Field(description="half-width per axis at the middle of it, 95 per cent")
    floor_px: Number = Field(default=None, description="error per axis beyond what the sources quote, estimated")
    significance: Number = Field(description="normal deviate of the match")
    common_offset_mas: Pair | None = Field(description="from the others by common sources, east and north")
    relative: RelativeTie | None
    matches: MatchedStars


class MatchedShare(Record):
    """Matches, and of what."""

    matches: Count = Field(description="distinct catalogue stars")
    sources: Count = Field(description="distinct sources inside the catalogue's outline")
    rows: Count = Field(description="catalogue rows on the exposures' chips")


class FitPlane(Record):
    """The tangent plane of a fit."""

    ra: Real = Field(description="deg")
    dec: Real = Field(description="deg")
    scale_arcsec: Real = Field(description="size of a px")


class MatchSummary(Record):
    """A match of sources with the catalogue: `catalogue = matrix @ source + shift`."""

    nmatches: Count
    matrix: Matrix
    shift: Pair = Field(description="px")
    significance: Number = Field(description="chance of such a peak among unrelated lists, as a normal deviate")
    false_alarm: Number = Field(description="that chance, over all offsets searched")
    expected_false: Number = Field(description="pairs expected by chance")
    tolerance: Number = Field(description="px")
    reason: str = Field(description="why there is no match; empty if there is one")


class HeldOut(Record):
    """Catalogue stars held out of a fit in turn, and whether they are where the others put them."""

    stars: Count = Field(description="catalogue stars of the fit, outliers among them")
    folds: Count
    found: Count = Field(description="stars within 3 expected errors of where the others put them")
    chance: Number = Field(description="chance that they lie so near if the matches were pairs of unrelated stars")
    rms_mas: Number = Field(description="root mean square separation from predictions without them; without outliers")
    in_sample_rms_mas: Number = Field(description="the same stars in the fit of all")
    zero_point_error_mas: Number = Field(description="half-width per axis, 68.27 per cent, by jackknife of folds")
    reason: str = Field(description="why nothing was measured; empty if it was")


class FitMethod(Record):
    """How a fit was made."""

    method: Literal["relative", "2dhist", "default", "visit"]
    wcs_kind: Literal["REL", "IMG", "SVM"] = Field(description="as in WCSNAME")


class FitNumbers(FitMethod):
    """What a fit found, before it is judged; numbers are null where nothing was fitted."""

    outcome: Outcome
    reason: str
    catalog: str
    fitgeom: Geometry = Field(description="asked for")
    fitgeom_used: Geometry | None
    reference: ReferenceSummary
    exposures: Sequence[FitExposure]
    total_rms_mas: Number = Field(description="root mean square separation of all matches, about zero")
    nmatches: Count = Field(description="distinct catalogue stars")
    zero_point_error_mas: Number = Field(description="half-width per axis of the frame's error, 68.27 per cent")
    zero_point_error95_mas: Number = Field(description="the same, 95 per cent")
    share: MatchedShare | None
    significance: Number = Field(description="normal deviate of the least certain match")
    code_error: Switch = Field(description="the alignment code broke down")
    rms_ra_mas: Number = None
    rms_dec_mas: Number = None
    field_error_mas: Number = Field(
        default=None, description="radius that holds a star in the corners in 68.27 per cent"
    )
    distortion_px: Number = Field(default=None, description="rms residual distortion per axis, as it was allowed for")
    held_out: HeldOut | None = Field(default=None, description="catalogue stars predicted without themselves")
    plane: FitPlane | None = None
    match: dict[str, MatchSummary] | None = Field(default=None, description="by rootname, or `group`")


class FitVerdict(Record):
    """What a fit is worth."""

    checks: Sequence[Check] = Field(description="the document's five")
    refusals: Sequence[Check] = Field(description="further limits; failing one makes the fit invalid")
    absolute: Sequence[Check] = Field(description="held-out stars and magnitudes: what promotion asks of a fit")
    fit_quality: FitQuality
    valid: Switch
    compromised: Switch
    quality_reason: str


class FitResult(FitVerdict, FitNumbers, Artefact):
    """What fits of an association and of a visit have in common."""


class Fit(FitResult):
    """One fit of the exposures of an association to one catalogue."""

    schema_: Literal["fit/1"] = schema("fit/1")
    method: Literal["relative", "2dhist", "default"]
    wcs_kind: Literal["REL", "IMG"] = Field(description="as in WCSNAME")
    start: Literal["default", "apriori", "aposteriori"] = Field(description="candidate whose WCS it started from")


class FitSummary(Record):
    """One fit as solution.json lists it."""

    file: str = Field(description="name")
    chosen: Switch
    outcome: Outcome
    reason: str
    catalog: str
    method: Literal["relative", "2dhist", "default", "visit"]
    fitgeom_used: Geometry | None
    wcs_kind: Literal["REL", "IMG", "SVM"]
    nmatches: Count
    total_rms_mas: Number
    zero_point_error_mas: Number
    zero_point_error95_mas: Number
    field_error_mas: Number = None
    fit_quality: FitQuality
    checks: Sequence[Check]
    refusals: Sequence[Check]
    absolute: Sequence[Check]
    held_out: HeldOut | None = None

    @classmethod
    def of(cls, fit: FitResult, file: str, chosen: bool) -> FitSummary:
        """Summarize a fit."""
        same = {name: getattr(fit, name) for name in cls.model_fields if name not in ("file", "chosen")}
        return cls(file=file, chosen=chosen, **same)
