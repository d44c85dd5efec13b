"""How often truth lies within the intervals of a joint solution, where true errors are not what is quoted.

    PYTHONPATH=scripts:tests python tests/benchmarks/coverage.py [--draws 400] [--report]

Worlds are those of `helpers.joint_worlds`: an additive error of every position that nobody quotes, a smooth residual
distortion alike in all exposures, outliers. `--report` writes docs/fit_errors.md. Draws are kept in `--results` (JSON
lines, by world and seed), so that a run can be stopped and taken up again.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
from helpers.joint_worlds import PRIORS, World, draw
from snakedriz.alignment.joint_errors import Errors
from snakedriz.alignment.joint_solution import solve

from benchmarks.power_report import interval

WORLDS = [
    World(stars=n, exposures=e, geometry=geometry, floor=floor)
    for e, geometry, n, floor in product((1, 4), ("shift", "rscale", "general"), (5, 12, 60, 300), (0.005, 0.01, 0.02))
]
CLAIMS = ("frame", "corner", "relative")
CORNER = np.array([1500.0, 1500.0])


def one(world: World, seed: int) -> dict[str, list[float]]:
    """Draw a world and solve; returns for each claim the offsets (x, y) and the half-widths (68, 95 per cent), px."""
    drawn = draw(world, [seed, world.stars, world.exposures, 99])
    found = solve(drawn.layout, drawn.measured, drawn.known, drawn.priors, drawn.start)
    errors, layout = Errors(found), drawn.layout
    wrong = found.unknowns - drawn.truth
    every = list(range(world.exposures))
    out = {
        "frame": [*(errors.mean_of_exposures @ wrong), *errors.of_frame()],
        "corner": [*(layout.rows(0, CORNER[None])[0] @ wrong), *errors.of_exposure(0, CORNER)],
    }
    if world.exposures > 1:
        rows = [layout.rows(i, layout.centres[[0]])[0] for i in every]
        out["relative"] = [*((rows[0] - np.mean(rows, axis=0)) @ wrong), *errors.relative(0, every)]
    return {name: [float(value) for value in values] for name, values in out.items()}


def key(world: World, seed: int) -> str:
    """Name of a draw."""
    return f"{world.exposures} {world.geometry} {world.stars} {world.floor:g} {seed}"


def share(found: list[list[float]], width: int) -> str:
    """Share of the coordinates within their intervals, with its own 95 % interval by draws."""
    inside = [abs(row[axis]) < row[2 + width] for row in found for axis in (0, 1)]
    low, high = interval(sum(inside), len(inside))
    return f"{100 * np.mean(inside):.0f} ({100 * low:.0f}–{100 * high:.0f})"


def table(draws: dict[str, dict[str, list[float]]], seeds: int) -> str:
    """The results as Markdown."""
    lines = [
        "| exposures | geometry | stars | floor, px | draws | frame 68 % | 95 % | corner 68 % | 95 % | relative 68 % "
        "| 95 % |",
        "|" + "---|" * 11,
    ]
    pooled: dict[str, list[list[float]]] = {name: [] for name in CLAIMS}
    for world in WORLDS:
        rows = [draws[name] for seed in range(seeds) if (name := key(world, seed)) in draws]
        cells = []
        for claim in CLAIMS:
            found = [row[claim] for row in rows if claim in row]
            pooled[claim] += found
            cells += [share(found, 0), share(found, 1)] if found else ["", ""]
        about = (world.exposures, world.geometry, world.stars, f"{world.floor:g}", len(rows) or "not done")
        lines.append(f"| {' | '.join(map(str, (*about, *cells)))} |")
    total = [cell for claim in CLAIMS for cell in ((share(pooled[claim], w) if pooled[claim] else "") for w in (0, 1))]
    lines.append(f"| all | | | | {len(draws)} | {' | '.join(total)} |")
    return "\n".join(lines)


def main() -> None:
    """Draw what is not drawn yet, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, help="of each world")
    parser.add_argument("--results", type=Path, default=Path("coverage.jsonl"))
    parser.add_argument("--report", action="store_true", help="write docs/fit_errors.md")
    options = parser.parse_args()
    draws: dict[str, dict[str, list[float]]] = {}
    if options.results.exists():
        for line in options.results.read_text(encoding="utf-8").splitlines():
            name, found = json.loads(line)
            draws[name] = found
    with options.results.open("a", encoding="utf-8") as results:
        for seed in range(options.draws):
            for world in WORLDS:
                name = key(world, seed)
                if name not in draws and (world.stars < 300 or seed < options.draws // 2):
                    draws[name] = one(world, seed)
                    results.write(json.dumps([name, draws[name]]) + "\n")
                    results.flush()
    text = table(draws, options.draws)
    if not options.report:
        print(text)
        return
    page = f"""# What the quoted errors of a fit are worth

Made by `python tests/benchmarks/coverage.py --report`; do not edit. How often the truth lies within the half-widths
that a fit quotes, in per cent, with the 95 % interval of that share. Right would be 68.3 and 95.

The worlds: a field of 4000 px, positions with quoted errors of 0.0015 to 0.05 px and a further error, the floor, that
nobody quotes; a residual distortion of {PRIORS.distortion:g} px (rms) correlated over {PRIORS.length:g} px, alike in
all exposures; 2 % outliers of up to 2 px; catalogue positions with 0.001 to 0.02 px. Pointing, roll, scale and skew are
drawn from the priors of the fit. `frame`: mean of the exposures at their middles; `corner`: a point 2100 px from the
middle of the first exposure; `relative`: its middle about the mean of the exposures.

{text}
"""
    (Path(__file__).parents[2] / "docs/fit_errors.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
