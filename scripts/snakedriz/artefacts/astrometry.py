"""astrometry.json: relative and absolute errors of one candidate, from its sources and the catalogues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from snakedriz.artefacts.base import Artefact, Count, Measured, Number, Pair, Record, schema
from snakedriz.artefacts.common import Check, OfExposure, SourceFile
from snakedriz.artefacts.fit import HeldOut


class RelativeExposure(OfExposure):
    """Where one exposure lies from the mean of the exposures."""

    outcome: Measured
    reason: str
    nmatches: Count | None
    offset_mas: Pair | None = Field(description="at the exposure's middle, east and north")
    offset_px: Pair | None = Field(description="east and north, in detector px")
    error_mas: Number = Field(description="68.27 per cent, per axis")
    error95_mas: Number = Field(description="95 per cent")
    rotation_deg: Number = Field(description="from north to east, from the mean")
    scale: Number
    rms_mas: Number = Field(description="root mean square separation from the others' sources, brought to the mean")


class RelativeErrors(Record):
    """How well the exposures agree with each other."""

    outcome: Measured
    reason: str
    scatter_mas: Number = Field(description="of the exposures about their mean, per axis")
    scatter_px: Number
    error_mas: Number = Field(description="68.27 per cent, per axis: the scatter that exposures that agree have")
    largest_mas: Number = Field(description="distance of the furthest exposure from the mean")


class RelativeAstrometry(RelativeErrors):
    """How well the exposures agree with each other, from sources that they share; no catalogue is asked."""

    exposures: Sequence[RelativeExposure]


class CatalogOffset(Record):
    """Sources against a catalogue; numbers are null where it was not measured."""

    outcome: Measured
    reason: str
    nmatches: Count | None = Field(description="stars used, each once")
    clipped: Count | None = Field(description="matched stars left out as outliers")
    offset_mas: Pair | None = Field(description="sources minus catalogue, east and north, at the stars' middle")
    error_mas: Number = Field(description="half-width per axis that holds the true offset in 68.27 per cent")
    error95_mas: Number = Field(description="the same in 95 per cent, by Student's t")
    rotation_deg: Number = Field(description="of the sources against the catalogue, from north to east")
    rotation_error_deg: Number = Field(description="68.27 per cent")
    scale: Number = Field(description="size of the sources' field over the catalogue's")
    scale_error: Number = Field(description="68.27 per cent")
    field_mas: Number = Field(description="rms displacement of the stars by rotation and scale")
    rms_mas: Number = Field(description="root mean square separation, about zero")
    rms_ra_mas: Number
    rms_dec_mas: Number
    rms_removed_mas: Number = Field(description="the same after offset, rotation and scale are removed")
    magnitudes: Pair | None = Field(description="brightest and faintest of the stars used, of the catalogue")


class CatalogName(Record):
    """Which catalogue."""

    catalog: str | None


class AbsoluteErrors(CatalogOffset, CatalogName):
    """The group of exposures against the first catalogue with enough matches."""


class ExposureCatalogOffset(CatalogOffset, OfExposure):
    """One exposure against a catalogue."""


class CatalogAstrometry(Record):
    """The candidate against one catalogue."""

    catalog: str
    source: SourceFile | None = None
    rows: Count | None
    rows_in_field: Count | None
    group: CatalogOffset = Field(description="a star seen in several exposures is one star")
    exposures: Sequence[ExposureCatalogOffset]


class Astrometry(Artefact):
    """Astrometry of one candidate: relative and absolute errors."""

    schema_: Literal["astrometry/1"] = schema("astrometry/1")
    candidate: str
    outcome: Literal["ok", "not_applicable"]
    reason: str
    scale_arcsec: Number = Field(description="size of a detector px")
    relative: RelativeAstrometry
    absolute: AbsoluteErrors
    catalogs: Sequence[CatalogAstrometry] = Field(description="in order of preference")
    held_out: HeldOut | None = Field(description="catalogue stars predicted by a fit that has not seen them")
    checks: Sequence[Check] = Field(
        default=(), description="of the absolute solution: held_out, magnitudes, second_catalog"
    )
