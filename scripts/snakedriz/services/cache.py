"""Answers that several workflows share: a folder with one folder for each question, safe when they ask at once.

Only complete answers come in: a folder is filled under another name and renamed when all went well, and every file is
checked by its sha256 when it is taken out. While one process asks, others with the same question wait for its answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snakedriz.errors import SnakedrizError
from snakedriz.files import read_json, sha256, write_json

log = logging.getLogger(__name__)

_CONTENTS = "contents.json"


@contextlib.contextmanager
def answer(
    cache: str | Path | None, service: str, question: Mapping[str, Any], ask: Callable[[Path], None]
) -> Iterator[Path]:
    """Give a folder with the answer to a question: from the cache, else `ask` fills it.

    Parameters
    ----------
    cache : path or None
        Folder that workflows share; None for a temporary one, so that everything is asked.
    service : str
        Its key in `addresses.SERVICES`.
    question : mapping
        In JSON form, all that the answer depends on, the address of the service among it.
    ask : callable
        Fills an empty folder. What it raises goes through, and nothing is kept.

    Yields
    ------
    Path
        The folder, for reading.
    """
    if cache is None:
        with tempfile.TemporaryDirectory() as scratch:
            ask(Path(scratch))
            yield Path(scratch)
        return
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    folder = Path(cache) / service / key[:2] / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f".{key}.lock")):
        if folder.is_dir() and not _whole(folder):
            log.warning("%s: changed since it was kept; it is removed and asked for again", folder)
            shutil.rmtree(folder)
        if folder.is_dir():
            log.info("from the cache: %s", folder)
        else:
            _fill(folder, question, ask)
        yield folder


def _fill(folder: Path, question: Mapping[str, Any], ask: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name[:8]}.") as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        ask(made)
        files = {path.name: sha256(path) for path in sorted(made.iterdir())}
        write_json(made / _CONTENTS, {"question": dict(question), "sha256": files})
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another machine was quicker, whose answer is as good
                raise


def _whole(folder: Path) -> bool:
    """Whether every file is there with the content it was kept with."""
    try:
        files = read_json(folder / _CONTENTS)["sha256"]
    except (OSError, ValueError, KeyError):
        return False
    return all((folder / name).is_file() and sha256(folder / name) == digest for name, digest in files.items())


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock; where the file system has none, two may ask the same, and the first answer stays."""
    try:
        stream = path.open("a")
    except OSError as error:
        reason = f"services.cache: {path.parent} cannot be written to ({error.strerror})"
        raise SnakedrizError(reason, "choose another folder") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            log.warning("%s: cannot be locked (%s); going on without a lock", path, os.strerror(error.errno or 0))
        yield
