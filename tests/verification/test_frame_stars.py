"""Stars on drizzled frames: known ones are found where they are and as wide as they are, and rays are not."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, _star, numbers, read
from helpers.mosaics import HotPixels
from snakedriz.verification import frame_stars
from snakedriz.verification import frames as frames_

SETTINGS = numbers()


@pytest.mark.parametrize("sigma", [0.6, 0.85, 1.2, 1.6])
def test_widths_of_gaussians(sigma):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-5:6, -5:6]
    stamps = np.array([
        np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / (2 * sigma**2)) for dx, dy in rng.uniform(-0.5, 0.5, (50, 2))
    ])  # fmt: skip
    # Sampled, not integrated over pixels; below 0.7 px the sums over samples depend on the pixel phase
    assert np.median(frame_stars.widths(stamps)) == pytest.approx(sigma, rel=0.03)
    assert np.isnan(frame_stars.widths(-stamps)).all()


def test_stars_lie_in_the_same_places_in_every_exposure(tmp_path):
    frames = read(Scene(flags="none", rays=0.0, jitter=0.0), tmp_path)
    first, second = frame_stars.of_frames(frames, SETTINGS)[:2]
    apart = np.linalg.norm(first.positions[:, None] - second.positions, axis=2).min(axis=1)
    same = apart < 0.5
    assert same.mean() > 0.9
    # Stars of 1,500 electrons and more: their centroids are good to 0.05 px, and those of most to 0.02
    assert np.median(apart[same]) < 0.04
    assert np.abs(first.positions - first.places).max() < 2.0


def test_flagged_sources_come_last_and_chips_are_told_apart(tmp_path):
    frames = read(Scene(gap=20, displaced={0: (3.0, 0.0)}), tmp_path)
    found = frame_stars.of_single(frames.singles[0], frames, SETTINGS)
    assert found.touched.any()
    assert (np.diff(found.touched.astype(int)) >= 0).all()
    chips = [found.of_chip(chip) for chip in (1, 2)]
    assert sum(map(len, chips)) == len(found)
    assert chips[0].positions[:, 1].max() < chips[1].positions[:, 1].min()


@pytest.mark.parametrize(("detector", "sigma"), [("WFC", 0.72), ("WFC", 0.8), ("WFC", 1.0)])
def test_stars_are_broader_and_pixels_narrower_than_the_least_width(tmp_path, detector, sigma):
    """Stars of FWHM 1.9 px (0.81 with the pixel, 0.75 without) are all kept, 99 % of drizzled hot pixels are not."""
    counts = {}
    for stars, hot in ((150, 0.0), (0, 0.002)):
        scene = HotPixels(side=500, stars=0, hot=hot, left=1.0, seed=5)
        found = frames_.read(*scene.write(tmp_path))
        single = found.singles[0]
        rng = np.random.default_rng(1)
        for x, y in rng.uniform(15, 485, (stars, 2)):
            _star(single.image, x, y, 30.0, sigma)
        counts[stars] = frame_stars.of_single(single, found, SETTINGS)
    # Some of 150 stars lie within a few px of each other; faint hot pixels are lost in the noise
    assert len(counts[150]) > 135
    assert len(counts[150].narrow) < 8
    assert len(counts[0].narrow) > 200
    assert len(counts[0]) < 0.01 * len(counts[0].narrow) + 1


def test_nothing_is_found_on_nothing():
    blank = np.zeros((60, 60), np.float32)
    found = frame_stars.find(blank, blank == 0, SETTINGS)
    assert (found.positions.shape, found.places.shape, found.narrow.shape) == ((0, 2), (0, 2), (0, 2))
