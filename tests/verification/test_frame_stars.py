"""Stars on drizzled frames: known ones are found where they are and as wide as they are, and rays are not."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, numbers, read
from snakedriz.verification import frame_stars

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


def test_nothing_is_found_on_nothing():
    blank = np.zeros((60, 60), np.float32)
    found = frame_stars.find(blank, blank == 0, SETTINGS)
    assert (found.positions.shape, found.places.shape, found.narrow.shape) == ((0, 2), (0, 2), (0, 2))
