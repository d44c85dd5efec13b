"""The list of an association's final files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from snakedriz.files import sha256, whole


def write(path: str | Path, files: Iterable[str]) -> None:
    """Write a table of the final files: name, bytes, sha256 (tab-separated, sorted by name)."""
    rows = ["file\tbytes\tsha256"]
    paths = sorted({Path(name) for name in files}, key=lambda path: path.name)
    rows += [f"{path.name}\t{path.stat().st_size}\t{sha256(path)}" for path in paths]
    with whole(path) as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")
