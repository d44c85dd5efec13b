"""<file>.provenance.json, beside each fetched file: where it came from. And what results say of the files they used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from snakedriz.artefacts.base import Artefact, Integer, Record, Sha256, schema
from snakedriz.artefacts.common import SourceFile
from snakedriz.files import sha256


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


def sidecar(path: str | Path) -> Path:
    """Return the name of a file's provenance record."""
    path = Path(path)
    return path.with_name(path.name + ".provenance.json")


def _of_parts(folder: Path, names: Sequence[str]) -> str:
    """Return the sha256 of what sha256sum says of those files of a folder that were used."""
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in sorted(names))
    return hashlib.sha256(lines.encode()).hexdigest()


def describe(path: str | Path, meta: Mapping[str, Any] | None = None) -> SourceFile:
    """Return what a result may say of a file it was made with.

    Nothing here depends on when, from which address or by whom the file was fetched, or where it lies.

    Parameters
    ----------
    path : path
        The file.
    meta : mapping, optional
        Of the table in it, where it is one: a fetched table says itself which service was asked what, so that it may
        travel without the record beside it. `parts`: names of the files that were used, where `path` is a folder.
    """
    path, meta = Path(path), meta or {}
    digest = _of_parts(path, meta.get("parts", ())) if path.is_dir() else sha256(path)
    record = Provenance.read(sidecar(path)) if sidecar(path).is_file() else None
    if record is None or record.sha256 != digest:  # a record of another file that lay here before
        service, version, query = meta.get("service"), None, meta.get("query")
    else:
        service, version, query = record.service, record.service_version or None, record.query
    asked = None if query is None else json.dumps(dict(query), sort_keys=True)
    return SourceFile(file=path.name, sha256=digest, service=service, version=version, query=asked)
