"""Catalogue stars held out of a fit: which, how many are needed, and what they say."""

import numpy as np
import pytest
from helpers.displaced_visit import WFC
from snakedriz.alignment.cross_validation import MatchedGroup, cross_validate, folds
from snakedriz.alignment.tangent_plane import PlacedRows

OPTIONS = WFC["fitting"]


def test_folds_do_not_depend_on_order():
    names = [str(i) for i in range(23)]
    one = dict(zip(names, folds(names, 10), strict=True))
    back = dict(zip(names[::-1], folds(names[::-1], 10), strict=True))
    assert one == back
    assert sorted(np.bincount(list(one.values()))) == [2] * 7 + [3] * 3


@pytest.mark.parametrize(("geometry", "stars", "outcome"), [
    ("shift", 2, "unmeasurable"), ("shift", 4, "measured"), ("rscale", 3, "unmeasurable"), ("rscale", 10, "measured"),
    ("general", 4, "unmeasurable"),
])  # fmt: skip
def test_few_stars_held_out(geometry, stars, outcome):
    rng = np.random.default_rng(stars)
    ref = rng.uniform(-500, 500, (stars, 2))
    group = MatchedGroup(ref + rng.normal(0, 0.02, ref.shape), np.full(stars, 0.02), np.arange(stars))
    names = [str(i) for i in range(stars)]
    rows = PlacedRows(ref, np.full(stars, 0.01))
    found = cross_validate("GAIAeDR3", [group], rows, names, geometry, OPTIONS, 50.0)
    assert found.outcome == outcome, found
    assert bool(found.reason) == (outcome == "unmeasurable")
    assert (found.held_out_rms_mas is None) == (outcome == "unmeasurable")


def test_held_out_rms_is_that_of_new_stars():
    """A shift by 8 stars of 1.0 mas and axis: in sample sqrt(2 x 7/8), held out about sqrt(2 x 8/7) mas."""
    ratios, held = [], []
    for seed in range(60):
        rng = np.random.default_rng([seed, 9])
        ref = rng.uniform(-500, 500, (8, 2))
        group = MatchedGroup(ref + rng.normal(0, 0.02, ref.shape), np.full(8, 0.02), np.arange(8))
        found = cross_validate("x", [group], PlacedRows(ref, np.zeros(8)), list("abcdefgh"), "shift", OPTIONS, 50.0)
        ratios.append(found.ratio)
        held.append(found.held_out_rms_mas)
    assert np.median(ratios) == pytest.approx(8 / 7, abs=1e-6)  # each left out of eight equal ones: exactly n / (n - 1)
    # 60 of 16 coordinates: 0.023 for the square root of their mean square, four times that
    assert np.sqrt(np.mean(np.square(held))) == pytest.approx(np.sqrt(2 * 8 / 7), rel=0.1)
