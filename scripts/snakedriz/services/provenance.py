"""Beside each fetched file: what was asked, of whom, when, what came. And what results say of the files they used."""

from __future__ import annotations

import email.utils
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz import __version__, artefacts
from snakedriz.exposures.fetched import sidecar
from snakedriz.files import read_json, sha256
from snakedriz.services.failures import public
from snakedriz.services.transport import Client


def when(client: Client) -> str:
    """Return when the last answer was given (UTC, ISO 8601): the server's Date header, else the client's clock."""
    said = client.last.headers.get("Date") if client.last is not None else None
    try:
        seconds = email.utils.parsedate_to_datetime(said).timestamp() if said else client.stamp()
    except ValueError:
        seconds = client.stamp()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def server(client: Client) -> str:
    """Return what the last answer said of the server's software."""
    return str(client.last.headers.get("Server", "")) if client.last is not None else ""


def write(
    path: str | Path,
    client: Client,
    url: str,
    query: Mapping[str, Any],
    rows: int | None = None,
    version: str = "",
    answers: Sequence[Mapping[str, Any]] = (),
    of: Path | None = None,
) -> None:
    """Write the record of a fetched file.

    Parameters
    ----------
    path : path
        The fetched file.
    client : Client
        Which asked for it.
    url : str
        Address of the service; credentials in it are left out.
    query : mapping
        What was asked, in JSON form.
    rows : int, optional
        Rows of a table.
    version : str
        What the service says of its version; else its Server header.
    answers : sequence of mapping, optional
        For a file made of several answers: what each was about and what came. The latest `when` and every `version`
        among them are the file's.
    of : path, optional
        Where the content of the file is until it gets its name: the record comes first, so that a file that is there
        has one.
    """
    path = Path(path)
    content = of or path
    versions = sorted({str(answer["version"]) for answer in answers if answer.get("version")})
    artefacts.write(
        sidecar(path),
        {
            "schema": "provenance/1",
            "file": path.name,
            "service": client.service,
            "url": public(url),
            "query": dict(query),
            "when": max((str(answer["when"]) for answer in answers), default="") or when(client),
            "rows": rows,
            "bytes": content.stat().st_size,
            "sha256": sha256(content),
            "service_version": version or ", ".join(versions) or server(client),
            "snakedriz": __version__,
            "answers": [dict(answer) for answer in answers],
        },
    )


def copy(source: str | Path, target: str | Path) -> None:
    """Copy the record of a file to the record of its copy, under whose name it goes."""
    artefacts.write(sidecar(target), {**read_json(sidecar(source)), "file": Path(target).name})


def _parts(folder: Path, names: Sequence[str]) -> str:
    """Return the sha256 of what sha256sum says of those files of a folder that were used."""
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in sorted(names))
    return hashlib.sha256(lines.encode()).hexdigest()


def describe(path: str | Path, meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a result may say of a file it was made with.

    Nothing here depends on when, from which address or by whom the file was fetched, or where it lies.

    Parameters
    ----------
    path : path
        The file.
    meta : mapping, optional
        Of the table in it, where it is one: a fetched table says itself which service was asked what, so that it may
        travel without the record beside it.

    Returns
    -------
    dict
        `file` (name), `sha256`, and where known `service`, `version` and `query` (text), else None.
    """
    path, meta = Path(path), meta or {}
    digest = _parts(path, meta.get("parts", ())) if path.is_dir() else sha256(path)
    found: dict[str, Any] = {"file": path.name, "sha256": digest, "service": None, "version": None, "query": None}
    record = read_json(sidecar(path)) if sidecar(path).is_file() else {}
    if record.get("sha256") == digest:  # else the record is of another file that lay here
        found |= {"service": record["service"], "version": record["service_version"] or None}
    query = record["query"] if found["service"] else meta.get("query")
    found["service"] = found["service"] or meta.get("service")
    if query is not None:
        found["query"] = json.dumps(dict(query), sort_keys=True)
    return found
