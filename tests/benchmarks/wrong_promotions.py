"""How often is a product promoted that is further from the truth, or more smeared, than the best candidate offered?

    export PYTHONPATH=scripts:tests:tests/benchmarks
    python tests/benchmarks/wrong_promotions.py --work DIR [--skip-runastrodriz]

Small simulated ACS/WFC visits with one exposure of four displaced (AMOUNTS, px), each run through the workflow and
through runastrodriz. For every product: the median offset of its stars from the truth (mas) and the median width of
its stars (px). A promotion is wrong if the offset exceeds the best candidate's by more than OFFSET or the width by more
than WIDTH. Widths are held against those candidates only that are as near the truth as the best: where exposures
disagree, cosmic-ray rejection eats the wings of the stars, and what is left of them is narrower than any. runastrodriz
keeps no products of its candidates; its own is held against the best of ours, on the same exposures.
DIR/wrong_promotions.json has all numbers. Linux only, about four minutes per visit.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from helpers.drizzled import numbers
from snakedriz.simulate import Truth, Visit, measure_offsets, simulate_visit
from snakedriz.verification import frame_stars, frames

from benchmarks.against_runastrodriz import run_ours, run_theirs

AMOUNTS = (0.0, 0.5, 2.0, 5.0)
#: mas; the median of 30 and more stars of 1 to 3 mas is good to 0.5
OFFSET = 2.0
#: of the best candidate's width; widths of the same stars on different pixel grids agree to 1 per cent
WIDTH = 1.05
PIXEL = 0.05  # arcsec


def visit(amount: float, trial: int) -> Visit:
    """Return a visit with exposure 2 of 4 displaced by `amount` px in a direction of its own."""
    angle = 2.4 * trial + 0.7
    error = (PIXEL * amount * float(np.cos(angle)), PIXEL * amount * float(np.sin(angle)))
    return Visit(seed=40 + trial, n_stars=200, exposure_errors={1: error} if amount else {})


def quality(product: Path, truth: Truth) -> dict[str, float] | None:
    """Return median offset from the truth (mas) and median width of the stars (sigma, px) of a product."""
    if not product.is_file() or product.stat().st_size < 10_000:
        return None
    summary = measure_offsets(product, truth).meta["summary"]
    image, covered, _ = frames.read_product(product)
    places = frame_stars.find(image, covered, numbers()).places
    widths = frame_stars.widths(frame_stars.cut(image, *places[:200].T))
    return {
        "offset_mas": float(summary["median_radial_mas"]), "width_px": float(np.nanmedian(widths)),
        "stars": int(summary["n"]),
    }  # fmt: skip


def best_of(offered: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the least offset, and the least width among the candidates within OFFSET of it."""
    least = min(found["offset_mas"] for found in offered.values())
    near = [found["width_px"] for found in offered.values() if found["offset_mas"] <= least + OFFSET]
    return {"offset_mas": least, "width_px": min(near)}


def wrong(product: dict[str, float], best: dict[str, float]) -> bool:
    """Return whether a product is further from the truth, or more smeared, than the best candidate."""
    return product["offset_mas"] > best["offset_mas"] + OFFSET or product["width_px"] > WIDTH * best["width_px"]


def study(amount: float, trial: int, folder: Path, theirs: bool) -> dict[str, Any]:
    """Run one visit both ways."""
    folder.mkdir(parents=True)
    truth = simulate_visit(visit(amount, trial), folder / "visit")
    asn = truth.visit.asn
    ours = run_ours(truth, folder / "ours")
    results = folder / "ours" / "results" / asn
    promotion = json.loads((results / "promotion.json").read_text())
    offered = {
        name: found
        for name in ("default", "apriori", "aposteriori")
        if (found := quality(results / f"{asn}_{name}" / f"{asn}_drc.fits", truth)) is not None
    }
    best = best_of(offered)
    final = quality(results / "final" / f"{asn}_drc.fits", truth)
    row: dict[str, Any] = {
        "amount_px": amount, "trial": trial, "offered": offered, "best": best, "exit_code": ours["exit_code"],
        "verified": {c["candidate"]: c["verdicts"] for c in promotion["candidates"]},
        "workflow": {"winner": promotion["winner"], "verified": promotion["verified"], **(final or {})},
    }  # fmt: skip
    row["workflow"]["wrong"] = final is None or wrong(final, best)
    if theirs:
        run = run_theirs(truth, folder / "runastrodriz")
        made = quality(folder / "runastrodriz" / f"{asn}_drc.fits", truth)
        row["runastrodriz"] = {"winner": run["wcsname"], **(made or {}), "wrong": made is None or wrong(made, best)}
    return row


def main() -> None:
    """Run all visits, print a line for each, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=1, help="visits per displacement")
    parser.add_argument("--skip-runastrodriz", action="store_true")
    options = parser.parse_args()
    rows = []
    for trial in range(options.trials):
        for amount in AMOUNTS:
            folder = options.work.resolve() / f"{amount:g}px-{trial}"
            rows.append(study(amount, trial, folder, not options.skip_runastrodriz))
            print(json.dumps(rows[-1]), flush=True)
    for name in ("workflow", "runastrodriz"):
        known = [row[name]["wrong"] for row in rows if name in row]
        print(f"{name}: {sum(known)} wrong promotions of {len(known)}", flush=True)
    (options.work / "wrong_promotions.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
