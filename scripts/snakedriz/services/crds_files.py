"""Reference files that headers name, or the best by a context, from CRDS: its JSON-RPC protocol, our transport.

The questions and downloads of the `crds` package are not used: they cannot be given our session with its retries and
without credentials, and a download has no time-out and leaves a file with a wrong checksum in place.
"""

from __future__ import annotations

import functools
import html
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.reference_files import names_file
from snakedriz.files import whole
from snakedriz.fits_headers.fast_header import primary_cards
from snakedriz.services import cache as answers
from snakedriz.services import failures, provenance
from snakedriz.services.addresses import address, client
from snakedriz.services.download import download
from snakedriz.services.failures import ServiceError, public
from snakedriz.services.transport import Client
from snakedriz.settings.configuration import Services

#: Keywords whose files are fetched.
KEYWORDS = ("IDCTAB", "D2IMFILE", "NPOLFILE", "MDRIZTAB", "OFFTAB", "DGEOFILE")


@dataclass(frozen=True)
class NamedFile:
    """A reference file that a header names: keyword, variable (jref), name, and the exposure."""

    keyword: str
    variable: str
    name: str
    owner: str


def wanted(paths: Sequence[str]) -> list[NamedFile]:
    """Return the reference files that exposures name as ``<variable>$<name>``, each once, sorted by name."""
    found: dict[str, NamedFile] = {}
    for path in sorted(paths):
        cards = primary_cards(path, KEYWORDS)
        for keyword in KEYWORDS:
            value = str(cards.get(keyword) or "").strip()
            variable, dollar, name = value.partition("$")
            if names_file(value) and dollar:
                found.setdefault(name, NamedFile(keyword, variable.lower(), name, path))
    return [found[name] for name in sorted(found)]


def call(asker: Client, base: str, method: str, *parameters: Any) -> Any:
    """Call a method of the CRDS server.

    Raises
    ------
    ServiceError
        Of the type of the failure; ServiceSaidError with the server's own words.
    """
    from crds.client.proxy import crds_decode  # here: the package takes half a second to import

    url, identifier = f"{base}/json/", "snakedriz"
    question = {"jsonrpc": "1.0", "method": method, "params": parameters, "id": identifier}
    kinds = ("application/json", "text/json", "text/plain", "application/json-rpc")
    answer = asker.request("POST", f"{url}{method}/{identifier}/", json=question, kinds=kinds)
    asked = f"{url}{method} {parameters}"
    try:
        said = answer.json()
        error = said["error"]
        if not error:
            return crds_decode(said["result"])
        message = html.unescape(error["message"])
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        found = f"no JSON-RPC answer ({type(problem).__name__}: {problem})"
        raise failures.BadAnswer(asker.service, asked, found) from problem
    raise failures.ServiceSaidError(asker.service, asked, f"it answered {message!r}")


def best(
    asker: Client, base: str, context: str, header: Mapping[str, Any], keywords: Sequence[str] = KEYWORDS
) -> dict[str, str]:
    """Return the best reference files for a header in a context: file name by keyword, without those CRDS has none for.

    Parameters
    ----------
    context : str
        ``hst_1234.pmap``, or ``latest`` for the server's current one.
    header : mapping
        Primary header of an exposure.
    """
    if context == "latest":
        context = str(call(asker, base, "get_default_context", "hst", None))
    kinds = [keyword.lower() for keyword in keywords]
    parameters = {str(key): str(value) for key, value in header.items()}
    found = call(asker, base, "get_best_references", context, parameters, kinds)
    return {
        keyword: str(found[keyword.lower()]).lower()
        for keyword in keywords
        if keyword.lower() in found and not str(found[keyword.lower()]).upper().startswith("NOT FOUND")
        and names_file(found[keyword.lower()])
    }  # fmt: skip


