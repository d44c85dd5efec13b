"""The record beside each fetched file: what was asked, of whom, when, what came (`artefacts.provenance`)."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snakedriz import __version__
from snakedriz.artefacts import provenance as artefact
from snakedriz.artefacts.provenance import Provenance, ServiceAnswer, sidecar
from snakedriz.files import sha256
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
    answers: Sequence[ServiceAnswer] = (),
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
    answers : sequence of ServiceAnswer
        For a file made of several answers: what each was about and what came. The latest `when` and every `version`
        among them are the file's.
    of : path, optional
        Where the content of the file is until it gets its name: the record comes first, so that a file that is there
        has one.
    """
    path = Path(path)
    content = of or path
    versions = sorted({answer.version for answer in answers if answer.version})
    Provenance(
        file=path.name,
        service=client.service,
        url=public(url),
        query=dict(query),
        when=max((answer.when for answer in answers), default="") or when(client),
        rows=rows,
        bytes=content.stat().st_size,
        sha256=sha256(content),
        service_version=version or ", ".join(versions) or server(client),
        snakedriz=__version__,
        answers=answers,
    ).write(sidecar(path))


def copy(source: str | Path, target: str | Path) -> None:
    """Copy the record of a file to the record of its copy, under whose name it goes."""
    record = Provenance.read(sidecar(source))
    record.model_copy(update={"file": Path(target).name}).write(sidecar(target))


def describe(path: str | Path, meta: Mapping[str, Any] | None = None) -> dict[str, Any]:  # TRANSITION
    """As `artefacts.provenance.describe`, in JSON form."""
    return artefact.describe(path, meta).to_json()
