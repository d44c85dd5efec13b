"""The astrometry database of MAST: all solutions of an exposure, kept as headerlets with a small index."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from astropy.io import fits
from astropy.table import Table

from ..errors import SnakedrizError
from ..fastheader import units
from ..files import sha256, whole, write_table
from . import failures, provenance, replies, transport
from .addresses import address, client
from .transport import Client


@dataclass(frozen=True)
class Solution:
    """One solution of an exposure: identifier, WCSNAME, and whether the database flags it as best."""

    identifier: str
    wcsname: str
    best: bool


def solutions(asker: Client, base: str, rootname: str) -> list[Solution] | None:
    """Return what the database has for an exposure, in its order; None for an exposure that it does not know.

    Raises
    ------
    ServiceError
        Of the type of the failure. Status 404 means "unknown" only if the body says so: a wrong address gives 404 too.
    """
    url = f"{base}/observation/read/{quote(rootname)}"
    answer = asker.ask(url, transport.XML, accept=(404,), headers={"Content-Type": "text/xml"})
    root = replies.tree(answer.content, asker.service, url)
    message, status = replies.text(root, "msg") or "", replies.text(root, "status") or ""
    if answer.status_code == 404 or status.upper() == "ERROR":
        if "not found" in message.lower():
            return None
        kind = failures.Refused if answer.status_code == 404 else failures.ServiceSaidError
        raise kind(asker.service, url, f"status {answer.status_code} and the message {message!r}")
    best = (replies.text(root, "bestSolutionID") or "").strip()
    found: dict[str, Solution] = {}
    for element in root.iter("solution"):
        identifier, wcsname = replies.text(element, "solutionID") or "", replies.text(element, "wcsName") or ""
        if not wcsname:
            raise failures.BadAnswer(asker.service, url, f"solution {identifier or '?'} without a wcsName")
        flagged = bool(best) and identifier == best
        earlier = found.get(wcsname)
        if earlier is None or flagged:  # a name stands for one headerlet, however often it is listed
            found[wcsname] = Solution(identifier, wcsname, flagged)
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


def fetch(
    folder: str | Path,
    rootnames: Sequence[str],
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    asker: Client | None = None,
) -> Table:
    """Keep all solutions of some exposures: ``<root>_<hash of WCSNAME>_hlet.fits`` and ``index.ecsv``.

    Parameters
    ----------
    folder : path
        Where to keep them. The index, written last, is what says that they are complete.
    rootnames : sequence of str
        Exposures. Each is asked for by itself: one that is unknown changes nothing for the others.
    config, environ : mapping
        `services` of the configuration, and usually `os.environ`.
    asker : Client, optional
        In place of the one that the configuration gives.

    Returns
    -------
    `~astropy.table.Table`
        The index: rootname, wcsname, best, solution_id, file, sha256. `meta`: `asked` and `unknown` (rootnames).

    Raises
    ------
    ServiceError
        Of the type of the failure; no file is written then.
    """
    folder = Path(folder)
    base = address("astrometry", config, environ)
    asker = asker or client("astrometry", config)
    unknown, rows, answers = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for root in sorted(set(rootnames)):
            found = solutions(asker, base, root)
            if found is None:
                unknown.append(root)
                print(f"{asker.service}: {root}: unknown")
                continue
            for solution in sorted(found, key=lambda one: one.wcsname):
                name = f"{root}_{hashlib.sha256(solution.wcsname.encode()).hexdigest()[:8]}_hlet.fits"
                path = Path(scratch) / name
                path.write_bytes(headerlet(asker, base, root, solution.wcsname))
                row = (root, solution.wcsname, solution.best, solution.identifier, name, sha256(path))
                rows.append(row)
                answers.append({"rootname": root, "wcsname": solution.wcsname, "bytes": path.stat().st_size,
                                "sha256": row[-1]})  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            with whole(folder / row[4]) as temporary:  # the scratch directory may be another file system
                temporary.write_bytes((Path(scratch) / row[4]).read_bytes())
    index = Table(
        rows=rows or None,
        names=("rootname", "wcsname", "best", "solution_id", "file", "sha256"),
        dtype=(str, str, bool, str, str, str),
        meta={"asked": sorted(set(rootnames)), "unknown": unknown},
    )
    write_table(folder / "index.ecsv", index)
    query = {"rootnames": sorted(set(rootnames))}
    provenance.write(folder / "index.ecsv", asker, base, query, rows=len(index), answers=answers)
    return index
