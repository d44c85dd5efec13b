"""Whole outputs only: everything is written to a temporary sibling and renamed, so a name that exists is finished."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.table import Table


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to; rename it to `path` on success, remove it on any error.

    Parameters
    ----------
    path : str or Path
        The final name. Its parent directory is made if need be. The temporary name keeps the suffix, because
        several libraries choose the format by it.

    Yields
    ------
    Path
        The temporary name, in the same directory (so that the rename is atomic).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def number(value: Any) -> float | None:
    """Return a value as JSON can carry it: a float, or None for what is missing or not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def write_json(path: str | Path, obj: Any) -> None:
    """Write `obj` as JSON, whole.

    Raises
    ------
    ValueError
        If `obj` holds NaN or an infinity, which JSON cannot carry: convert them to None first.
    """
    text = json.dumps(obj, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read one JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_table(path: str | Path, table: Table) -> None:
    """Write an astropy table as ECSV, whole."""
    with whole(path) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)


def sha256(path: str | Path) -> str:
    """Return the hexadecimal sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
