"""The command ``snakedriz``: one subcommand per tool."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from snakedriz import __version__
from snakedriz.cli import compare, wcs
from snakedriz.errors import SnakedrizError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done. 1: `check` found damage or disagreement. 2: the command line is wrong. 3: something could not be done; what
    could be is done.
    """
    parser = argparse.ArgumentParser(prog="snakedriz", description="Tools of the snakedriz workflow.")
    parser.add_argument("--version", action="version", version=f"snakedriz {__version__}")
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    wcs.add_to(tools)
    compare.add_to(tools)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except SnakedrizError as error:
        print(f"snakedriz: {error}", file=sys.stderr)
        return wcs.FAILED


if __name__ == "__main__":
    sys.exit(main())
