"""Exposures in one plane, and the stars that they share."""

from dataclasses import replace

import numpy as np
import pytest
from snakedriz.alignment.tangent_plane import PlacedRows, inside, merge, place, positions
from snakedriz.errors import SnakedrizError


def test_positions_are_distances_on_the_sky(scene):
    plane, exposures = scene.frame
    assert plane.scale == pytest.approx(0.05, rel=0.03)
    rows = PlacedRows.of(plane, scene.ra, scene.dec, np.full(len(scene.ra), 5.0))
    assert rows.error == pytest.approx(0.1, rel=0.03)  # 5 mas of 50 mas
    ra, dec = plane.wcs.wcs.crval
    north = (scene.dec - dec) * 3600 / plane.scale
    west = (ra - scene.ra) * np.cos(np.radians(dec)) * 3600 / plane.scale
    assert np.abs(rows.uv - np.column_stack([west, north])).max() < 0.05  # within 20 arcsec the sky is flat
    for exposure, spot in zip(exposures, scene.spots, strict=True):
        # their pointing is 350 mas and 400 mas off
        away = (exposure.uv - rows.uv[spot[:, 0].astype(int)]) * plane.scale
        assert np.median(away, axis=0) == pytest.approx([-0.35, -0.40], abs=0.005)
        assert np.array_equal(exposure.uv, positions(plane, exposure.correctors, exposure.sources, exposure.row))
        assert len(exposure.outlines) == 2


def test_corrections_follow_each_other(scene):
    one = replace(scene.frame[1][0])
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    one.correct(np.eye(2), np.array([2.0, 0.0]))
    one.correct(turn, np.array([0.0, 1.0]))
    assert np.allclose(one.uv, (one.start + np.array([2.0, 0.0])) @ turn.T + [0.0, 1.0])
    assert (one.rotation, one.scale) == (pytest.approx(np.pi / 2), pytest.approx(1.0))


def test_stars_are_counted_once(scene):
    _, exposures = scene.frame
    stars = merge(exposures, 0.5)
    seen = set(np.concatenate([spot[:, 0] for spot in scene.spots]))
    assert len(stars.uv) == len(seen)
    assert stars.count.sum() == sum(len(spot) for spot in scene.spots)
    assert np.allclose(stars.error, 0.01 / np.sqrt(stars.count))
    assert np.abs(exposures[1].uv - stars.uv[stars.seen[1]]).max() < 0.01


def test_inside_an_outline():
    square = np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)])
    points = np.array([(1.0, 1.0), (3.0, 1.0), (2.0, 2.0)])
    assert list(inside(square, points)) == [True, False, True]
    assert inside(square[:2], points).all()  # no area: no statement


def test_sources_of_a_chip_that_is_not_there(scene):
    wrong = scene.exposures[0].sources.copy()
    wrong["chip"][0] = 3
    with pytest.raises(SnakedrizError, match=r"chips \[3\], but the exposure has \[1, 2\]"):
        place([replace(scene.exposures[0], sources=wrong)])