def fetch(
    files: Sequence[NamedFile],
    folders: Mapping[str, str],
    cache: str | Path,
    config: Services,
    environ: Mapping[str, str],
    asker: Client | None = None,
) -> dict[str, str]:
    """Fetch the files that are not there: into the folder of their variable, else into the private cache.

    All files of a variable must lie in one folder: that is what the variable means, for stwcs as for us.

    Parameters
    ----------
    files : sequence of NamedFile
        What headers name.
    folders : mapping
        Where reference files are, by variable: what is there is not fetched and never changed.
    cache : path
        Folder with a folder for each variable that `folders` does not name.
    config : Services
        `services` of the configuration.
    environ : mapping
        Usually `os.environ`.
    asker : Client, optional
        In place of the one that the configuration gives.

    Returns
    -------
    dict
        Path by file name. Context and server are in each file's provenance record.

    Raises
    ------
    ServiceError
        Of the type of the failure, naming keyword, file and how else to get it.
    """
    base = address("crds", config, environ)
    found: dict[str, str] = {}
    server: dict[str, Any] = {}
    for file in files:
        own = (Path(folders[file.variable]) if folders.get(file.variable) else Path(cache) / file.variable) / file.name
        found[file.name] = str(own)
        if own.is_file():
            continue
        asker = asker or client("crds", config)
        try:
            if config.cache:
                question = {"base": public(base), "file": file.name}
                ask = functools.partial(_for_all, asker=asker, base=base, server=server, file=file, path=own)
                with answers.answer(config.cache, "crds", question, ask) as place:
                    if not own.is_file():
                        _copy(place / file.name, own)
            else:
                _one(asker, base, server, file, own)
        except ServiceError as error:
            raise type(error)(
                error.service,
                error.query,
                error.found,
                f"{file.owner} names {file.name} as {file.keyword}: get it from https://hst-crds.stsci.edu and put it "
                f"into {own.parent}, or try again later",
            ) from error
    return found


def _copy(source: Path, target: Path) -> None:
    with whole(target) as temporary:
        shutil.copyfile(source, temporary)
        provenance.copy(source, target)


def _for_all(folder: Path, asker: Client, base: str, server: dict[str, Any], file: NamedFile, path: Path) -> None:
    """Fetch a file to where this workflow wants it, where a part of it is resumed, and put a copy into the cache."""
    _one(asker, base, server, file, path)
    _copy(path, folder / file.name)


def _one(asker: Client, base: str, server: dict[str, Any], file: NamedFile, path: Path) -> None:
    """Fetch a file; what the server says of itself is asked once and put into `server`."""
    if not server:
        said = dict(call(asker, base, "get_server_info"))
        server.update(said, default_context=str(call(asker, base, "get_default_context", "hst", None)))
    context = server["default_context"]
    info = call(asker, base, "get_file_info", context, file.name)
    try:
        place = server["reference_url"]
        place = place.get("unchecked", place)["hst"] if isinstance(place, Mapping) else place
        size, sha1 = int(info["size"]), str(info.get("sha1sum") or "none")
        url = f"{place.rstrip('/')}/{file.name}"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise failures.BadAnswer(
            asker.service, f"{base} {file.name}", f"neither an address nor a size ({error!r})"
        ) from error
    download(asker, url, path, size, None if sha1 == "none" else ("sha1", sha1))
    version = server.get("crds_version") or {}
    provenance.write(
        path,
        asker,
        base,
        {"file": file.name, "keyword": file.keyword, "context": context, "size": size, "sha1": sha1},
        version=str(version.get("str", "") if isinstance(version, Mapping) else version),
    )


def current(
    paths: Sequence[str],
    context: str,
    config: Services,
    environ: Mapping[str, str],
    asker: Client | None = None,
) -> list[NamedFile]:
    """Return the best files in a context instead of those that headers name, with the variable the headers use.

    Raises
    ------
    SnakedrizError
        If a header names no reference file at all, so that the variable of its instrument is not known.
    """
    base = address("crds", config, environ)
    asker = asker or client("crds", config)
    found: dict[str, NamedFile] = {}
    for path in sorted(paths):
        named = wanted([path])
        if not named:
            raise SnakedrizError(f"{path}: names no reference file", "put calibrated exposures into the input folder")
        for keyword, name in best(asker, base, context, primary_cards(path)).items():
            found.setdefault(name, NamedFile(keyword, named[0].variable, name, path))
    return [found[name] for name in sorted(found)]
