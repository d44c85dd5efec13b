"""JSON artefacts of the workflow: each has a versioned schema in config/schemas/, checked when it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snakedriz import settings
from snakedriz.files import write_json


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


def plain(value: Any) -> Any:
    """Replace what JSON cannot carry: NaN and infinities by None, numpy scalars by Python's."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
