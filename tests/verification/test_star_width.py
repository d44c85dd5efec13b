"""Widths of stars: known ones measured, smearing seen, cosmic rays and saturation without effect."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import Scene, numbers, read
from snakedriz.verification import frame_stars, star_width

SETTINGS = numbers()


def _measure(scene, directory):
    frames = read(scene, directory)
    found = star_width.measure(frames, frame_stars.of_frames(frames, SETTINGS), SETTINGS)
    return found, star_width.check(found, SETTINGS["psf_width_limit"])


def test_aligned_products_are_as_sharp_as_their_exposures(tmp_path):
    found, check = _measure(Scene(), tmp_path)
    assert check.passed is True
    assert found.ratio == pytest.approx(1.0, abs=0.02)
    # FWHM 2.0 px of the light, integrated over pixels: sqrt(0.85^2 + 1/12) x 2.355 = 2.11
    assert found.exposures[0].fwhm_px == pytest.approx(2.11, abs=0.08)


def test_smearing_is_measured(tmp_path):
    # Four exposures at +-0.6 px along x: variance per axis 0.81 becomes 0.81 + 0.36 along one, 11 % in mean width
    moved = {i: (0.6 * (-1) ** i, 0.0) for i in range(4)}
    found, check = _measure(Scene(displaced=moved, flags="true", stars=150), tmp_path)
    assert found.ratio == pytest.approx(np.sqrt((2 * 0.806 + 0.36) / (2 * 0.806)), abs=0.03)
    far = {i: (1.2 * (-1) ** i, 0.0) for i in range(4)}
    found, check = _measure(Scene(displaced=far, flags="true", stars=150), tmp_path)
    assert check.passed is False


def test_without_stars_there_is_no_width(tmp_path):
    found, check = _measure(Scene(stars=0), tmp_path)
    assert found.ratio is None
    assert check.passed is None
