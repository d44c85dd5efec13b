"""JSON artefacts of the workflow: each has a versioned schema in config/schemas/, checked when it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import settings
from .files import write_json


def write(path: str | Path, artefact: dict[str, Any]) -> None:
    """Check an artefact against its schema and write it, whole.

    Parameters
    ----------
    path : str or Path
        What to write.
    artefact : dict
        With a member `schema`, for example ``promotion/1``, that names the schema and its version.

    Raises
    ------
    SnakedrizError
        If it does not fit its schema: an error of this program, not of the input.
    """
    kind = str(artefact["schema"]).partition("/")[0]
    settings.check(artefact, settings.read_schema(kind), str(path))
    write_json(path, artefact)
