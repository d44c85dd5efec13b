"""Where the reference files are that headers name (``jref$0461802ej_idc.fits``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snakedriz.errors import SnakedrizError

#: Values of a keyword that name no file.
NONE_VALUES = ("", "N/A", "NONE", "INDEF")


def names_file(value: object) -> bool:
    """Whether a keyword's value names a file at all."""
    return value is not None and str(value).strip().upper() not in NONE_VALUES


def resolve(
    value: str | None,
    references: Mapping[str, str | None],
    environ: Mapping[str, str],
    keyword: str = "",
    owner: str | Path = "",
) -> Path | None:
    """Return the path of a reference file.

    Parameters
    ----------
    value : str or None
        The keyword's value: ``<variable>$<name>``, or a plain path.
    references : mapping
        `references` of the configuration: folders by variable name (jref, iref, uref). They come first.
    environ : mapping
        Usually `os.environ`: where a variable is not in `references`, its value here is the folder.
    keyword, owner : str
        What to name in an error: the keyword and the file whose header has it.

    Returns
    -------
    Path or None
        None if the value names no file (blank, N/A).

    Raises
    ------
    SnakedrizError
        If the folder is not known or the file is not in it.
    """
    if not names_file(value):
        return None
    name = str(value).strip()
    said = f"{owner}: {keyword or 'reference file'} = {name}"
    variable, dollar, file_name = name.partition("$")
    if not dollar:
        path = Path(name)
        if path.is_file():
            return path
        raise SnakedrizError(f"{said}: not found (searched in {path.parent})", "put the file there")
    folder = references.get(variable.lower()) or environ.get(variable) or environ.get(variable.lower())
    remedy = f"put it there, or set references.{variable.lower()} or the environment variable {variable}"
    if not folder:
        raise SnakedrizError(
            f"{said}: the folder of {variable}$ is not known: neither `references` nor the environment variable "
            f"{variable} names it",
            f"set one of them to the folder that holds {file_name}",
        )
    path = Path(folder) / file_name
    if path.is_file():
        return path
    where = "does not exist" if not path.parent.is_dir() else "has no such file"
    raise SnakedrizError(f"{said}: {file_name} was not found: the folder searched, {path.parent}, {where}", remedy)
