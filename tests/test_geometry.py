"""The sphere, the tangent plane, corners and angles, against astropy."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from snakedriz import geometry
from snakedriz.geometry import Cone


@pytest.fixture(params=[(150.0, 2.0), (359.999, -60.0), (12.0, 89.99), (201.7, -47.5)], ids=str)
def field(request):
    """A point of tangency and 50 directions within a degree of it."""
    rng = np.random.default_rng(3)
    here = SkyCoord(*request.param, unit="deg")
    there = here.directional_offset_by(rng.uniform(0, 360, 50) * u.deg, rng.uniform(0, 1, 50) * u.deg)
    return *request.param, np.column_stack([there.ra.deg, there.dec.deg])


def test_the_mean_direction_is_that_of_unit_vectors(field):
    sky = SkyCoord(field[2], unit="deg").cartesian.mean()
    ra, dec = geometry.mean_direction(field[2])
    mean = SkyCoord(ra * u.deg, dec * u.deg)
    assert mean.separation(SkyCoord(sky, representation_type="cartesian")).arcsec < 1e-9
    assert 0 <= ra < 360


def test_the_plane_is_the_gnomonic_projection_of_wcs_and_its_inverse(field):
    ra0, dec0, sky = field
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [ra0, dec0], [1.0, 1.0]
    xi, eta, front = geometry.sky_to_plane(*sky.T, ra0, dec0)
    assert front.all()
    np.testing.assert_allclose(np.column_stack([xi, eta]), wcs.wcs_world2pix(sky, 0) + 1, atol=1e-11)
    back = SkyCoord(geometry.plane_to_sky(xi, eta, ra0, dec0), unit="deg")
    assert back.separation(SkyCoord(sky, unit="deg")).arcsec.max() < 1e-8
    assert not geometry.sky_to_plane([(ra0 + 180) % 360], [-dec0], ra0, dec0)[2].any()


def test_a_cone_covers_what_is_within_its_radius(field):
    ra0, dec0, sky = field
    away = SkyCoord(ra0, dec0, unit="deg").separation(SkyCoord(sky, unit="deg")).deg
    np.testing.assert_allclose(geometry.separation(ra0, dec0, sky), away, atol=1e-12)
    assert Cone(ra0, dec0, away.max() + 1e-9).covers([sky[:20], sky[20:]])
    assert not Cone(ra0, dec0, away.max() - 1e-9).covers([sky])


def test_corners_are_the_outer_edges_of_the_pixels():
    assert geometry.chip_corners(4, 2).tolist() == [[-0.5, -0.5], [3.5, -0.5], [3.5, 1.5], [-0.5, 1.5]]


@pytest.mark.parametrize("angle", [0.0, 1e-6, -0.3, 3.0])
def test_angles(angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert geometry.rotation(1.7 * turn) == pytest.approx(angle, abs=1e-15)
    assert geometry.orientation(np.array([[-1.0, 0.0], [0.0, 1.0]]) @ turn) == pytest.approx(
        np.degrees(angle), abs=1e-12
    )
