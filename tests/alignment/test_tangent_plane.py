"""Exposures in one plane, and the stars that they share."""

from dataclasses import replace

import numpy as np
import pytest
from snakedriz.alignment.tangent_plane import PlacedRows, TangentPlane, inside, merge, place, positions
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


@pytest.mark.parametrize("dec", [-30.0, 0.0, 80.0])
def test_covariances_of_catalogue_rows(dec):
    """Against scattered positions: 20,000 know an element to 1 per cent of the errors' product; 4 sigma are 0.04."""
    rng = np.random.default_rng(4)
    plane = TangentPlane(150.0, dec, 0.05)
    east, north, rho = 30.0, 10.0, 0.7
    for away in (0.0, 0.08):  # deg of the great circle; at 80 deg north is 0.45 deg from that of the middle
        ra, there = 150.0 + away / np.cos(np.radians(dec)), dec + away
        rows = PlacedRows.of(
            plane, [ra], [there], [np.hypot(east, north) / np.sqrt(2)], errors=([east], [north], [rho])
        )
        e, n = rng.multivariate_normal([0, 0], [[east**2, rho * east * north], [rho * east * north, north**2]], 20000).T
        uv = plane.from_sky(ra + e / 3.6e6 / np.cos(np.radians(there)), there + n / 3.6e6)
        assert np.abs(np.cov(uv.T) - rows.covariance[0]).max() < 0.04 * 0.6**2
        assert rows.covariance[0, 0, 1] < 0  # east and north together: x grows to the west
        assert rows.error[0] ** 2 == pytest.approx(np.trace(rows.covariance[0]) / 2, rel=1e-6)
    turn = np.degrees(np.arctan2(*_axes(rows.covariance[0]))) - np.degrees(np.arctan2(*_axes(_flat(east, north, rho))))
    assert abs(turn) == pytest.approx(abs(0.08 * np.tan(np.radians(dec))), abs=0.01)
    assert PlacedRows.of(plane, [150.0], [dec], [5.0]).covariance is None


def _axes(matrix):
    """Return the direction of the longer axis of a covariance."""
    axis = np.linalg.eigh(matrix)[1][:, 1]
    return axis * np.sign(axis[0])


def _flat(east, north, rho):
    """Return a covariance (px^2 of 50 mas) at the point of tangency."""
    return np.array([[east**2, -rho * east * north], [-rho * east * north, north**2]]) / 50.0**2


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
