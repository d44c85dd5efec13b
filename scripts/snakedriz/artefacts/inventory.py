"""inventory.json: what an association consists of, what can be done with it, and with which parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from snakedriz.artefacts.base import Amount, Artefact, Integer, Number, Record, Sha256, Switch, schema

Kind = Literal["flc", "flt"]
Origin = Literal["mdriztab", "fallback", "pipeline", "exposure-time ratio", "config"]


class ChipRecord(Record):
    """One SCI extension of an exposure."""

    extver: Integer
    ccdchip: Integer | None
    shape: Annotated[Sequence[Integer], Field(min_length=2, max_length=2)] = Field(description="ny, nx, px")
    ngoodpix: Integer | None
    all_zero: Switch | None


class HeaderFacts(Record):
    """What the primary header of an exposure says; null where it says nothing."""

    rootname: str
    instrument: str | None
    detector: str | None
    filter: str = Field(description="as the FILTER column of MDRIZTAB has it")
    exptime: Number = Field(description="s")
    expstart: Number = Field(description="MJD")
    expend: Number = Field(description="MJD")
    date_obs: str | None
    targname: str | None
    proposid: Integer | str | None
    ra_targ: Number = Field(description="deg")
    dec_targ: Number = Field(description="deg")
    pa_v3: Number = Field(description="deg")
    subarray: Switch | str | None
    drizcorr: str | None
    idctab: str | None
    d2imfile: str | None
    npolfile: str | None
    mdriztab: str | None


class ExposureFacts(HeaderFacts):
    """What is known of an exposure before anything is decided about it."""

    wcsname: str | None = Field(description="of SCI,1, as found")
    all_zero: Switch | None
    chips: Sequence[ChipRecord]


class ExposureRecord(ExposureFacts):
    """One exposure: its files, whether they can be used, and facts of its headers."""

    raw: str | None = Field(description="path")
    flt: str | None = Field(description="path; null where it is missing or left aside")
    flc: str | None = Field(description="path; null where it is missing or left aside")
    used: Switch = Field(description="goes into the products")
    alignable: Switch = Field(description="sources are looked for in it")
    reason: str = Field(description="why not used, or not alignable")
    warnings: Sequence[str]

    def file(self, kind: Kind) -> str:
        """Return the path of its calibrated file of a kind; raises `KeyError` if it has none."""
        path = self.flc if kind == "flc" else self.flt
        if path is None:
            raise KeyError(f"{self.rootname} has no {kind}")
        return path


class Drizcorr(Record):
    """DRIZCORR of the first exposure: whether the pipeline would drizzle."""

    value: str | None
    source: Literal["raw", "flc", "flt", "c0m", "d0m"] | None
    file: str | None = Field(description="path")


class ReferenceFile(Record):
    """A reference file and the exposures that name it."""

    name: str = Field(description="as the header names it")
    path: str
    sha256: Sha256
    exposures: Sequence[str] = Field(description="rootnames")


class DrizzleParameters(Record):
    """Parameters of AstroDrizzle, and where each is from."""

    parameters: dict[str, Switch | Amount | str | None]
    origin: dict[str, Origin]
    mdriztab: str | None = Field(description="path of the table used")


class Inventory(Artefact):
    """Inventory of an association."""

    schema_: Literal["inventory/1"] = schema("inventory/1")
    association: str
    kind: Literal["association", "single"]
    table: str | None = Field(description="path")
    product: str = Field(description="rootname of the products")
    subproducts: Sequence[str] = Field(description="others that the table names; all exposures go into `product`")
    instrument: str | None
    detector: str | None
    filter: str | None = Field(description="of the first exposure in use")
    proposal: Integer | str | None
    outcome: Literal["process", "not_applicable"]
    reason: str
    drizcorr: Drizcorr
    kinds: Sequence[Kind] = Field(description="calibrated files of all exposures, the kind to verify with first")
    verification_kind: Kind | None
    switches: dict[str, Switch] = Field(description="environment switches in force")
    software: dict[str, str] = Field(description="versions")
    exposures: Sequence[ExposureRecord]
    absent: Sequence[str] = Field(description="exposures that the table marks as not present")
    reference_files: dict[Literal["IDCTAB", "D2IMFILE", "NPOLFILE", "MDRIZTAB"], Sequence[ReferenceFile]]
    drizzle: DrizzleParameters
    warnings: Sequence[str]

    @property
    def used(self) -> list[ExposureRecord]:
        """Exposures that go into the products."""
        return [exposure for exposure in self.exposures if exposure.used]
