"""Difficult visits from end to end: what is promoted, with which verdict, and how far it is from the truth.

    PYTHONPATH=scripts:tests python tests/benchmarks/unseen_visits.py --work DIR [--small] [--cases mosaic ...]

Simulated ACS/WFC visits with detectors as bad as real ones (`snakedriz.simulate.visit.REAL_DETECTOR`), each run through
the workflow with two cores: `CASES` says what is wrong with them, and what must come out. --small takes chips of
512 x 1024 pixels, a minute or two per case. DIR/unseen_visits.json has all numbers; the exit status is the number of
cases that fell short.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from helpers import workflow
from snakedriz.simulate import Truth, Visit, measure_offsets, simulate_visit
from snakedriz.simulate.pointing import separation
from snakedriz.simulate.visit import REAL_DETECTOR
from stwcs.wcsutil import HSTWCS

PIXEL = 50.0  # mas
FULL, SMALL = (2048, 4096), (512, 1024)


@dataclass(frozen=True)
class Outcome:
    """What came out. Errors in mas.

    candidates     verdict of each: (verified, the word for it where there is one, expected error where it is quoted)
    unmeasured     exposures that a candidate's verification could not measure, by candidate
    named          exposures that a failed check of the default candidate names
    median         median offset of the product's stars, (east, north) and radial; `scatter` about it
    exposures      mean error (east, north) of each exposure's WCS, and the largest anywhere on it
    relative       largest difference of two exposures' mean errors
    """

    case: str
    winner: str | None
    verified: bool
    reason: str
    candidates: dict[str, tuple[bool, str | None, float | None]]
    unmeasured: dict[str, list[str]]
    named: list[str]
    stars: int
    median: tuple[float, float, float]
    scatter: float
    exposures: dict[str, tuple[float, float, float]]
    relative: float
    seconds: float
    shortfalls: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """A visit by its options for full frames and small ones, and what is wrong with an outcome."""

    about: str
    visit: Callable[[bool], Visit]
    short: Callable[[Outcome, Visit], list[str]]
    config: dict[str, Any] = field(default_factory=dict)


def _visit(small: bool, stars: int, **options: Any) -> Visit:
    """A visit with `stars` on a full frame; on a small one a third of them, at nine times the density."""
    shape = SMALL if small else FULL
    number = max(stars // 3, 40) if small else stars
    common = {"chip_shape": shape, "n_stars": number, "n_galaxies": 20 if small else 150, "make_raw": False}
    return Visit(**{**common, **REAL_DETECTOR, "pointing_error": (0.4, 0.45), **options})


def _mosaic(small: bool) -> Visit:
    """Four pointings that share nothing, two exposures 3 arcsec apart in each; the sixth exposure is 3 px off."""
    step = 60.0 if small else 215.0
    dither = tuple((0.525 * (i % 2), step * (i // 2) + 3.0 * (i % 2)) for i in range(8))
    # 84 of 120 stars per pointing are neither saturated nor faint.
    return _visit(
        small, 480, n_stars=480, mag_range=(18.0, 24.0), n_exposures=8, dither=dither, n_reference=200,
        exposure_errors={5: (0.12, 0.09)},
    )  # fmt: skip


def drifted(visit: Visit, index: int, step: tuple[float, float]) -> Visit:
    """Let one exposure see the sky `step` (arcsec along the detector's axes) off, while its headers know nothing of it.

    `exposure_errors` are what headers say less the truth: what the drift is on the sky follows from a visit that is
    dithered by as much.
    """
    dither = list(visit.dithers)
    where = dither[index]
    dither[index] = (where[0] + step[0], where[1] + step[1])
    moved = replace(visit, dither=tuple(dither))
    probe = {"n_stars": 0, "n_galaxies": 0, "noise": False, "make_flc": False, "make_raw": False, "cr_rate": 0.0,
             "hot_pixels": 0.0, "warm_pixels": 0.0, "n_reference": 0}  # fmt: skip
    places = []
    for one in (visit, moved):
        with tempfile.TemporaryDirectory() as name:
            details = simulate_visit(replace(one, **probe), Path(name)).details
            places.append(tuple(details["exposures"][index]["true_aperture"]))
    back = separation(places[1], places[0])
    return replace(moved, exposure_errors={**visit.exposure_errors, index: back})


def _no_dither(small: bool) -> Visit:
    """Two exposures of one place, of which the second drifted by 3 px: hot pixels agree, stars do not."""
    plain = _visit(small, 150, n_exposures=2, dither=((0.0, 0.0), (0.0, 0.0)), mag_range=(18.5, 25.0), n_reference=30)
    return drifted(plain, 1, (0.12, 0.09))


def _mixed(small: bool) -> Visit:
    """A cluster: on full frames the brightest 500 unsaturated stars of a chip are others in 500 s than in 10 s."""
    return _visit(
        small, 8000, exptime=(500.0, 500.0, 10.0, 10.0), n_reference=225 if small else 1000, mag_range=(14.5, 23.0),
        exposure_errors={2: (0.032, -0.024)}, reference_mag_range=(16.0, 21.0), n_stars=700 if small else 8000,
    )  # fmt: skip


def _nothing(small: bool) -> Visit:
    """Stars of which a catalogue knows, all of them far below the noise."""
    return _visit(
        small, 60, n_galaxies=0, mag_range=(27.5, 28.5), reference_mag_range=(27.0, 29.0), exptime=60.0, n_reference=40
    )


def _displaced_and_named(found: Outcome, visit: Visit) -> list[str]:
    short = []
    if not (found.verified and found.median[2] < 2.0 and found.relative < 0.1 * PIXEL):
        if found.verified:
            short.append("verified, and not within 2 mas")
        if visit.rootnames[5] not in found.named:
            short.append(f"neither repaired nor refused by the name of {visit.rootnames[5]}")
    silent = {name for names in found.unmeasured.values() for name in names} - {visit.rootnames[5], visit.rootnames[4]}
    return short + [f"{name} was not measured" for name in sorted(silent)]


def _true_if_verified(limit_px: float) -> Callable[[Outcome, Visit], list[str]]:
    def short(found: Outcome, visit: Visit) -> list[str]:
        if found.verified and found.relative > limit_px * PIXEL:
            return [f"verified, with {found.relative / PIXEL:.2f} px between exposures"]
        return [] if found.verified else ["nothing is verified"]

    return short


def _corners(full: float, small: float) -> Callable[[Outcome, Visit], list[str]]:
    """Largest error (mas) anywhere on the exposures, for full frames and for small ones."""

    def short(found: Outcome, visit: Visit) -> list[str]:
        worst = max(row[2] for row in found.exposures.values())
        return [] if worst < (small if visit.chip_shape == SMALL else full) else [f"{worst:.1f} mas off in a corner"]

    return short


def _nothing_verified(found: Outcome, visit: Visit) -> list[str]:
    names = [name for name, row in found.candidates.items() if row[0]]
    return [f"{', '.join(names) or found.winner} is verified"] if names or found.verified else []


def _near(limit: float) -> Callable[[Outcome, Visit], list[str]]:
    def short(found: Outcome, visit: Visit) -> list[str]:
        off = float(np.hypot(*found.median[:2]))
        return [] if found.verified and off < limit else [f"{off:.2f} mas from the truth, verified: {found.verified}"]

    return short


CASES = {
    "mosaic": Case("four disjoint pairs, one exposure 3 px off", _mosaic, _displaced_and_named),
    "no-dither": Case("no dither, 1.5 % hot pixels, one exposure 3 px off", _no_dither, _true_if_verified(0.1)),
    "mixed": Case(
        "500, 500, 10, 10 s, the third 0.8 px off",
        _mixed,
        _true_if_verified(0.1),
    ),
    "roll": Case(
        "six catalogue stars, all exposures turned by 0.02 deg",
        lambda small: _visit(small, 300, n_reference=6, exposure_rolls=dict.fromkeys(range(4), 0.02)),
        # Left as it is the roll puts corners 52 mas off, 13 on a small frame; six stars of 1 mas know them to 1 mas.
        _corners(10.0, 4.0),
    ),
    "nothing": Case(
        "nothing can be measured, promotion.limits is set", _nothing, _nothing_verified,
        {"promotion": {"drizzlepac_numbers": False, "limits": {"registration": 5.0}}},
    ),
    "plain": Case("one pointing", lambda small: _visit(small, 2000, n_reference=225), _near(0.5)),
    "displaced": Case(
        "one pointing, one exposure 5 px off",
        lambda small: _visit(small, 2000, n_reference=225, exposure_errors={1: (0.2, -0.15)}), _near(0.5),
    ),
    "easy": Case(
        "one pointing, a detector without vices",
        lambda small: _visit(small, 2000, n_reference=225, **{**dict.fromkeys(REAL_DETECTOR, 0.0),
                             "hot_pixels": 0.002, "hot_tail": None}),
        _near(0.5),
    ),
}  # fmt: skip


def wcs_errors(path: Path, true: tuple[HSTWCS, ...]) -> tuple[float, float, float]:
    """Mean error (east, north) of an exposure's WCS over both chips, and the largest anywhere, mas."""
    off = []
    with fits.open(path) as hdus:
        for version, right in enumerate(true, 1):
            nx, ny = right.pixel_shape
            x, y = (a.ravel() for a in np.meshgrid(np.linspace(1, nx, 9), np.linspace(1, ny, 9)))
            ra, dec = HSTWCS(hdus, ext=("SCI", version)).all_pix2world(x, y, 1)
            ra0, dec0 = right.all_pix2world(x, y, 1)
            off.append(np.array([(ra - ra0) * np.cos(np.radians(dec0)), dec - dec0]) * 3.6e6)
    every = np.hstack(off)
    east, north = (float(v) for v in every.mean(axis=1))
    return east, north, float(np.hypot(*every).max())


def _words(row: dict[str, Any]) -> tuple[bool, str | None, float | None]:
    """Verdict of a candidate in promotion.json, with the word and the error that newer versions write."""
    error = row.get("expected_error") or {}
    return bool(row["verified"]), row.get("verdict"), error.get("value_mas")


def _verifications(results: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(results.glob("*_*/verification.json")):
        found[path.parent.name.partition("_")[2]] = json.loads(path.read_text())
    return found


def outcome(name: str, truth: Truth, folder: Path, seconds: float) -> Outcome:
    """Read what a run left."""
    asn = truth.visit.asn
    results = folder / "results" / asn
    promotion = workflow.promotion(folder, asn)
    verifications = _verifications(results)
    unmeasured, named = {}, []
    for candidate, row in verifications.items():
        silent = [
            e["rootname"] for e in (row.get("registration") or {}).get("exposures", [])
            if e["method"] in ("unmeasurable", "no overlap")
        ]  # fmt: skip
        if silent:
            unmeasured[candidate] = silent
        if candidate == "default":
            # What comes after a semicolon is about exposures that could not be measured, and about limits.
            notes = " ".join(check["note"].partition(";")[0] for check in row["checks"] if check["passed"] is False)
            named = [root for root in truth.visit.rootnames if root in notes]
    product = next(iter(sorted((results / "final").glob(f"{asn}_dr?.fits"))), None)
    summary: dict[str, float] = {}
    if product is not None:
        summary = measure_offsets(product, truth, isolation_px=8.0).meta["summary"]
    exposures = {
        root: wcs_errors(results / "final" / f"{root}_flc.fits", true)
        for root, true in zip(truth.visit.rootnames, truth.wcs, strict=True)
    }
    mean = np.array([row[:2] for row in exposures.values()])
    apart = np.hypot(*(mean[:, None] - mean[None]).T)
    nan = float("nan")
    return Outcome(
        name, promotion["winner"], bool(promotion["verified"]), promotion["reason"],
        {row["candidate"]: _words(row) for row in promotion["candidates"]}, unmeasured, named,
        int(summary.get("n", 0)),
        (summary.get("median_dra_mas", nan), summary.get("median_ddec_mas", nan),
         summary.get("median_radial_mas", nan)),
        summary.get("scatter_mas", nan), exposures, float(apart.max()), seconds,
    )  # fmt: skip


def run(name: str, folder: Path, small: bool, seed: int = 71) -> Outcome:
    """Simulate a case, run the workflow on it, and judge what came out."""
    case = CASES[name]
    visit = replace(case.visit(small), seed=seed)
    truth = simulate_visit(visit, folder)
    workflow.write_config(folder, **case.config)
    start = time.monotonic()
    done = workflow.run(folder)
    if done.code:
        raise RuntimeError(f"{name}: {done.tail}")
    found = outcome(name, truth, folder, time.monotonic() - start)
    return replace(found, shortfalls=case.short(found, visit))


def describe(found: Outcome) -> str:
    """Lines about an outcome."""
    lines = [
        f"== {found.case}: {CASES[found.case].about}",
        f"   promoted {found.winner}, verified: {found.verified} ({found.reason})",
        f"   stars {found.stars}: median {found.median[0]:+.2f} {found.median[1]:+.2f} mas, radial "
        f"{found.median[2]:.2f}, scatter {found.scatter:.2f}; largest difference of exposures {found.relative:.2f} mas",
    ]
    for candidate, (verified, word, error) in found.candidates.items():
        silent = found.unmeasured.get(candidate, [])
        lines.append(
            f"   {candidate}: {word or ('verified' if verified else 'not verified')}"
            + (f", {error:.2f} mas expected" if error is not None else "")
            + (f"; not measured: {', '.join(silent)}" if silent else "")
        )
    if found.named:
        lines.append(f"   default refused because of {', '.join(found.named)}")
    for root, (east, north, worst) in found.exposures.items():
        lines.append(f"   {root}: {east:+.2f} {north:+.2f} mas, at most {worst:.2f}")
    lines.append(f"   {found.seconds:.0f} s; " + ("; ".join(found.shortfalls) or "as it should be"))
    return "\n".join(lines)


def main() -> int:
    """Run the cases, print each, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="chips of 512 x 1024 pixels instead of full frames")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seed", type=int, default=71)
    options = parser.parse_args()
    work = options.work.resolve()
    found = []
    for name in options.cases:
        folder = work / f"{name}-{options.seed}"
        folder.mkdir(parents=True)
        found.append(run(name, folder, options.small, options.seed))
        print(describe(found[-1]), flush=True)
        (work / "unseen_visits.json").write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    return sum(bool(one.shortfalls) for one in found)


if __name__ == "__main__":
    sys.exit(main())
