"""Similarities as complex numbers, and fits that a handful of stars cannot turn."""

import numpy as np
import pytest
from snakedriz.alignment.similarity import TURN_SIGMA, SimilarityMap, as_complex, held_fit


def test_they_are_affine_maps():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (5, 2))
    one, other = SimilarityMap(0.8 + 0.3j, 2 - 1j), SimilarityMap(1.1 - 0.2j, 0.5j)
    assert np.allclose(one(points), points @ one.matrix.T + one.offset)
    assert np.allclose(as_complex(one(points)), one.turn * as_complex(points) + one.shift)
    assert np.allclose(one.then(other)(points), other(one(points)))
    same = SimilarityMap.of(one.matrix, one.offset)
    assert same.turn == pytest.approx(one.turn)
    assert same.shift == one.shift


def test_many_stars_overcome_the_prior_and_outliers():
    """200 stars of 0.02 px over 1000 px know the turn to 2e-6; one in ten lies 30 px off."""
    rng = np.random.default_rng(1)
    image = rng.uniform(-2000, 2000, (200, 2))
    true = SimilarityMap(np.exp(1e-3j) * 1.0002, 5.0 - 3.0j)
    ref = true(image) + rng.normal(0, 0.02, image.shape)
    ref[::10] += rng.uniform(-30, 30, (20, 2))
    found = held_fit(image, ref, np.ones(200), 0.02)
    assert abs(found.turn - true.turn) < 1e-5
    assert np.abs(found(image) - true(image)).max() < 0.02


def test_few_stars_in_a_corner_do_not_turn_the_field():
    """Four stars of 0.05 px within 50 px say nothing of the roll: 0.05 / 50 rad would be 4 px at the other corner."""
    rng = np.random.default_rng(2)
    worst = []
    for _ in range(20):
        image = np.array([1900.0, 1900.0]) + rng.uniform(-50, 50, (4, 2))
        ref = np.add(image, (5.0, 1.0)) + rng.normal(0, 0.05, (4, 2))
        found = held_fit(image, ref, np.ones(4), 0.02)
        assert abs(found.turn - 1.0) < 2 * TURN_SIGMA
        worst.append(np.hypot(*(found(np.array([[-2000.0, -2000.0]]))[0] - [-1995.0, -1999.0])))
    assert np.median(worst) < 2.0
    assert held_fit(np.zeros((1, 2)), np.array([[3.0, 4.0]]), np.ones(1), 0.02) == SimilarityMap(1.0 + 0j, 3.0 + 4.0j)
