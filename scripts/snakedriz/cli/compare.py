"""``snakedriz compare``: two drizzled products side by side, blinking, and the offset between them."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from snakedriz.errors import NotApplicable, SnakedrizError

log = logging.getLogger(__name__)


def add_to(tools: Any, common: argparse.ArgumentParser) -> None:
    """Add the tool ``compare`` to the subcommands of a parser."""
    command = tools.add_parser(
        "compare", help="two products before and after, to look at", description=__doc__, parents=[common]
    )
    command.set_defaults(run=_run)
    command.add_argument("first", metavar="A_drc.fits")
    command.add_argument("second", metavar="B_drc.fits")
    command.add_argument("-o", "--output", required=True, metavar="NAME.png", help="NAME.gif and NAME.json beside it")
    command.add_argument(
        "--position", nargs=2, type=float, action="append", metavar=("RA", "DEC"),
        help="deg, may be repeated; without, stars are chosen",
    )  # fmt: skip
    command.add_argument("--size", type=float, default=5.0, metavar="ARCSEC", help="side of a patch, default 5")
    command.add_argument("--stars", type=int, default=4, metavar="N", help="how many stars at most, default 4")


def _run(options: argparse.Namespace) -> int:
    # imported here so that help and other tools need not wait for them
    from snakedriz import settings
    from snakedriz.report import compare_images, pictures

    output = Path(options.output)
    if output.suffix.lower() != ".png":
        raise SnakedrizError(f"{output}: is not the name of a PNG file", "give --output a name that ends in .png")
    if not options.size > 0 or options.stars < 1:
        raise SnakedrizError(f"--size {options.size:g} and --stars {options.stars}", "give positive numbers for both")
    detectors = settings.load_detectors()
    try:
        found = compare_images.compare(
            options.first, options.second, detectors, options.position or "auto", options.size, options.stars
        )
    except NotApplicable as outcome:
        raise SnakedrizError(outcome.reason, "compare two products that show the same part of the sky") from outcome
    pictures.write(found, output)
    for ra, dec in found.report.outside:
        log.warning("%.6f %+.6f is not in both products and is not shown", ra, dec)
    print(f"{output}: {pictures.offset_text(found.report)}")
    return 0
