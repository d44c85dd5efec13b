"""What a switch of the WCS changed in a file, kept in the file itself, so that undo gives back what was there.

Each switch appends one extension `EXTNAME`, an array of bytes: zlib-compressed JSON with the headers before and after
the switch, the extensions it removed, the order of all of them, and the positions of the grid before. Undo takes the
last one. If nothing else has touched the headers since, the file is what it was, byte for byte; keywords that others
changed in the meantime (AstroDrizzle's MDRIZSKY) stay, and a WCS that others changed is not overwritten.

stwcs does not do here. Measured on the five archive headers of the tests: its `restore_from_headerlet`, there and back,
leaves 6 to 60 cards of the SCI headers changed and all in another order; and astropy writes no header with NaN in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import JOURNAL, PIXEL_EXTENSIONS, extension_name
from snakedriz.wcs import fits_bytes, sky_positions, solutions
from snakedriz.wcs.fits_bytes import Piece

EXTNAME = JOURNAL
_VERSION = 1

Identity = tuple[str, int, int]


def identities(parts: Sequence[Piece]) -> list[Identity]:
    """Return (EXTNAME, EXTVER, which of those) of every piece: unique also where EXTVER comes twice."""
    seen: Counter[tuple[str, int]] = Counter()
    found = []
    for part in parts:
        found.append((*part.name, seen[part.name]))
        seen[part.name] += 1
    return found


def record(
    path: Path, before: Sequence[Piece], after: Sequence[tuple[int | None, Piece]], points: sky_positions.Points,
    about: dict[str, str],
) -> Piece:  # fmt: skip
    """Make the extension that remembers a switch.

    Parameters
    ----------
    path : Path
        The file before the switch.
    before : sequence of Piece
        Its extensions.
    after : sequence of (int or None, Piece)
        The extensions after it, each with its index in `before` (None: new).
    points : dict
        Positions of the grid before, by chip.
    about : dict
        `from`, `to`: names of the solutions; `archived`: HDRNAME of the headerlet that keeps the replaced one.
    """
    kept = {index for index, _ in after if index is not None}
    ids = identities([piece for _, piece in after])
    where = {index: identity for (index, _), identity in zip(after, ids, strict=True) if index is not None}
    order: list[Any] = [
        list(where[index]) if index in kept else base64.b64encode(piece.content(path)).decode()
        for index, piece in enumerate(before)
    ]
    changed = [
        [list(where[index]), before[index].header.decode("latin-1"), piece.header.decode("latin-1")]
        for index, piece in after
        if index is not None and piece.header != before[index].header
    ]
    added = [
        [list(identity), hashlib.sha256(piece.content(path)).hexdigest()]
        for (index, piece), identity in zip(after, ids, strict=True)
        if index is None
    ]
    content = {
        "version": _VERSION, **about, "order": order, "changed": changed, "added": added,
        "state": fits_bytes.state(before, path, PIXEL_EXTENSIONS),
        "points": {str(chip): sky.tolist() for chip, sky in points.items()},
    }  # fmt: skip
    raw = zlib.compress(json.dumps(content).encode(), 9)
    hdu = fits.ImageHDU(np.frombuffer(raw, np.uint8), name=EXTNAME)
    hdu.header["EXTVER"] = max((p.name[1] for p in before if p.name[0] == EXTNAME), default=0) + 1
    hdu.header["FROMWCS"] = (about["from"], "WCSNAME before")
    hdu.header["TOWCS"] = (about["to"], "WCSNAME after")
    hdu.header["COMMENT"] = "What 'snakedriz wcs' changed; 'snakedriz wcs undo' restores it."
    return fits_bytes.piece_of(hdu)


@dataclass(frozen=True)
class Undone:
    """What an undo did, or would do."""

    before: str  # WCSNAME
    after: str
    exact: str  # ``file``: the headers are what they were, byte for byte; ``wcs``: keywords changed since then stay


def undo(path: str | Path, dry_run: bool = False) -> Undone:
    """Take back the last switch of a file.

    Parameters
    ----------
    path : str or Path
        An exposure that `snakedriz wcs` switched.
    dry_run : bool
        Say what would happen and change nothing.

    Raises
    ------
    SnakedrizError
        If there is nothing to undo, the WCS was changed by something else since, or the restored WCS is not the one
        that was there.
    """
    real = fits_bytes.writable(path)
    parts, problem = fits_bytes.pieces(real)
    if problem:
        raise SnakedrizError(f"{path}: {problem}", "fetch the file again")
    logs = [index for index, part in enumerate(parts) if part.name[0] == EXTNAME]
    if not logs:
        reason = f"{path}: there is nothing to undo: it has no {EXTNAME} extension of an earlier switch"
        raise SnakedrizError(reason, "undo only files that 'snakedriz wcs' switched")
    last = max(logs, key=lambda index: parts[index].name[1])
    content = _read(real, parts[last].name[1])
    current = [part for index, part in enumerate(parts) if index != last]
    restored = _restored(path, real, current, content)
    exact = fits_bytes.state(restored, real, PIXEL_EXTENSIONS) == content["state"]

    def check(temporary: Path) -> None:
        points = sky_positions.of_exposure(solutions.open_exposure(temporary))
        apart = sky_positions.difference(points, {int(c): np.array(p) for c, p in content["points"].items()})
        if apart > sky_positions.LIMIT_MICROARCSEC:
            raise SnakedrizError(
                f"{path}: left untouched: the restored WCS is {apart:.3g} micro-arcsec from what was there",
                "switch by name instead, and report it with the file",
            )

    if not dry_run:
        fits_bytes.rewrite(real, restored, check)
    return Undone(content["to"], content["from"], "file" if exact else "wcs")


def _read(path: Path, version: int) -> dict[str, Any]:
    with fits.open(path, memmap=False) as hdul:
        raw = next(hdu.data for hdu in hdul if extension_name(hdu) == (EXTNAME, version)).tobytes()
    try:
        content = json.loads(zlib.decompress(raw))
    except (zlib.error, ValueError) as error:
        raise SnakedrizError(f"{path}: {EXTNAME},{version} is damaged ({error})", "switch by name instead") from error
    if content["version"] != _VERSION:
        reason = f"{path}: {EXTNAME},{version} was written by another version of snakedriz"
        raise SnakedrizError(reason, "undo with that version, or switch by name instead")
    return content


def _restored(path: str | Path, real: Path, current: list[Piece], content: dict[str, Any]) -> list[Piece]:
    ids = identities(current)
    now: dict[Any, Piece] = dict(zip(ids, current, strict=True))
    for key, digest in ((tuple(identity), digest) for identity, digest in content["added"]):
        if key in now and hashlib.sha256(now[key].content(real)).hexdigest() == digest:
            del now[key]
        elif key[0] in ("WCSDVARR", "D2IMARR"):
            raise SnakedrizError(
                f"{path}: {key[0]},{key[1]} is not what the last switch wrote: another program changed "
                "the WCS since, and undo would lose that",
                f"use 'snakedriz wcs switch --to {content['from']}' instead",
            )
    for key, before, after in ((tuple(identity), *texts) for identity, *texts in content["changed"]):
        if key not in now:
            raise SnakedrizError(
                f"{path}: {key[0]},{key[1]}, whose WCS is to be restored, is no longer there",
                "fetch the file again",
            )
        now[key] = replace(now[key], header=_header(path, now[key], before, after))
    restored = []
    for entry in content["order"]:
        if isinstance(entry, str):
            restored.append(fits_bytes.piece_from(base64.b64decode(entry)))
        elif tuple(entry) in now:
            restored.append(now.pop(tuple(entry)))
    return [*restored, *now.values()]


def _cards(header: fits.Header) -> dict[str, list[str]]:
    """Return the card images of each keyword (record-valued ones under their common keyword)."""
    found: dict[str, list[str]] = {}
    for card in header.cards:
        found.setdefault(card.rawkeyword, []).append(str(card))
    return found


def _header(path: str | Path, part: Piece, before: str, after: str) -> bytes:
    """Return the header of `part` with what the switch changed taken back."""
    if part.header.decode("latin-1") == after:
        return before.encode("latin-1")
    old, new = fits.Header.fromstring(before), fits.Header.fromstring(after)
    header = fits.Header.fromstring(part.header.decode("latin-1"))
    was, became, now = _cards(old), _cards(new), _cards(header)
    changed = [
        k for k in {**was, **became} if was.get(k) != became.get(k) and k not in ("NEXTEND", "CHECKSUM", "HISTORY")
    ]
    if different := sorted(k for k in changed if now.get(k) != became.get(k)):
        raise SnakedrizError(
            f"{path}: {', '.join(different)} of {part.name[0]},{part.name[1]} changed since the last switch: another "
            "program has changed the WCS, and undo would lose that",
            "use 'snakedriz wcs switch --to' instead",
        )
    kept = [card for card in header.cards if card.rawkeyword not in changed]
    kept += [card for card in old.cards if card.rawkeyword in changed]
    return fits_bytes.header_bytes(fits.Header(kept), part.header)
