"""The visits of the power study: detector, field and layout, and what is wrong with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.power_detectors import DETECTORS, JITTER_MAS, JITTER_ROLL_DEG, REACQUIRED_MAS, Detector
from benchmarks.power_fields import FIELDS
from benchmarks.power_frames import Placed, Visit

Array = NDArray[np.float64]
Defect = Literal["none", "reacquired", "drift", "shift", "rotation", "chip", "visit"]
#: Defects of a good visit: what is wrong with it is no more than the pointing repeats to, or is known to its WCS.
GOOD = ("none", "reacquired", "drift")
SHIFTS, ROTATIONS = (0.1, 0.2, 0.5, 1.0, 3.0), (0.005, 0.01, 0.02, 0.05)  # px and deg
CHIP, HALVES = (0.2, 0.5), (0.2, 0.5)  # px

#: Exposure times over the detector's, and how far apart exposures lie: in steps of the dither, or none.
LAYOUTS: dict[str, tuple[float, ...]] = {
    "dither": (1.0, 1.0, 1.0, 1.0),
    "pair": (1.0, 1.0),
    "split": (1.0, 1.0),
    "mosaic": (1.0,) * 8,
    "subarray": (1.0, 1.0, 1.0, 1.0),
    "mixed": (1.0, 1.0, 0.02, 0.02),
}
#: Rows and columns of the one chip of a subarray and of the mosaics' pointings, where they are not whole detectors.
SUBARRAYS = {"wfc": (1024, 1024), "uvis": (1024, 1024), "hrc": (512, 512), "ir": (512, 512), "sbc": (1024, 1024)}
MOSAICS = {"wfc": (1024, 2048), "uvis": (1024, 2048)}

#: Fields of the layouts studied, by detector.
_STUDIED = {
    "wfc": {"dither": "sparse medium rich galaxies nebula", "pair": "sparse medium", "split": "sparse medium",
            "mosaic": "medium galaxies", "subarray": "medium", "mixed": "medium rich"},
    "uvis": {"dither": "sparse medium galaxies uv", "pair": "medium", "split": "medium uv", "mosaic": "medium",
             "subarray": "uv"},
    "hrc": {"dither": "sparse medium rich galaxies nebula uv", "pair": "medium", "split": "sparse medium",
            "mosaic": "medium"},
    "ir": {"dither": "sparse medium rich galaxies nebula", "pair": "medium", "split": "sparse medium",
           "mosaic": "medium galaxies", "subarray": "medium"},
    "sbc": {"dither": "medium rich uv", "pair": "medium"},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One kind of visit, by the keys of `DETECTORS`, `FIELDS` and `LAYOUTS`."""

    detector: str
    field: str
    layout: str

    @property
    def name(self) -> str:
        """What it is called in tables and on the command line."""
        return f"{self.detector}-{self.field}-{self.layout}"

    @property
    def camera(self) -> Detector:
        """The detector, or as much of it as is read."""
        whole = DETECTORS[self.detector]
        chip = {"subarray": SUBARRAYS, "mosaic": MOSAICS}.get(self.layout, {}).get(self.detector)
        return whole if chip is None else replace(whole, chip=chip, chips=1, gap=0)

    @property
    def large(self) -> bool:
        """Whether a trial takes several times as long as one of the small detectors."""
        return self.camera.shape[0] * self.camera.shape[1] * len(LAYOUTS[self.layout]) > 1.2e7

    def defects(self) -> list[tuple[Defect, float]]:
        """What can be wrong with it, with amounts in px or deg."""
        found: list[tuple[Defect, float]] = [("none", 0.0)]
        number = len(LAYOUTS[self.layout])
        if self.layout in ("dither", "pair"):
            found.append(("reacquired", round(REACQUIRED_MAS / (1000 * self.camera.scale), 3)))
        if self.layout == "split":
            found += [("drift", 0.5), ("drift", 3.0)]
        found += [("shift", amount) for amount in sorted({*SHIFTS, self.camera.goal_px})]
        found += [("rotation", amount) for amount in ROTATIONS]
        if self.camera.chips > 1:
            found += [("chip", amount) for amount in CHIP]
        if number >= 4 and self.layout != "mosaic":
            found += [("visit", amount) for amount in HALVES]
        return found


