"""Unknowns of a joint solution: what they move, their priors, and those that given corrections need."""

import numpy as np
import pytest
from helpers.joint_worlds import PRIORS
from snakedriz.alignment.joint_layout import LEVER, Layout, prior_widths, terms, unknowns_of

CENTRES = np.array([[0.0, 0.0], [3000.0, 0.0], [0.0, 4000.0]])


def test_derivatives_are_those_of_a_linear_map():
    coefficients = np.array([1.0, 2.0, 0.3, -0.2, 0.1, 0.05])
    moved = terms(np.array([[LEVER, 0.0], [0.0, LEVER]]), 6) @ coefficients
    # shift; roll turns x to y; scale lengthens; skew stretches x against y, and shears
    assert moved[0] == pytest.approx([1.0 - 0.2 + 0.1, 2.0 + 0.3 + 0.05])
    assert moved[1] == pytest.approx([1.0 - 0.3 + 0.05, 2.0 - 0.2 - 0.1])


def test_a_visits_roll_moves_its_exposures_about_their_common_middle():
    layout = Layout(CENTRES, np.array([0, 0, 1]), "rscale")
    assert (layout.locks, layout.size) == (2, 4 + 2 * 4 + 3 * 4)
    unknowns = np.zeros(layout.size)
    unknowns[2] = 1e-4 * LEVER
    middle = CENTRES.mean(axis=0)
    for index, centre in enumerate(CENTRES):
        matrix, shift = layout.correction(unknowns, index)
        x, y = (centre - middle) * 1e-4
        assert matrix @ centre + shift - centre == pytest.approx([-y, x])
        assert np.arctan2(matrix[1, 0], matrix[0, 0]) == pytest.approx(1e-4, rel=1e-6)


def test_one_lock_is_the_visit_itself():
    assert Layout(CENTRES, np.zeros(3, int), "shift").locks == 0


def test_widths_of_the_priors():
    layout = Layout(CENTRES[:1], np.zeros(1, int), "general")
    expected = [10, 10, 0.17, 0.05, 0.02, 0.02, 0.1, 0.1, 0.017, 0.01]
    assert prior_widths(layout, PRIORS) == pytest.approx(expected)


def test_unknowns_give_back_the_corrections_that_they_are_made_of():
    layout = Layout(CENTRES, np.zeros(3, int), "rscale")
    rng = np.random.default_rng(1)
    start = []
    for _ in CENTRES:
        turn, size = rng.normal(0, 1e-4), 1 + rng.normal(0, 1e-4)
        matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        start.append((matrix, rng.normal(0, 5, 2)))
    unknowns = unknowns_of(layout, start)
    for index, (matrix, shift) in enumerate(start):
        found = layout.correction(unknowns, index)
        assert found[0] == pytest.approx(matrix, abs=1e-9)
        assert found[1] == pytest.approx(shift, abs=1e-5)
