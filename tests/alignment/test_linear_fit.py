"""Weighted linear fits: known transforms are found, outliers left out, and errors are those of the scatter."""

import numpy as np
import pytest
from helpers.displaced_visit import WFC
from snakedriz.alignment.linear_fit import PARAMETERS, align

OPTIONS = WFC["fitting"]


def pairs(rng, n, sigma=0.02):
    """Positions, and where a shift of (3, -2) px, a turn by 0.1 deg and a scale of 1.0002 bring them, with errors."""
    uv = rng.uniform(-500, 500, (n, 2))
    c, s = 1.0002 * np.cos(np.radians(0.1)), 1.0002 * np.sin(np.radians(0.1))
    return uv, uv @ np.array([[c, -s], [s, c]]).T + (3.0, -2.0) + rng.normal(0, sigma, uv.shape)


@pytest.mark.parametrize("geometry", ["rscale", "general"])
def test_known_transform_is_found_without_outliers(geometry):
    uv, ref = pairs(np.random.default_rng(0), 60)
    ref[7] += 1.0
    fit = align(uv, np.full(60, 0.01), ref, np.full(60, 0.01), geometry, OPTIONS)
    assert 7 not in fit.own
    assert len(fit.own) >= 57
    # 0.02 px / sqrt(60) = 0.0026 px per axis, five times that; 0.02 / (sqrt(60) x 290 px) = 1e-5 for the matrix.
    assert np.abs(fit.shift - [3.0, -2.0]).max() < 0.013
    assert np.sqrt(np.linalg.det(fit.matrix)) == pytest.approx(1.0002, abs=5e-5)
    assert np.allclose(uv[fit.own] @ fit.matrix.T + fit.shift, fit.moved, atol=1e-9)
    assert fit.freedom == 2 * len(fit.own) - PARAMETERS[geometry]


def test_errors_are_those_of_the_scatter_wherever_asked():
    """Quoted errors four times too small: the standard error is 0.02 px / sqrt(n), and grows with the distance."""
    middle, corner, quoted = [], [], []
    for seed in range(200):
        uv, ref = pairs(np.random.default_rng([seed, 3]), 20)
        fit = align(uv, np.full(20, 0.005), ref, np.zeros(20), "rscale", OPTIONS)
        at = np.array([500.0, 500.0])
        true = pairs(np.random.default_rng([seed, 3]), 20, 0.0)[1]
        exact = np.linalg.lstsq(np.column_stack([np.ones(20), uv]), true, rcond=None)[0]
        middle.append(np.average(fit.moved - true[fit.own], axis=0))
        corner.append(fit.matrix @ at + fit.shift - (exact[0] + at @ exact[1:]))
        # the formula counts distances from the middle of the moved stars, 4 px from those of the sources
        quoted.append((fit.error(), fit.error(at)))
    # 400 coordinates: 3.5 per cent for a standard deviation, three times that
    assert np.sqrt(np.mean(np.square(middle))) == pytest.approx(np.mean(quoted, axis=0)[0], rel=0.11)
    assert np.sqrt(np.mean(np.square(corner))) == pytest.approx(np.mean(quoted, axis=0)[1], rel=0.15)
    assert np.mean(quoted, axis=0)[0] == pytest.approx(0.02 / np.sqrt(20), rel=0.1)
