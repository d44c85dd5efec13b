"""The command ``snakedriz``: one subcommand per tool."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence

from snakedriz import __version__
from snakedriz.cli import compare, wcs
from snakedriz.errors import SnakedrizError

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done. 1: `check` found damage or disagreement. 2: the command line is wrong. 3: something could not be done; what
    could be is done.
    """
    # Of every subcommand; a default here would overwrite what was given before the subcommand.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    level = common.add_mutually_exclusive_group()
    level.add_argument(
        "--quiet", dest="level", action="store_const", const=logging.ERROR, help="no notes: results and errors only"
    )
    level.add_argument(
        "--verbose", dest="level", action="store_const", const=logging.DEBUG, help="also what the libraries say"
    )
    parser = argparse.ArgumentParser(prog="snakedriz", description="Tools of the snakedriz workflow.", parents=[common])
    parser.add_argument("--version", action="version", version=f"snakedriz {__version__}")
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    wcs.add_to(tools, common)
    compare.add_to(tools, common)
    options = parser.parse_args(arguments)
    options.verbose = getattr(options, "level", None) == logging.DEBUG
    with _messages_to_terminal(getattr(options, "level", logging.WARNING)):
        try:
            return options.run(options)
        except SnakedrizError as error:
            log.error("%s", error)
            return wcs.FAILED


@contextlib.contextmanager
def _messages_to_terminal(level: int) -> Iterator[None]:
    """Write what the library says, from a level on, to stderr; results go to stdout whatever the level."""
    logger, handler = logging.getLogger("snakedriz"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("snakedriz: %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


if __name__ == "__main__":
    sys.exit(main())
