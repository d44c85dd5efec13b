"""Command lines of which Snakemake would lose a part without a word are refused."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from snakedriz.errors import SnakedrizError

_OPTIONS = ("--config", "-C")


def check(argv: Sequence[str]) -> None:
    """Refuse several `--config`: Snakemake keeps the last only, and drops a target that stands behind an earlier one.

    Parameters
    ----------
    argv : sequence of str
        As `sys.argv`.

    Raises
    ------
    SnakedrizError
        With the command that says what is meant.
    """
    if instead := with_one_config(argv):
        raise SnakedrizError(
            "several --config on one command line: Snakemake would take the last one only, and would lose targets that "
            "stand behind the others",
            f"Give one for all: snakemake {shlex.join(instead)}",
        )


def with_one_config(argv: Sequence[str]) -> list[str] | None:
    """Return Snakemake's arguments with one `--config` that has what several had; None where there is one, or none.

    Snakemake takes every word up to the next option for one of its `KEY=VALUE`, a target among them, and keeps only
    those of the last `--config`. Words without "=" are put first, as the targets they must be.

    Parameters
    ----------
    argv : sequence of str
        As `sys.argv`; None is returned for another program than Snakemake, which may use it as a library.
    """
    program = Path(argv[0]).parts[-2:]
    if program[-1:] != ("snakemake",) and program != ("snakemake", "__main__.py"):
        return None
    groups: list[list[str]] = []
    rest: list[str] = []
    current = rest
    for word in argv[1:]:
        option, _, value = word.partition("=")
        if option in _OPTIONS:
            current = [value] if value else []
            groups.append(current)
        elif word.startswith("-"):
            rest.append(word)
            current = rest
        else:
            current.append(word)
    if len(groups) < 2:
        return None
    words = [word for group in groups for word in group]
    targets = [word for word in words if "=" not in word]
    return [*targets, "--config", *(word for word in words if "=" in word), *rest]
