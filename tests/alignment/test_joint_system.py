"""Normal equations with the stars eliminated are those of the whole problem."""

import numpy as np
import pytest
from helpers.joint_worlds import World, draw
from snakedriz.alignment.joint_layout import prior_widths
from snakedriz.alignment.joint_system import System


def test_elimination_gives_the_solution_of_all_unknowns_at_once():
    drawn = draw(World(stars=7, exposures=3, in_catalog=4), 3)
    layout, measured, known = drawn.layout, drawn.measured, drawn.known
    system = System(layout, measured, known, 7, np.zeros(layout.size), drawn.priors)
    weight = measured.error**-2.0
    inverse = np.linalg.inv(known.covariance)
    prior = prior_widths(layout, drawn.priors) ** -2.0
    found = system.solve(weight, inverse, prior)
    # Dense: corrections, then x and y of each star
    size = layout.size
    rows, right, weights = [], [], []
    for e, s, uv, w in zip(measured.exposure, measured.star, measured.uv, weight, strict=True):
        for axis in (0, 1):
            row = np.zeros(size + 14)
            row[:size] = layout.rows(int(e), uv[None])[0, axis]
            row[size + 2 * s + axis] = -1.0
            rows.append(row)
            right.append(-uv[axis])
            weights.append(w)
    for s, uv, inv in zip(known.star, known.uv, inverse, strict=True):
        for axis in (0, 1):
            row = np.zeros(size + 14)
            row[size + 2 * s + axis] = 1.0
            rows.append(row)
            right.append(uv[axis])
            weights.append(inv[axis, axis])
    design = np.array(rows)
    normal = design.T @ (np.array(weights)[:, None] * design) + np.diag(np.r_[prior, np.zeros(14)])
    whole = np.linalg.solve(normal, design.T @ (np.array(weights) * right))
    assert found.unknowns == pytest.approx(whole[:size], abs=1e-6)
    assert (system.first + found.stars).ravel() == pytest.approx(whole[size:], abs=1e-6)
    # The inverse of what is left is the corrections' part of the inverse of the whole.
    assert np.linalg.inv(found.normal) == pytest.approx(np.linalg.inv(normal)[:size, :size], rel=1e-5, abs=1e-12)
