"""Quoted intervals hold the truth as often as they say, though true errors are not what is quoted.

tests/benchmarks/coverage.py prints more cases with more draws.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.joint_worlds import World, draw
from snakedriz.alignment.joint_errors import Errors
from snakedriz.alignment.joint_solution import solve

DRAWS = 100


def held(world, draws=DRAWS):
    """Share of the coordinates within their 68 and 95 per cent intervals: frame, corner of the first exposure."""
    inside = []
    for seed in range(draws):
        drawn = draw(world, [seed, world.stars, 17])
        found = solve(drawn.layout, drawn.measured, drawn.known, drawn.priors, drawn.start)
        errors = Errors(found)
        corner = np.array([1500.0, 1500.0])
        for row, widths in (
            (errors.mean_of_exposures, errors.of_frame()),
            (drawn.layout.rows(0, corner[None])[0], errors.of_exposure(0, corner)),
        ):
            off = np.abs(row @ (found.unknowns - drawn.truth))
            inside.append([off < widths[0], off < widths[1]])
    return np.mean(np.array(inside).reshape(draws, 2, 2, 2), axis=(0, 3))


@pytest.mark.parametrize(
    "world",
    [
        World(stars=5, geometry="shift"), World(stars=12), World(stars=60, geometry="general", floor=0.005),
        World(stars=20, floor=0.02, exposures=2),
    ],
    ids=lambda world: f"{world.stars} {world.geometry} {world.floor}",
)  # fmt: skip
def test_intervals_hold_what_they_say(world):
    """Three standard deviations of the binomial of 200 coordinates: 0.10 and 0.046; 41 to 46 per cent is what quoting
    the scatter alone gives with a floor."""
    one, two = held(world).T
    assert one == pytest.approx([0.6827, 0.6827], abs=0.10)
    assert two == pytest.approx([0.95, 0.95], abs=0.05)


def test_neighbours_that_are_wrong_alike_count_less():
    """Sixty stars in one corner know the distortion of one patch: the error is that patch's, not 1/sqrt(60)."""
    drawn = draw(World(stars=60, outliers=0.0, geometry="shift"), 8)
    found = solve(drawn.layout, drawn.measured, drawn.known, drawn.priors, drawn.start)
    apart = Errors(found).of_frame()[0]
    together = drawn.measured.uv * 0.05
    shrunk = drawn.known.uv * 0.05
    near = solve(
        drawn.layout, replace(drawn.measured, uv=together), replace(drawn.known, uv=shrunk), drawn.priors, drawn.start
    )
    assert Errors(near).of_frame()[0] > 1.7 * apart
