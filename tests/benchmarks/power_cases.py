"""The visits of the injection study: what is in the field, how it is sampled, and what one trial displaces."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from helpers.drizzled import Scene

#: Displacements (px) and rotations (deg) of one exposure. A displacement of 0 gives the false alarms of both.
AMOUNTS = {
    "shift": (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0),
    "rotation": (0.002, 0.005, 0.01, 0.02, 0.05),
}
#: Length (px) of every exposure's own pointing error, in a random direction: a well guided visit.
JITTER = (0.01, 0.03)
#: Sides of the frames, px: those of the detectors are 4096 and 1014, too slow for thousands of trials.
SIDES = {"small": {"ACS/WFC": 400, "WFC3/IR": 300}, "wfc": {"ACS/WFC": 4096, "WFC3/IR": 1014}}

#: 0.05 arcsec pixels, core and wing as snakedriz.simulate has them (FWHM 2.0 px); detector pixels are about 2 per cent
#: smaller than the grid's, so that the pixel phases go round every 50 to 80 px. Breathing: 2 to 3 per cent.
WFC: dict[str, Any] = {
    "psf_sigma": 0.80, "psf_wing": 0.15, "phases": True, "stretch": (0.02, 0.012), "breathing": 0.025, "gap": 20,
    "dither": 6.0, "full_well": 84_700.0, "rays": 2.7e-6, "read_noise": 4.5, "cr_scale": (1.5, 1.2),
}  # fmt: skip
#: 0.1355 x 0.1211 arcsec pixels on a grid of 0.1283, FWHM 1.2 px; cosmic rays went with the ramps but for one in 200.
IR: dict[str, Any] = {
    "scale": 0.1283, "psf_sigma": 0.42, "psf_wing": 0.15, "phases": True, "stretch": (-0.053, 0.059), "dither": 3.0,
    "breathing": 0.025, "rays": 5e-8, "read_noise": 15.0, "sky": 0.8, "full_well": 78_000.0, "brightest": 6e4,
    "cr_scale": (3.0, 2.4), "cr_snr": (5.0, 4.0),
}  # fmt: skip
DISCS: dict[str, Any] = {"stars": 0, "galaxies": 25, "discs": True, "galaxy_flux": 1.2e5}
NEBULA: dict[str, Any] = {"stars": 0, "nebula": 0.6}


@dataclass(frozen=True)
class Case:
    """One kind of visit; `stars` is drawn from the range for every trial, and `chip` displaces the upper chip only."""

    detector: str
    exptimes: tuple[float, ...]
    scene: Mapping[str, Any]
    stars: tuple[int, int] | None = None
    chip: bool = False
    note: str = ""


def _times(number: int) -> tuple[float, ...]:
    return (500.0,) * number


CASES: dict[str, Case] = {
    "dense-4": Case("ACS/WFC", _times(4), {**WFC, "brightest": 1e6}, (280, 320), note="some saturated"),
    "medium-2": Case("ACS/WFC", _times(2), WFC, (50, 80)),
    "medium-3": Case("ACS/WFC", _times(3), WFC, (50, 80)),
    "medium-4": Case("ACS/WFC", _times(4), WFC, (50, 80)),
    "medium-8": Case("ACS/WFC", _times(8), WFC, (50, 80)),
    "medium-chip-4": Case("ACS/WFC", _times(4), WFC, (50, 80), chip=True, note="one chip of the exposure is displaced"),
    "mixed-4": Case("ACS/WFC", (1200.0, 1200.0, 60.0, 60.0), WFC, (50, 80), note="1200, 1200, 60, 60 s"),
    "sparse-2": Case("ACS/WFC", _times(2), WFC, (10, 15)),
    "sparse-4": Case("ACS/WFC", _times(4), WFC, (10, 15)),
    "galaxies-2": Case("ACS/WFC", _times(2), {**WFC, **DISCS}, note="25 discs, F814W 20 to 24.5"),
    "galaxies-4": Case("ACS/WFC", _times(4), {**WFC, **DISCS}, note="25 discs, F814W 20 to 24.5"),
    "smooth-4": Case("ACS/WFC", _times(4), {**WFC, "stars": 0, "galaxies": 40}, note="40 Gaussians, sigma 2.5 to 6 px"),
    "nebula-2": Case("ACS/WFC", _times(2), {**WFC, **NEBULA}, note="power spectrum k^-3"),
    "nebula-4": Case("ACS/WFC", _times(4), {**WFC, **NEBULA}, note="power spectrum k^-3"),
    "empty-4": Case("ACS/WFC", _times(4), {**WFC, "stars": 0}, note="nothing but rays"),
    "ir-2": Case("WFC3/IR", _times(2), IR, (50, 80)),
    "ir-4": Case("WFC3/IR", _times(4), IR, (50, 80)),
    "ir-sparse-4": Case("WFC3/IR", _times(4), IR, (10, 15)),
    "ir-galaxies-4": Case("WFC3/IR", _times(4), {**IR, **DISCS}, note="25 discs"),
}


def generator(case: str, kind: str, amount: float, trial: int) -> np.random.Generator:
    """Random numbers of one trial: the same whatever else runs, in whatever order, on whatever machine."""
    text = f"{case}/{kind}/{amount:.6g}/{trial}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


@dataclass(frozen=True)
class Trial:
    """One visit with one exposure displaced."""

    scene: Scene
    exposure: int  # which one is displaced
    error: np.ndarray  # its true mean shift (dx, dy) against the median of the others, px; rotation adds nothing to it
    edge: float = 0.0  # largest displacement in the frame that was injected, px: at a corner, half a diagonal away


def draw(rng: np.random.Generator, exposures: int, amount: float) -> tuple[int, np.ndarray, np.ndarray]:
    """Draw the displaced exposure, its displacement (2,) and the jitter of all (exposures, 2), px."""
    angles, lengths = rng.uniform(0, 2 * np.pi, exposures + 1), rng.uniform(*JITTER, exposures)
    index = int(rng.integers(exposures))
    direction = np.column_stack([np.cos(angles), np.sin(angles)])
    return index, amount * direction[-1], lengths[:, None] * direction[:-1]


def against_others(shifts: np.ndarray, index: int) -> np.ndarray:
    """Shift of one exposure (x, y) against the median of the others."""
    return shifts[index] - np.median(np.delete(shifts, index, axis=0), axis=0)


def make(name: str, kind: str, amount: float, trial: int, frames: str) -> Trial:
    """Return one trial of a case of `CASES`, on frames of `SIDES`; `amount` is in px or, of a rotation, deg."""
    case, rng = CASES[name], generator(name, kind, amount, trial)
    side, number = SIDES[frames][case.detector], len(case.exptimes)
    index, displacement, jitter = draw(rng, number, amount if kind == "shift" else 0.0)
    moved = jitter.copy()
    if not case.chip:
        moved[index] += displacement
    options: dict[str, Any] = dict(case.scene)
    if case.stars is not None:
        options["stars"] = int(rng.integers(case.stars[0], case.stars[1] + 1))
    # detectors.yaml: minmed below 6 (IR: 4) exposures, the median where exposure times differ by more than two
    many = 6 if case.detector == "ACS/WFC" else 4
    options["minmed"] = number < many and max(case.exptimes) <= 2 * min(case.exptimes)
    if case.detector == "ACS/WFC" and number >= many:
        options["cr_scale"] = (1.2, 0.7)
    if frames == "wfc" and options.get("gap"):
        options |= {"gap": 50, "dither": 20.0}
    turn = amount * rng.choice([-1, 1]) if kind == "rotation" else 0.0
    scene = Scene(
        shape=(side, side), exptimes=case.exptimes, jitter=0.0, seed=int(rng.integers(2**31)),
        displaced={i: (float(x), float(y)) for i, (x, y) in enumerate(moved)},
        rotation_deg={index: float(turn)} if turn else {},
        chip_displaced={index: (float(displacement[0]), float(displacement[1]))} if case.chip else {}, **options,
    )  # fmt: skip
    edge = amount if kind == "shift" else float(np.radians(amount)) * side / np.sqrt(2)
    return Trial(scene, index, against_others(moved, index), edge)
