"""Worlds for the joint solution in which true errors are not what is quoted: floors, smooth distortion, outliers."""

from dataclasses import dataclass, replace

import numpy as np
from snakedriz.alignment.joint_layout import Layout, PriorWidths, Widths, prior_widths
from snakedriz.alignment.joint_system import Known, Measured

HALF = 2000.0  # px: half of a side of the field, that of ACS/WFC
#: In px of 50 mas: 0.5 arcsec and 0.01 deg a visit; 10 and 5 mas a lock and an exposure.
PRIORS = PriorWidths(
    visit=Widths(10.0, 1.7e-4, 5e-5), lock=Widths(0.2, 5e-5, 1e-5), exposures=[Widths(0.1, 1.7e-5, 1e-5)],
    skew=2e-5, floor=0.01, distortion=0.01, length=500.0,
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """What there is: px per axis, and shares.

    floor       additive error of every measured position that nobody quotes
    distortion  rms of a smooth field, alike in all exposures, correlated over `PRIORS.length`
    outliers    share of the measurements that are off by up to 2 px
    """

    stars: int = 60
    exposures: int = 1
    geometry: str = "rscale"
    floor: float = 0.01
    distortion: float = 0.01
    outliers: float = 0.02
    in_catalog: int | None = None
    locks: tuple[int, ...] = ()


@dataclass
class Drawn:
    """One draw of a world: data, priors, the true unknowns, and corrections to start from, good to 0.1 px."""

    layout: Layout
    measured: Measured
    known: Known
    priors: PriorWidths
    truth: np.ndarray
    start: list


def smooth_field(rng, length, rms, waves=200):
    """A Gaussian random field in two dimensions, correlated as exp(-d^2 / 2 length^2), by random waves."""
    k, phase = rng.normal(0, 1 / length, (waves, 2)), rng.uniform(0, 2 * np.pi, (waves, 2))

    def values(at):
        angle = at @ k.T
        size = rms * np.sqrt(2 / waves)
        return np.column_stack([size * np.cos(angle + phase[:, axis]).sum(axis=1) for axis in (0, 1)])

    return values


def draw(world: World, seed) -> Drawn:
    """Draw a world: truth from the priors, errors quoted over 4 mag (0.0015 to 0.05 px), rows of 0.05 to 1 mas."""
    rng = np.random.default_rng(seed)
    n, count = world.stars, world.exposures
    centres = rng.uniform(-90, 90, (count, 2))
    lock = np.array(world.locks or (0,) * count)
    layout = Layout(centres, lock, world.geometry)
    priors = replace(PRIORS, exposures=[PRIORS.exposures[0]] * count)
    widths = prior_widths(layout, priors)
    truth = widths * rng.standard_normal(len(widths))
    stars = rng.uniform(-HALF, HALF, (n, 2))
    quoted = np.hypot(10 ** rng.uniform(np.log10(0.0015), np.log10(0.05), n), 0.001)
    bent = smooth_field(rng, priors.length, world.distortion)
    places = []
    for index in range(count):
        matrix, shift = layout.correction(truth, index)
        at = np.linalg.solve(matrix, (stars - shift).T).T
        at = at + rng.normal(0, 1, (n, 2)) * np.hypot(quoted, world.floor)[:, None] + bent(at - centres[index])
        wrong = rng.random(n) < world.outliers
        at[wrong] += rng.uniform(-2, 2, (int(wrong.sum()), 2))
        places.append(at)
    sigma = 10 ** rng.uniform(np.log10(0.001), np.log10(0.02), n)
    catalog = stars + rng.normal(0, 1, (n, 2)) * sigma[:, None]
    rows = np.arange(n if world.in_catalog is None else world.in_catalog)
    measured = Measured(
        np.repeat(np.arange(count), n), np.tile(np.arange(n), count), np.vstack(places), np.tile(quoted, count)
    )
    known = Known(rows, catalog[rows], sigma[rows, None, None] ** 2 * np.eye(2))
    start = [layout.correction(truth, index) for index in range(count)]
    start = [(matrix, shift + rng.normal(0, 0.1, 2)) for matrix, shift in start]
    return Drawn(layout, measured, known, priors, truth, start)