CASES = {
    case.name: case
    for detector, layouts in _STUDIED.items()
    for layout, fields in layouts.items()
    for case in (Case(detector, field, layout) for field in fields.split())
}
_EDGE = 4  # px of frame beyond the detectors


def _origins(case: Case, rng: np.random.Generator) -> Array:
    """Where the exposures' first pixels lie (x, y, px), with sub-pixel phases of their own."""
    camera, number = case.camera, len(LAYOUTS[case.layout])
    size = np.array(camera.shape[::-1]) / np.array(camera.factor)
    # Over the gap in y, as `snakedriz.simulate.Visit.dithers`.
    step = np.array([20.0, 62.0]) if camera.chips > 1 else np.array([5.0, 7.0])
    if case.layout == "split":
        return np.tile(rng.uniform(-0.5, 0.5, 2), (number, 1))
    if case.layout == "mosaic":
        pointing, second = np.divmod(np.arange(number), 2)
        return np.column_stack([np.zeros(number), pointing * (size[1] + 40.0)]) + (
            second[:, None] * step + rng.uniform(-0.5, 0.5, (number, 2))
        )
    turns = np.array([0, 1, -1, 2])[:number, None]
    return np.asarray(turns * step + rng.uniform(-0.5, 0.5, (number, 2)))


def generator(case: str, kind: str, amount: float, trial: int) -> np.random.Generator:
    """Random numbers of one trial: the same whatever else runs, in whatever order, on whatever machine."""
    text = f"{case}/{kind}/{amount:.6g}/{trial}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


@dataclass(frozen=True)
class Trial:
    """One visit, and which of its exposures (indices) are wrong; none of a good one."""

    visit: Visit
    wrong: tuple[int, ...]


def make(name: str, kind: Defect, amount: float, trial: int) -> Trial:
    """Return one trial of a case; `amount` is in px of the frame or, of a rotation, deg."""
    case, rng = CASES[name], generator(name, kind, amount, trial)
    camera, times = case.camera, LAYOUTS[case.layout]
    number, scale = len(times), 1000 * camera.scale
    origins = _origins(case, rng)
    shifts = rng.normal(0, JITTER_MAS / scale, (number, 2))
    turns = rng.normal(0, JITTER_ROLL_DEG, number)
    upper = np.zeros((number, 2))
    angle, index = rng.uniform(0, 2 * np.pi), int(rng.integers(number))
    step = amount * np.array([np.cos(angle), np.sin(angle)])
    wrong: tuple[int, ...] = (index,)
    if kind == "shift":
        shifts[index] += step
    elif kind == "rotation":
        turns[index] += amount * rng.choice([-1, 1])
    elif kind == "chip":
        upper[index] = step
    elif kind in ("visit", "reacquired"):
        wrong = tuple(range(number // 2, number))
        # Of guide stars that were acquired again the rms displacement is known, of a wrong visit the displacement.
        shifts[number // 2 :] += rng.normal(0, amount / np.sqrt(2), 2) if kind == "reacquired" else step
    elif kind == "drift":
        origins[1:] += step  # the exposure's WCS knows where it points
    low = origins.min(axis=0) - _EDGE
    origins = origins - low
    size = np.array(camera.shape[::-1]) / np.array(camera.factor)
    shape = np.ceil(origins.max(axis=0) + size + _EDGE).astype(int)
    starts = origins[::2] if case.layout == "mosaic" else origins[:1]
    boxes = tuple((float(x), float(y), float(x + size[0]), float(y + size[1])) for x, y in starts)
    exposures = tuple(
        Placed(
            camera.exptime * times[i], (float(origins[i, 0]), float(origins[i, 1])),
            (float(shifts[i, 0]), float(shifts[i, 1])), float(turns[i]), (float(upper[i, 0]), float(upper[i, 1])),
        )
        for i in range(number)
    )  # fmt: skip
    visit = Visit(
        camera, FIELDS[case.field], (int(shape[1]), int(shape[0])), boxes, exposures, int(rng.integers(2**31))
    )
    return Trial(visit, () if kind in GOOD else wrong)
