"""How often truth lies within what a fit claims: a table, over many simulated fits.

    PYTHONPATH=scripts:tests python tests/benchmarks/coverage.py [trials]

Expected are 0.683 and 0.950. The column "tolerance" is three standard deviations of the binomial distribution.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from helpers.fit_simulator import Scene, covered, trial

CASES = [
    ("relative", "shift", 6),
    ("relative", "shift", 10),
    ("relative", "shift", 20),
    ("relative", "rscale", 20),
    ("relative", "rscale", 50),
    ("relative", "rscale", 300),
    ("2dhist", "shift", 10),
    ("2dhist", "rscale", 50),
]


def main(trials: int) -> None:
    """Print the table."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene.make(Path(folder))
    print(
        f"{'fit':<18}{'stars':>6}{'claim':>12}{'68 %':>8}{'95 %':>8}{'number':>8}{'tolerance':>16}{'failed':>8}{'s':>7}"
    )
    for method, geometry, n in CASES:
        start = time.monotonic()
        found = [trial(scene, np.random.default_rng([seed, n]), n, method, geometry) for seed in range(trials)]
        failed = sum(f.fit.outcome != "ok" for f in found)
        for claim in ("frame", "each", "relative"):
            claims = [c for f in found for c in getattr(f, claim)]
            if claims:
                one, two, number = covered(claims)
                # The claims of one fit's exposures share its catalogue: only fits count as independent.
                free = 2 * (trials - failed)
                tolerance = f"{3 * np.sqrt(0.683 * 0.317 / free):.3f}/{3 * np.sqrt(0.95 * 0.05 / free):.3f}"
                print(
                    f"{method + '/' + geometry:<18}{n:>6}{claim:>12}{one:>8.3f}{two:>8.3f}{number:>8}{tolerance:>16}"
                    f"{failed:>8}{time.monotonic() - start:>7.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
