"""Mean shift and trend of differences, with errors that hold for few of them."""

from __future__ import annotations

import numpy as np
import pytest
from snakedriz import statistics
from snakedriz.verification import trends


def test_rotation_and_scale_are_found_beside_an_outlier():
    rng = np.random.default_rng(2)
    positions = rng.uniform(0, 1000, (40, 2))
    x, y = (positions - 500).T
    difference = np.array([0.3, -0.2]) + 1e-4 * np.column_stack([x, y]) + 2e-4 * np.column_stack([-y, x])
    difference += rng.normal(0, 0.01, difference.shape)
    difference[0] += 5.0
    found = trends.trend(positions, difference, True)
    assert found.scale - 1 == pytest.approx(1e-4, abs=4 * found.slope_error)
    assert found.rotation == pytest.approx(2e-4, abs=4 * found.slope_error)
    assert not found.used[0]
    assert found.at(np.array([[500.0, 500.0]]))[0] == pytest.approx([0.3, -0.2], abs=4 * found.error.max())


def test_few_stars_widen_the_error():
    rng = np.random.default_rng(1)
    positions, difference = rng.uniform(0, 100, (3, 2)), np.array([[0.0, 0.0], [0.02, 0.02], [0.04, 0.04]])
    found = trends.trend(positions, difference, False)
    assert found.error[0] == pytest.approx(0.02 / np.sqrt(3))
    # Student's t with 2 degrees of freedom: 1.32 at 68.27 %, 4.30 at 95 %, 19.2 at 99.73 %
    shift = trends.measured_shift(found.shift, found.error, found.freedom, 0.0)
    assert shift.dx_err == pytest.approx(1.321 * found.error[0], rel=1e-3)
    assert shift.dx_err95 == pytest.approx(4.303 * found.error[0], rel=1e-3)
    assert statistics.factor(2.0, 2) == pytest.approx(4.527, rel=1e-3)
