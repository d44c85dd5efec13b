"""Beside each fetched file: what was asked, of whom, when, what came."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__, artefacts
from ..files import read_json, sha256
from .failures import public
from .transport import Client


def sidecar(path: str | Path) -> Path:
    """Return the name of a file's provenance record."""
    path = Path(path)
    return path.with_name(path.name + ".provenance.json")


def when(client: Client) -> str:
    """Return when the last answer was given (UTC, ISO 8601): the server's Date header, else the client's clock."""
    said = client.last.headers.get("Date") if client.last is not None else None
    try:
        seconds = email.utils.parsedate_to_datetime(said).timestamp() if said else client.stamp()
    except ValueError:
        seconds = client.stamp()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def write(
    path: str | Path,
    client: Client,
    url: str,
    query: Mapping[str, Any],
    rows: int | None = None,
    version: str = "",
    answers: list[dict[str, Any]] | None = None,
) -> None:
    """Write the record of a fetched file, which must be there already. Nothing that makes a product reads it.

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
    answers : list of dict, optional
        For a file made of several answers: what each was about and what came.
    """
    path = Path(path)
    server = client.last.headers.get("Server", "") if client.last is not None else ""
    artefacts.write(
        sidecar(path),
        {
            "schema": "provenance/1",
            "file": path.name,
            "service": client.service,
            "url": public(url),
            "query": dict(query),
            "when": when(client),
            "rows": rows,
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
            "service_version": version or server,
            "snakedriz": __version__,
            "answers": answers or [],
        },
    )


def describe(path: str | Path) -> dict[str, Any]:
    """Return what a result may say of a file it was made with: its sha256 and, where it was fetched, the query.

    Nothing here depends on when or from which address the file was fetched.
    """
    path = Path(path)
    found: dict[str, Any] = {"file": path.name, "sha256": sha256(path), "query": None}
    if sidecar(path).is_file():
        found["query"] = read_json(sidecar(path))["query"]
    return found
