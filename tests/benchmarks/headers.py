"""How long headers take: one exposure's primary header, and a folder of a thousand association tables.

    PYTHONPATH=scripts:tests python tests/benchmarks/headers.py

Limits: 0.4 ms a header of 230 cards (astropy takes 2 ms or more), 2 s for a thousand tables. Prints best of five.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from helpers.small_exposures import write_exposure, write_table
from snakedriz.exposures import association
from snakedriz.fits_headers import fast_header


def best(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of a call (s) of five series of `repeats`."""
    found = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        found.append((time.perf_counter() - start) / repeats)
    return min(found)


def main(folder: Path) -> int:
    """Measure, print, and return 1 where a limit is exceeded."""
    path = write_exposure(folder / "a_flt.fits", {f"KEY{n}": n for n in range(230)})  # as many as a real FLC
    rows = [*((f"J{'0' * 7}{n}", "EXP-DTH") for n in range(4)), ("JPROD", "PROD-DTH")]
    content = write_table(folder / "template", rows).read_bytes()
    (folder / "data").mkdir()
    for n in range(1000):
        (folder / "data" / f"j{n:05d}010_asn.fits").write_bytes(content)
    header = best(lambda: fast_header.primary_cards(path, ("DRIZCORR", "EXPTIME")), 20)
    tables = best(lambda: association.list_associations(association.FileIndex(folder / "data")), 1)
    print(f"a header: {header * 1e3:.2f} ms (limit 0.4); a thousand tables: {tables:.2f} s (limit 2)")
    return int(header > 0.4e-3 or tables > 2.0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(main(Path(name)))
