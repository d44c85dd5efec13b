"""Focus index: the document's z-score rule, without its holes."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, numbers, read
from snakedriz.artefacts.verification import Focus, FocusIndex, SingleFocusIndex
from snakedriz.verification import focus
from snakedriz.verification.frames import source_response

SETTINGS = numbers()


def _check(singles, product, error=0.001, significance=1000.0):
    same = {"position": [1, 1], "error": error, "significance": significance}
    entries = [SingleFocusIndex(rootname="x", value=value, **same) for value in singles]
    measured = Focus(formulas={}, sigma_px=1.5, singles=entries, product=FocusIndex(value=product, **same))
    return focus.check(measured, SETTINGS)


def test_z_score_is_that_of_the_document():
    from scipy.stats import norm

    singles = [0.98, 1.0, 1.01, 1.03]
    mean, sigma = np.mean(singles), np.std(singles, ddof=1)
    found = _check(singles, 1.02)
    assert found.passed is True
    assert found.value == pytest.approx(norm.ppf(norm.cdf(1.02, mean, sigma)), rel=1e-9)


def test_product_outside_the_range_of_the_singles_fails_on_either_side():
    # The range, 0.99 to 1.01, is widened by 3 x 0.001 of noise and 0.1 of the mean, to 0.887 and 1.113.
    assert [_check([0.99, 1.01], x).passed for x in (0.88, 0.89, 1.11, 1.12)] == [False, True, True, False]


def test_singles_that_hardly_differ_do_not_let_any_blur_pass():
    """B2: with a standard deviation of 1e-4 of the mean, norm.cdf underflows and today's program passes anything."""
    found = _check([1.0, 1.0001, 1.0002], 0.2)
    assert found.passed is False
    assert np.isfinite(found.value)
    assert np.all(np.isfinite(found.limit))


def test_what_cannot_be_formed_is_unmeasurable():
    assert _check([1.0, 1.0, 1.0], 1.0).passed is None  # no scatter: z is 0/0
    assert _check([1.0], 1.0).passed is None  # one exposure
    assert _check([1.0, 1.1], 1.0, significance=5.0).passed is None  # maxima of noise
    assert _check([1.0, None], 1.0, significance=None).passed is None  # flat image


def test_singles_that_disagree_fail():
    # 0.1 and 1: their standard deviation, 0.64, exceeds the lowest
    assert _check([0.1, 1.0], 1.0).passed is False


def test_index_is_the_largest_response_outside_the_mask():
    response = np.zeros((20, 30), np.float32)
    response[3, 4], response[10, 20] = -7.0, 5.0
    assert focus.focus_index(response, np.zeros_like(response, bool)) == (7.0, (3, 4))
    mask = np.zeros_like(response, bool)
    mask[3, 4] = True
    assert focus.focus_index(response, mask) == (5.0, (10, 20))
    assert focus.focus_index(response, np.ones_like(mask)) is None
    response[5, 5] = np.nan
    assert focus.focus_index(response, mask) == (5.0, (10, 20))


def test_saturated_stars_are_masked_with_their_surroundings():
    image = np.zeros((40, 40), np.float32)
    image[20, 20] = 100.0  # 50,000 electrons in 500 s, 60 % of 84,700 being 50,820
    assert not focus.saturated(image, 500.0, 84_700, 3).any()
    image[20, 20] = 102.0
    found = focus.saturated(image, 500.0, 84_700, 3)
    assert found.sum() == 49
    assert found[17:24, 17:24].all()


def test_brightest_star_is_not_the_measure_when_it_saturates(tmp_path):
    scene = Scene(shape=(200, 200), stars=30, brightest=1e6, faintest=2e4, full_well=84_700)
    frames = read(scene, tmp_path)
    found = focus.measure(frames, SETTINGS)
    limit = 0.6 * SETTINGS["full_well"] / 500
    for entry, single in zip(found.singles, frames.singles, strict=True):
        y, x = entry.position
        assert single.image[y - 3 : y + 4, x - 3 : x + 4].max() <= limit
    assert focus.check(found, SETTINGS).passed is True


def test_uncovered_borders_are_no_edges(tmp_path):
    # Sky residual of 2 e/s in all exposures: an edge against the empty border would be the sharpest feature of all.
    frames = read(Scene(shape=(250, 250), stars=20, dither=15), tmp_path)
    for single in frames.singles:
        single.image[single.covered] += 2.0
    frames.product[frames.covered] += 2.0
    for single in frames.singles:
        single.response = source_response(single.image, SETTINGS["log_sigma_px"])
    frames.response = source_response(frames.product, SETTINGS["log_sigma_px"])
    found = focus.measure(frames, SETTINGS)
    y, x = found.product.position
    depth = frames.depth
    margin = round(3 * SETTINGS["log_sigma_px"])
    assert (depth[y - margin : y + margin + 1, x - margin : x + margin + 1] == depth.max()).all()


def test_one_of_four_five_pixels_off_blurs_the_product(tmp_path):
    # The share that lies elsewhere is a quarter; range and allowances leave 0.85 of the mean or more
    scene = Scene(displaced={0: (5.0, 0.0)}, flags="true")
    assert focus.check(focus.measure(read(scene, tmp_path), SETTINGS), SETTINGS).passed is False
