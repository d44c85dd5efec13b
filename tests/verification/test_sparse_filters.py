"""Filters on parts of a frame give the bits of scipy and astropy on the whole."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats
from scipy import ndimage
from snakedriz.verification import sparse_filters


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_tiled_filters_give_the_bits_of_whole_frames(sigma):
    """Noise, stars at the very edges and corners, and masks: against scipy on the whole frame."""
    rng = np.random.default_rng(3)
    for shape in ((700, 650), (70, 900), (40, 40)):
        image = rng.normal(0, 1, shape).astype(np.float32)
        for y, x in ((0, 0), (shape[0] - 1, 5), (shape[0] // 2, shape[1] - 1), (30, 31), (12, 33)):
            image[y, x] += rng.uniform(300, 400)
        mask = rng.uniform(size=shape) > 0.01
        mask[0, 0] = rng.uniform() > 0.5
        whole = np.abs(ndimage.gaussian_laplace(np.where(mask, image, np.float32(0)), sigma))
        found = sparse_filters.log_peak(image, mask, sigma, sparse_filters.TileBounds.of(image))
        assert found == (whole.max(), np.unravel_index(np.argmax(whole), shape))
        for smooth in (False, True):
            blurred = ndimage.uniform_filter(image, 5) * np.float32(10)
            filtered = ndimage.median_filter(blurred, size=5) if smooth else blurred
            left = np.clip(filtered - np.float32(25), 0, None)
            expected = ndimage.gaussian_laplace(left, 3.0) < 0
            assert expected.any()
            assert np.array_equal(sparse_filters.sources(blurred, np.float32(25), smooth, 3.0), expected)


@pytest.mark.parametrize("iterations", [-1, 0, 1, 3, 20])
def test_clipped_stats_are_astropys(iterations):
    rng = np.random.default_rng(4)
    sky = rng.normal(0, 1, 200_001).astype(np.float32)
    sky[:3000] = rng.uniform(5, 500, 3000)
    for values in (sky, np.maximum(sky, 0), sky + np.float32(7), np.minimum(sky, 1)):
        expected = sigma_clipped_stats(values, sigma=3.0, maxiters=iterations)
        assert sparse_filters.clipped_stats(values, 3.0, iterations) == expected
