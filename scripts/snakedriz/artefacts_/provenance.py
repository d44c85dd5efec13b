"""<file>.provenance.json, beside each fetched file: what was asked, of whom, when, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from snakedriz.artefacts_.base import Artefact, Integer, Record, Sha256, schema


class FetchedHeaderlet(Record):
    """A headerlet that the astrometry database had."""

    wcsname: str
    bytes: Integer
    sha256: Sha256


class ServiceAnswer(Record):
    """One of the answers that a file was made of."""

    rootname: str
    when: str
    version: str
    headerlets: Sequence[FetchedHeaderlet] | None = None


class Provenance(Artefact):
    """Where a fetched file came from."""

    schema_: Literal["provenance/1"] = schema("provenance/1")
    file: str
    service: str
    url: str = Field(description="address of the service, without credentials")
    query: dict[str, Any] = Field(description="what was asked, in the words of the service")
    when: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")] = Field(description="UTC")
    rows: Integer | None
    bytes: Integer
    sha256: Sha256
    service_version: str
    snakedriz: str = Field(description="version that fetched it")
    answers: Sequence[ServiceAnswer]
