"""Which copy of the library is in use: the one beside the workflow's scripts, or another one that is installed."""

from __future__ import annotations

from pathlib import Path

import snakedriz
from snakedriz.errors import SnakedrizError


def check(scripts: str | Path) -> None:
    """Refuse a library from elsewhere, where there is one beside the scripts of the workflow.

    Parameters
    ----------
    scripts : path
        Folder of the workflow's scripts; nothing is checked where it holds no library, as in a container that does not
        see it, or where a hosting service has the workflow.

    Raises
    ------
    SnakedrizError
        If the library in use is another.
    """
    beside = Path(scripts).resolve() / "snakedriz"
    found = Path(snakedriz.__file__).resolve().parent
    if (beside / "__init__.py").is_file() and found != beside:
        raise SnakedrizError(
            f"the workflow in {beside.parents[1]} has a library of its own, and another one, {found} (version "
            f"{snakedriz.__version__}), was imported before it",
            "Uninstall that one, or take it out of PYTHONPATH",
        )
