"""Exposures tied to each other by their sources: displacements are found, with honest errors."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.displaced_visit import WFC
from snakedriz.alignment.relative_alignment import remaining_offsets, tie
from snakedriz.alignment.tangent_plane import PlacedExposure

OPTIONS = WFC["fitting"]
ERROR = 0.02  # px


def placed(rng, stars, shift=(0.0, 0.0), rotation=0.0, name="j1"):
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    xy = stars @ np.array([[c, -s], [s, c]]).T + shift + rng.normal(0, ERROR, stars.shape)
    n = len(xy)
    return PlacedExposure(
        rootname=name, correctors={}, sources=Table(), exptime=500.0, start=xy, error=np.full(n, ERROR),
        mag=np.zeros(n), row=np.arange(n), centre=np.zeros(2), outlines=[],
    )  # fmt: skip


def test_displaced_and_turned_exposures_are_brought_to_the_majority():
    rng = np.random.default_rng(0)
    stars = rng.uniform(-500, 500, (100, 2))
    moves = [((0.0, 0.0), 0.0), ((0.0, 0.0), 0.0), ((0.0, 0.0), 0.0), ((5.0, -3.0), 0.02)]
    exposures = [placed(rng, stars, *move, name=f"j{i}") for i, move in enumerate(moves)]
    offsets = remaining_offsets(exposures, OPTIONS)
    assert np.abs(offsets[3] - [5.0, -3.0]).max() < 0.05
    assert tie(exposures, OPTIONS) == exposures
    # 100 stars of 0.02 px: 0.002 px per axis and exposure, five times that; 0.002 px / 400 px = 3e-4 deg.
    assert np.abs(exposures[3].moved - [-5.0, 3.0]).max() < 0.015
    assert np.abs([e.moved for e in exposures[:3]]).max() < 0.01
    assert np.degrees(exposures[3].rotation) == pytest.approx(-0.02, abs=1.5e-3)
    assert [e.relative.role for e in exposures].count("first") == 1
    assert {e.relative.geometry for e in exposures} == {"rscale"}
    for exposure in exposures:
        # against the mean of four: sqrt(3/4) of 0.002 px; known from 600 residuals to a few per cent
        assert exposure.relative.error_px == pytest.approx(0.002 * np.sqrt(0.75), rel=0.2)
        assert exposure.relative.error95_px == pytest.approx(1.96 * exposure.relative.error_px, rel=0.01)
    assert np.abs(remaining_offsets(exposures, OPTIONS)).max() < 0.015


def test_quoted_errors_of_a_tie_cover_the_truth():
    """Two exposures: half of their difference, 68 per cent of 2 x 60 coordinates (standard deviation 0.043)."""
    inside = []
    for seed in range(60):
        rng = np.random.default_rng([seed, 1])
        stars = rng.uniform(-500, 500, (8, 2))
        pair = tie([placed(rng, stars, name="a"), placed(rng, stars, name="b")], OPTIONS)
        truth = (pair[0].shift - pair[1].shift) / 2
        inside += list(np.abs(truth) < pair[0].relative.error_px)
    assert np.mean(inside) == pytest.approx(0.6827, abs=0.13)


def test_what_shares_too_few_sources_is_not_tied():
    rng = np.random.default_rng(2)
    stars = rng.uniform(-500, 500, (60, 2))
    exposures = [placed(rng, stars), placed(rng, stars), placed(rng, rng.uniform(-500, 500, (30, 2)), name="other")]
    assert tie(exposures, OPTIONS) == exposures[:2]
    assert not exposures[2].tied
    assert "no significant peak" in exposures[2].untied_reason
    assert remaining_offsets(exposures, OPTIONS)[2] is None
    alone = [placed(rng, stars), exposures[2]]
    assert tie(alone, OPTIONS) == []
    assert not any(e.tied for e in alone)
    assert all(e.untied_reason for e in alone)
