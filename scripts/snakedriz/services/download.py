"""Files from a service: resumed where they broke off, verified, whole or not there."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from snakedriz.services import failures
from snakedriz.services.failures import ServiceError
from snakedriz.services.transport import FITS, Client

log = logging.getLogger(__name__)


def partial(path: str | Path) -> Path:
    """Return where the part of a file is kept that has come so far."""
    path = Path(path)
    return path.with_name(f".{path.name}.part")


def download(
    client: Client,
    url: str,
    path: str | Path,
    size: int | None = None,
    checksum: tuple[str, str] | None = None,
) -> None:
    """Fetch a FITS file, unless it is there already.

    What came before a failure is kept beside it under a hidden name and resumed, within the budget and the next time,
    as long as the service accepts a range of the same file.

    Parameters
    ----------
    client : Client
        Of the service.
    url : str
        What to fetch.
    path : path
        Where to put it.
    size : int, optional
        Bytes, as the service's listing says.
    checksum : (str, str), optional
        Name of an algorithm of hashlib and the hexadecimal value, as the service says.

    Raises
    ------
    ServiceError
        Of the type of the failure; a file of another size or checksum is removed.
    """
    path = Path(path)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = partial(path)
    # the client tries the questions again: here only a body that broke off is resumed
    broke_off = (failures.Truncated, failures.TimedOut)
    client.retries.call(lambda: _append(client, url, part, size), path.name, lambda error: isinstance(error, broke_off))
    try:
        _verify(client, url, part, size, checksum)
    except ServiceError:
        part.unlink()
        raise
    part.replace(path)


def _append(client: Client, url: str, part: Path, size: int | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have == size:
        return
    if size is not None and have > size:
        part.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    answer = client.ask(url, FITS, accept=(416,), headers=headers, unread=True)
    if answer.status_code == 416:  # the part is as long as the file, or belongs to another version of it
        answer.close()
        part.unlink()
        have, answer = 0, client.ask(url, FITS, headers={"Accept-Encoding": "identity"}, unread=True)
    resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    if answer.status_code == 206 and not resumed:
        answer.close()
        part.unlink(missing_ok=True)
        raise failures.Truncated(client.service, url, "another range than asked for")
    came = have if resumed else 0
    length = answer.headers.get("Content-Length")
    total = size or (came + int(length) if length and length.isdigit() else None)
    tenth = 0
    with part.open("ab" if resumed else "wb") as stream:
        for piece in client.pieces(answer):
            if came == 0:
                _check_beginning(client, url, piece)
            stream.write(piece)
            came += len(piece)
            if total and 10 * came // total > tenth:
                tenth = 10 * came // total
                log.info("%s: %d %% of %.1f MB", part.name[1:-5], 10 * tenth, total / 1e6)
    if came == 0:
        raise failures.EmptyAnswer(client.service, url, "a good status and no content")
    if total is not None and came < total:
        raise failures.Truncated(client.service, url, f"{came} of {total} bytes came")


def _check_beginning(client: Client, url: str, piece: bytes) -> None:
    """Refuse what is no FITS file before any of it is kept: a part that begins wrongly would be resumed for ever."""
    if not piece.startswith(b"SIMPLE  ="):
        kind = failures.HtmlPage if piece.lstrip()[:1] == b"<" else failures.BadAnswer
        raise kind(client.service, url, f"no FITS file; it begins with {piece[:40]!r}")


def _verify(client: Client, url: str, part: Path, size: int | None, checksum: tuple[str, str] | None) -> None:
    have = part.stat().st_size
    if size is not None and have != size:
        raise failures.BadAnswer(client.service, url, f"{have} bytes; the service's listing says {size}")
    if have % 2880:
        raise failures.Truncated(client.service, url, f"{have} bytes, which is no whole number of FITS blocks")
    if checksum:
        digest = hashlib.new(checksum[0], usedforsecurity=False)
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != checksum[1].lower():
            raise failures.BadAnswer(
                client.service, url, f"its {checksum[0]} is {digest.hexdigest()}; the service says {checksum[1]}"
            )
