"""Matching of two star lists: known offsets are found, unrelated lists are refused."""

import numpy as np
import pytest
from snakedriz.alignment.matching import linear_trend, match

OPTIONS = {"searchrad": 125.0, "tolerance": 2.0, "min_tolerance": 0.2, "max_false_alarm": 1e-4}
NOISE = 0.05  # px per axis


def lists(rng, common, only_image, only_ref, shift=(0.0, 0.0), rotation=0.0, scale=1.0, size=4096):
    true = rng.uniform(0, size, (common, 2))
    image = np.vstack([true + rng.normal(0, NOISE, true.shape), rng.uniform(0, size, (only_image, 2))])
    c, s = scale * np.cos(np.radians(rotation)), scale * np.sin(np.radians(rotation))
    moved = (true - size / 2) @ np.array([[c, -s], [s, c]]).T + size / 2 + shift
    return image, np.vstack([moved, rng.uniform(0, size, (only_ref, 2))])


def correct(found):
    return int(np.sum(found.ref == found.image))  # common stars have the same index in both lists


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0, 5.0, 10.0, 80.0])
@pytest.mark.parametrize(("rotation", "scale"), [(0.0, 1.0), (0.05, 1.0), (0.02, 1.0003)])
def test_injected_shift_rotation_scale(shift, rotation, scale):
    rng = np.random.default_rng(5)
    image, ref = lists(rng, 200, 300, 100, (shift, -shift), rotation, scale)
    found = match(image, ref, **OPTIONS)
    # Pairs farther apart than 0.2 px = 2.8 sigma of a difference (0.05 sqrt 2) may be left out: exp(-4) = 2 percent.
    assert correct(found) >= 190
    assert correct(found) == len(found)
    middle = np.full(2, 2048.0)
    # The mean of 200 pairs is known to 0.05/sqrt(200) = 0.004 px per axis; five times that.
    assert np.abs(found.matrix @ middle + found.shift - middle - [shift, -shift]).max() < 0.02
    assert found.significance > 8
    assert found.summary().nmatches == len(found)


@pytest.mark.parametrize("common", [4, 5, 8, 20])
def test_few_stars_among_contaminants(common):
    # A window of 1.5 px has 250 x 40 x 2.25 / 4096^2 = 0.001 chance pairs; 4 in one of 3e5 windows: chance 1e-7.
    rng = np.random.default_rng(common)
    image, ref = lists(rng, common, 250, 40 - common, (12.3, -7.1))
    found = match(image, ref, **OPTIONS)
    assert correct(found) == len(found) == common


def test_two_thousand_sources():
    rng = np.random.default_rng(0)
    image, ref = lists(rng, 300, 1700, 1700, (33.0, -44.0), 0.02)
    assert correct(match(image, ref, **{**OPTIONS, "searchrad": 400.0})) > 280


@pytest.mark.parametrize("histogram", [True, False])
def test_unrelated_lists_are_refused(histogram):
    # The limit of 1e-4 allows 0.02 false alarms in 200 trials: one would already be a sign of a wrong estimate.
    rng = np.random.default_rng(2)
    options = OPTIONS if histogram else {**OPTIONS, "tolerance": 10.0, "histogram": False}
    for trial in range(200):
        n, m, size = ((500, 225, 4096), (30, 30, 1024), (250, 250, 1024), (60, 8, 512))[trial % 4]
        image, ref = lists(rng, 0, n, m, size=size)
        found = match(image, ref, **options)
        assert len(found) == 0
        assert "no significant peak" in found.reason or "not significant" in found.reason or "no pair" in found.reason


def test_clustered_fields_are_refused():
    # Two unrelated lists, each in clumps: counts scatter far more than Poisson's.
    rng = np.random.default_rng(3)
    for _ in range(30):
        image, ref = (
            (rng.uniform(0, 2048, (12, 1, 2)) + rng.normal(0, 15, (12, 20, 2))).reshape(-1, 2) for _ in range(2)
        )
        assert len(match(image, ref, **OPTIONS)) == 0


def test_duplicates_match_once():
    rng = np.random.default_rng(4)
    image, ref = lists(rng, 50, 0, 0, (3.0, 4.0))
    found = match(np.vstack([image, image, image + 0.01]), ref, **OPTIONS)
    assert len(set(found.ref)) == len(found) == len(set(found.image)) >= 48
    assert np.abs(found.shift - [3, 4]).max() < 0.3  # at the origin: rotation error x 2900 px adds to 0.007 px


def test_without_histogram_offset_must_be_within_tolerance():
    rng = np.random.default_rng(6)
    options = {**OPTIONS, "tolerance": 10.0, "histogram": False}
    near = lists(rng, 60, 40, 40, (2.0, -1.0), size=2048)
    far = lists(rng, 60, 40, 40, (40.0, -1.0), size=2048)
    assert correct(match(*near, **options)) >= 55
    assert len(match(*far, **options)) == 0


def test_deterministic_and_empty():
    rng = np.random.default_rng(7)
    image, ref = lists(rng, 100, 100, 100, (5.0, 5.0))
    one, two = match(image, ref, **OPTIONS), match(image, ref, **OPTIONS)
    assert np.array_equal(one.ref, two.ref)
    assert np.array_equal(one.shift, two.shift)
    assert "without" in match(image[:0], ref, **OPTIONS).reason
    assert "without" in match(image, ref[:0], **OPTIONS).reason


def test_linear_trend_ignores_outliers():
    rng = np.random.default_rng(9)
    image, ref = lists(rng, 40, 0, 0, (1.0, 2.0), 0.1)
    ref[:6] += rng.uniform(3, 10, (6, 2))
    matrix, shift = linear_trend(image, ref, "rscale")
    # 34 good pairs, 0.05 px: 0.009 px at the middle; an outlier pulls by at most 2.5 sigma / 40 each. Five times that.
    assert np.abs(matrix @ [2048, 2048] + shift - [2049, 2050]).max() < 0.08
