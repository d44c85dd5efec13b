"""The astrometry database of MAST: all solutions of an exposure, kept as headerlets with a small index."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from astropy.io import fits
from astropy.table import Table

from snakedriz.artefacts.provenance import FetchedHeaderlet, ServiceAnswer
from snakedriz.errors import SnakedrizError
from snakedriz.files import read_json, sha256, whole, write_json
from snakedriz.fits_headers.fast_header import units
from snakedriz.services import cache, failures, provenance, replies, transport
from snakedriz.services.addresses import address, client
from snakedriz.services.failures import ServiceError, public
from snakedriz.services.transport import Client
from snakedriz.settings.configuration import Services

log = logging.getLogger(__name__)

#: Beside the headerlets of one exposure in the cache: what they are.
ANSWER = "answer.json"


@dataclass(frozen=True)
class ListedSolution:
    """A solution that the database lists for an exposure: identifier, WCSNAME, and whether it is flagged as best."""

    identifier: str
    wcsname: str
    best: bool


def solutions(asker: Client, base: str, rootname: str) -> list[ListedSolution] | None:
    """Return what the database has for an exposure, in its order; None for an exposure that it does not know.

    Raises
    ------
    ServiceError
        Of the type of the failure. Status 404 means "unknown" only if the body says so: a wrong address gives 404 too.
    """
    url = f"{base}/observation/read/{quote(rootname)}"
    answer = asker.ask(url, transport.XML, accept=(404,), headers={"Content-Type": "text/xml"})
    try:
        root = replies.tree(answer.content, asker.service, url)
    except ServiceError as error:
        if answer.status_code != 404:
            raise
        other = f"status 404, and not the words for an unknown exposure; it begins with {answer.content[:60]!r}"
        raise failures.Refused(asker.service, url, other) from error
    message, status = replies.text(root, "msg") or "", replies.text(root, "status") or ""
    if answer.status_code == 404 or status.upper() == "ERROR":
        if "not found" in message.lower():
            return None
        kind = failures.Refused if answer.status_code == 404 else failures.ServiceSaidError
        raise kind(asker.service, url, f"status {answer.status_code} and the message {message!r}")
    best = (replies.text(root, "bestSolutionID") or "").strip()
    found: dict[str, ListedSolution] = {}
    for element in root.iter("solution"):
        identifier, wcsname = replies.text(element, "solutionID") or "", replies.text(element, "wcsName") or ""
        if not wcsname:
            raise failures.BadAnswer(asker.service, url, f"solution {identifier or '?'} without a wcsName")
        flagged = bool(best) and identifier == best
        earlier = found.get(wcsname)
        if earlier is None or flagged:  # a name stands for one headerlet, however often it is listed
            found[wcsname] = ListedSolution(identifier, wcsname, flagged)
    return list(found.values())


def headerlet(asker: Client, base: str, rootname: str, wcsname: str) -> bytes:
    """Return the headerlet of a solution, checked: FITS, whole, of this exposure.

    Raises
    ------
    ServiceError
        Of the type of the failure.
    """
    url = f"{base}/observation/read/{quote(rootname)}?wcsname={quote(wcsname)}"
    body = asker.ask(url, transport.FITS, headers={"Content-Type": "application/fits"}).content
    if not body.startswith(b"SIMPLE  ="):
        raise failures.BadAnswer(asker.service, url, f"no FITS file; it begins with {body[:40]!r}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "headerlet.fits"
        path.write_bytes(body)
        try:
            units(path)
        except SnakedrizError as error:
            raise failures.Truncated(asker.service, url, str(error).replace(f"{path}: ", "")) from error
    with fits.open(io.BytesIO(body)) as hdul:
        destim = str(hdul[0].header.get("DESTIM", "")).strip().lower()
        name = str(hdul[0].header.get("WCSNAME", "")).strip()
    if destim.partition("_")[0] != rootname.lower() or name != wcsname:
        raise failures.BadAnswer(
            asker.service,
            url,
            f"a headerlet of {destim or 'no exposure'} with WCSNAME {name!r}; expected {rootname} and {wcsname!r}",
        )
    return body


def _ask(folder: Path, asker: Client, base: str, root: str) -> None:
    """Put all headerlets of an exposure into a folder, with answer.json, which says what they are."""
    found = solutions(asker, base, root)
    listed = {"when": provenance.when(asker), "version": provenance.server(asker)}
    rows = []
    for solution in sorted(found or (), key=lambda one: one.wcsname):
        name = f"{root}_{hashlib.sha256(solution.wcsname.encode()).hexdigest()[:8]}_hlet.fits"
        (folder / name).write_bytes(headerlet(asker, base, root, solution.wcsname))
        rows.append([root, solution.wcsname, solution.best, solution.identifier, name, sha256(folder / name)])
    write_json(folder / ANSWER, {"known": found is not None, "rows": rows, **listed})


def fetch(
    folder: str | Path,
    rootnames: Sequence[str],
    config: Services,
    environ: Mapping[str, str],
    asker: Client | None = None,
    index: str = "index.ecsv",
) -> Table:
    """Keep all solutions of some exposures: ``<root>_<hash of WCSNAME>_hlet.fits`` and an index.

    Parameters
    ----------
    folder : path
        Where to keep them. The index, written last, is what says that they are complete.
    rootnames : sequence of str
        Exposures. Each is asked for by itself: one that is unknown changes nothing for the others.
    config : Services
        `services` of the configuration.
    environ : mapping
        Usually `os.environ`.
    asker : Client, optional
        In place of the one that the configuration gives.
    index : str
        Name of the index.

    Returns
    -------
    `~astropy.table.Table`
        The index: rootname, wcsname, best, solution_id, file, sha256. `meta`: `rootnames` asked for, and `unknown`.

    Raises
    ------
    ServiceError
        Of the type of the failure; no file is written then.
    """
    folder = Path(folder)
    base = address("astrometry", config, environ)
    asker = asker or client("astrometry", config)
    wanted = sorted(set(rootnames))
    unknown, rows, answers = [], [], []
    with contextlib.ExitStack() as stack:
        found = {}
        for root in wanted:  # all answers before the first file
            question = {"base": public(base), "rootname": root}
            ask = functools.partial(_ask, asker=asker, base=base, root=root)
            found[root] = stack.enter_context(cache.answer(config.cache, "astrometry", question, ask))
        for root, place in found.items():
            said = read_json(place / ANSWER)
            if not said["known"]:
                unknown.append(root)
                log.warning("%s: does not know the exposure %s", asker.service, root)
            for row in said["rows"]:
                with whole(folder / row[4]) as temporary:
                    shutil.copyfile(place / row[4], temporary)
                rows.append(row)
            came = [FetchedHeaderlet(wcsname=row[1], bytes=(folder / row[4]).stat().st_size, sha256=row[5])
                    for row in said["rows"]]  # fmt: skip
            answers.append(ServiceAnswer(rootname=root, when=said["when"], version=said["version"], headerlets=came))
    table = Table(
        rows=rows or None,
        names=("rootname", "wcsname", "best", "solution_id", "file", "sha256"),
        dtype=(str, str, bool, str, str, str),
        meta={"service": asker.service, "rootnames": wanted, "unknown": unknown},
    )
    # the record first: a table that is there is complete, and its record too
    with whole(folder / index) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)
        provenance.write(
            folder / index, asker, base, {"rootnames": wanted}, rows=len(table), answers=answers, of=temporary
        )
    return table
