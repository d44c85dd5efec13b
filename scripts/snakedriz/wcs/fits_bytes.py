"""A FITS file as the bytes of its extensions: what is not changed is copied as it is, pixels above all."""

from __future__ import annotations

import hashlib
import io
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import extension_name
from snakedriz.files import whole

#: Cards that say how the data of an extension are stored; they belong to the bytes and not to the WCS.
STORAGE = ("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "GROUPS", "BSCALE", "BZERO", "BLANK")


@dataclass(frozen=True)
class Piece:
    """One extension."""

    name: tuple[str, int]  # EXTNAME and EXTVER; ``("PRIMARY", 1)`` for the first
    header: bytes  # with END, padded to blocks of 2880
    start: int = 0  # place of the data in the file it is copied from
    size: int = 0  # of the data, padded, bytes
    data: bytes | None = None  # padded, where they are not copied from a file

    def content(self, path: str | Path) -> bytes:
        """Return header and data in one."""
        if self.data is not None:
            return self.header + self.data
        with Path(path).open("rb") as stream:
            stream.seek(self.start)
            return self.header + stream.read(self.size)


def pieces(path: str | Path) -> tuple[list[Piece], str]:
    """Read where the extensions of a FITS file are.

    Returns
    -------
    (list of Piece, str)
        The extensions, and what is wrong with the end of the file (``''`` if nothing).

    Raises
    ------
    SnakedrizError
        If it is not a FITS file.
    """
    path = Path(path)
    if path.suffix.lower() in (".gz", ".fz", ".bz2", ".zip"):
        raise SnakedrizError(
            f"{path}: is compressed, its solutions cannot be changed in place", "uncompress the file first"
        )
    found = []
    try:
        size = path.stat().st_size
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)  # truncation: found below, with the extension's name
            with fits.open(path, mode="readonly", memmap=True, lazy_load_hdus=False) as hdul, path.open("rb") as stream:
                for index, hdu in enumerate(hdul):
                    info = hdu.fileinfo()
                    stream.seek(info["hdrLoc"])
                    header = stream.read(info["datLoc"] - info["hdrLoc"])
                    name = extension_name(hdu) if index else ("PRIMARY", 1)
                    found.append(Piece(name, header, info["datLoc"], info["datSpan"]))
    except OSError as error:
        raise SnakedrizError(f"{path}: not a readable FITS file ({error})", "fetch the file again") from error
    end = found[-1].start + found[-1].size
    last = ",".join(map(str, found[-1].name))
    if end > size:
        return found, f"truncated in {last}: {size} bytes where {end} are announced"
    if end < size:
        return found, f"{size - end} bytes after {last} are no FITS extension (truncated, or not closed properly)"
    return found, ""


def piece_of(hdu: fits.hdu.base.ExtensionHDU) -> Piece:
    """Return an extension that is not in a file yet as a piece."""
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream, output_verify="silentfix")
    return piece_from(stream.getvalue()[fits.PrimaryHDU().filebytes() :])


def piece_from(raw: bytes) -> Piece:
    """Return the bytes of an extension, header and data, as a piece."""
    stream = io.BytesIO()
    fits.PrimaryHDU().writeto(stream)
    stream.write(raw)
    stream.seek(0)
    with fits.open(stream, lazy_load_hdus=False) as hdul:
        place = hdul[1].fileinfo()
        split = place["datLoc"] - place["hdrLoc"]
        return Piece(extension_name(hdul[1]), raw[:split], 0, len(raw) - split, raw[split:])


def header_bytes(header: fits.Header, original: bytes) -> bytes:
    """Return a header as bytes, with the storage cards of `original` in the place of its own."""
    old = fits.Header.fromstring(original)
    axes = tuple(f"NAXIS{n}" for n in range(1, 10))
    new = header.copy()
    for keyword in (*STORAGE, *axes, "CHECKSUM"):  # the checksum of a changed header would be wrong
        new.remove(keyword, ignore_missing=True, remove_all=True)
    kept = [card for card in old.cards if card.keyword in STORAGE or card.keyword in axes]
    if "DATASUM" in old and "DATASUM" not in new:
        new["DATASUM"] = (old["DATASUM"], old.comments["DATASUM"])
    joined = fits.Header([*kept, *new.cards])
    return joined.tostring().encode("ascii")


def write(path: str | Path, parts: Iterable[Piece], source: str | Path) -> None:
    """Write pieces, data copied from `source`; not renamed into place here, so that the caller can check it first."""
    with Path(path).open("wb") as out, Path(source).open("rb") as given:
        for part in parts:
            out.write(part.header)
            if part.data is not None:
                out.write(part.data)
                continue
            given.seek(part.start)
            left = part.size
            while left:
                block = given.read(min(left, 1 << 24))
                if not block:
                    raise SnakedrizError(
                        f"{source}: ended while it was copied", "run again when no other program writes to it"
                    )
                out.write(block)
                left -= len(block)


def writable(path: str | Path) -> Path:
    """Return the real file behind a name (links followed).

    Raises
    ------
    SnakedrizError
        If it must not be written to: a rename into place would not ask.
    """
    real = Path(path).resolve()
    if not real.stat().st_mode & 0o200:
        raise SnakedrizError(f"{path}: is read-only", "make it writable (chmod u+w) or work on a copy")
    return real


def rewrite(path: Path, parts: Sequence[Piece], check: Callable[[Path], object] | None = None) -> None:
    """Replace a file by these pieces of it, whole: written beside it, checked, then renamed.

    Parameters
    ----------
    path : Path
        The file; its permissions are kept.
    parts : sequence of Piece
        What it is to hold.
    check : callable, optional
        Called with the temporary file; whatever it raises leaves `path` untouched.
    """
    with whole(path) as temporary:
        write(temporary, parts, path)
        shutil.copymode(path, temporary)
        if check is not None:
            check(temporary)


def state(parts: Sequence[Piece], path: str | Path, pixels: Iterable[str]) -> str:
    """Return the sha256 of all headers and of the data of extensions that hold no pixels of the detector."""
    digest = hashlib.sha256()
    skip = set(pixels)
    for part in parts:
        digest.update(part.header if part.name[0] in skip or part.name[0] == "PRIMARY" else part.content(path))
    return digest.hexdigest()
