"""``python -m snakedriz.settings``: write what is generated from the configuration's model, or ``--check`` it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from snakedriz.errors import SnakedrizError
from snakedriz.files import whole
from snakedriz.settings.documents import ROOT, documents


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or return 1 where ``--check`` finds one that differs.

    Raises
    ------
    SnakedrizError
        Outside a checkout.
    """
    parser = argparse.ArgumentParser(prog="python -m snakedriz.settings", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    check = parser.parse_args(arguments).check
    if not (ROOT / "Snakefile").exists():
        raise SnakedrizError(f"{ROOT}: is no checkout of snakedriz", "run this command in a checkout")
    made = documents()
    differ = [p for p, text in made.items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    for path in differ:
        sys.stdout.write(f"{path}: {'differs; run python -m snakedriz.settings' if check else 'written'}\n")
        if not check:
            with whole(path) as temporary:
                temporary.write_text(made[path], encoding="utf-8")
    return int(check and bool(differ))


if __name__ == "__main__":
    sys.exit(main())
