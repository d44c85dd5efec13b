"""Hot pixels, flagged or not, are no stars: they never verify a doubled image, nor make a good one fail."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import SOLUTION, numbers
from helpers.mosaics import HotPixels
from snakedriz.verification import fixed_pixels, frame_stars, frames, verification

SETTINGS = numbers()
SMALL = {"side": 600}


def _verify(scene, folder):
    return verification.verify(*scene.write(folder), SOLUTION, SETTINGS)


@pytest.mark.parametrize("grids", [True, False])
@pytest.mark.parametrize("left", [0.05, 1.0])
@pytest.mark.parametrize(("stars", "seed"), [(5, 1), (15, 2), (40, 3)])
def test_stars_seen_twice_are_never_verified(tmp_path, stars, seed, left, grids):
    """Exposures lie on each other as the detector does, stars 3 px apart; was verified with an error of 0.007 px.

    1.5 % hot pixels, of which 5 % of the current is left, or all.
    """
    found = _verify(HotPixels(**SMALL, stars=stars, seed=seed, left=left, grids=grids), tmp_path)
    assert found.verified["measured"] is False
    assert found.flags_trusted is False
    row = found.registration.exposures[1]
    if row.method == "sources":
        # 4 sigma per axis, which the errors of few faint stars hold
        assert (row.dx, row.dy) == pytest.approx((2.4, 1.8), abs=max(4 * row.dx_err, 4 * row.dy_err))


@pytest.mark.parametrize("grids", [True, False])
@pytest.mark.parametrize("left", [0.05, 1.0])
@pytest.mark.parametrize(("stars", "seed"), [(5, 1), (15, 2), (40, 3)])
def test_the_right_solution_is_not_refused(tmp_path, stars, seed, left, grids):
    """The WCS knows the drift: stars lie on each other, hot pixels 3 px apart. With 15 stars it is verified."""
    found = _verify(HotPixels(**SMALL, stars=stars, seed=seed, left=left, grids=grids, known=True), tmp_path)
    assert found.relative != "failed"
    if stars >= 15:
        assert found.verified["measured"] is True


@pytest.mark.parametrize("stars", [5, 60])
def test_without_any_drift_few_stars_say_nothing_and_many_do(tmp_path, stars):
    """Stars and hot pixels lie on each other: stars count where few of what repeats can be hot pixels."""
    found = _verify(HotPixels(**SMALL, stars=stars, drift=0.0), tmp_path)
    assert found.relative == ("measured" if stars > 5 else "unmeasured")
    assert found.registration.pairs[0].measured is (stars > 5)


@pytest.mark.parametrize("seed", [1, 2])
def test_half_a_pixel_is_noticed_among_hot_pixels(tmp_path, seed):
    found = _verify(HotPixels(**SMALL, stars=40, drift=0.5, seed=seed), tmp_path)
    assert found.verified["measured"] is False
    assert _verify(HotPixels(**SMALL, stars=40, drift=0.5, seed=seed, known=True), tmp_path).verified["measured"]


def test_flagged_pixels_are_no_sources(tmp_path):
    """Hot pixels without any star: what is flagged is found neither among stars nor among what is too narrow."""
    for flagged in (0.0, 1.0):
        scene = HotPixels(**SMALL, stars=0, left=1.0, flagged=flagged, hot=0.003)
        found = frames.read(*scene.write(tmp_path))
        single = found.singles[0]
        assert single.fixed.any() == bool(flagged)
        stars = frame_stars.of_single(single, found, SETTINGS)
        assert (len(stars.narrow) > 100) == (not flagged)
        assert len(stars) < 3


def test_clusters_among_hot_pixels_are_fewer_than_expected(tmp_path):
    """`fixed_share` is no less than the share of star-like sources among all that repeat, at 1.5 % hot pixels."""
    scene = HotPixels(side=1000, stars=0, left=1.0, drift=0.0)
    found = frames.read(*scene.write(tmp_path))
    lists = frame_stars.of_frames(found, SETTINGS)
    doubtful = fixed_pixels.doubt(tuple(found.singles), tuple(lists), SETTINGS["registration"])
    assert 3 < doubtful.own.sum() < doubtful.hot
    assert doubtful.own.sum() == doubtful.other.sum()


def test_same_pixel_follows_the_detector():
    """A displacement with rotation, scale and a quadratic part, from the nodes of a grid."""
    x, y = np.meshgrid(np.linspace(0, 2000, 33), np.linspace(0, 1000, 33))
    here = np.array([x, y])
    there = here + np.array([5.0 + 1e-3 * y, -7.0 + 1e-6 * x * y])
    singles = [
        frames.SingleDrizzle(
            name, 1.0, np.zeros((4, 4), np.float32), np.ones((4, 4), bool), np.zeros((4, 4), bool), detector=grid[None]
        )
        for name, grid in (("a", here), ("b", there))
    ]
    empty = frame_stars.FrameStars(np.empty((0, 2)), np.empty((0, 2), int), np.empty(0, bool), np.empty(0, int))
    found = fixed_pixels.same_pixel(tuple(singles), (empty, empty), SETTINGS["registration"])
    place = np.array([[300.0, 700.0], [1800.0, 50.0]])
    np.testing.assert_allclose(
        found.displacement(place), [[5.7, -7.0 + 0.21], [5.05, -7.0 + 0.09]], atol=1e-6
    )  # fmt: skip
    mine, theirs = found.repeated(place, np.array([[0.0, 0.0], [305.8, 693.3]]))
    assert (mine.tolist(), theirs.tolist()) == ([True, False], [False, True])
    # Neither a grid nor anything narrow: nothing is known
    for single in singles:
        single.detector = np.empty((0, 2, 0, 0))
    assert fixed_pixels.same_pixel(tuple(singles), (empty, empty), SETTINGS["registration"]) is None
