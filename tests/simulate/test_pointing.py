"""Where exposures point, truly and as reported."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from helpers.simulated import EXTRA, ROLL, difference
from snakedriz.simulate.pointing import aperture_position, separation


def test_reported_pointing_is_off_by_the_errors_asked_for(clean, updated):
    for index in (0, 1):
        delta = difference(updated[index], clean.wcs[index])
        expected = np.array(clean.visit.pointing_error) + (np.array(EXTRA) if index == 1 else 0.0)
        # The displaced frame keeps its PA_V3, and so turns by 0.35 arcsec times tan(dec): far below 0.1 mas.
        np.testing.assert_allclose(delta, np.broadcast_to(expected[:, None], delta.shape), atol=2e-4)


def test_roll_error_turns_the_frame_about_the_aperture(clean, updated):
    with fits.open(updated[2]) as hdus:
        assert hdus[0].header["PA_V3"] == pytest.approx(clean.visit.pa_v3 + ROLL, abs=1e-9)
    delta = difference(updated[2], clean.wcs[2]) - np.array(clean.visit.pointing_error)[:, None]
    # A turn by 0.05 deg displaces a point at 10 arcsec by 8.7 mas; the mean over the symmetric grid is nearly zero.
    assert np.hypot(*delta).max() > 0.008
    assert np.hypot(*delta.mean(axis=1)) < 0.001
    with fits.open(updated[2]) as turned, fits.open(updated[0]) as straight:
        angle = turned["SCI", 1].header["ORIENTAT"] - straight["SCI", 1].header["ORIENTAT"]
    assert angle == pytest.approx(ROLL, abs=0.002)


def test_linear_solution_on_disk_is_free_of_velocity_aberration(clean, updated):
    with fits.open(clean.flc[1]) as plain, fits.open(updated[1]) as full:
        for version in (1, 2):
            before, after = plain["SCI", version].header, full["SCI", version].header
            assert abs(before["VAFACTOR"] - 1) > 4e-5
            ratio = [after[k] / before[k] for k in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
            np.testing.assert_allclose(ratio, before["VAFACTOR"], rtol=1e-8)


def test_dithers_move_the_stars_along_the_detector(clean):
    star = clean.star_table[0]
    first, second = (w[0].all_world2pix([[star["ra"], star["dec"]]], 1)[0] for w in clean.wcs[:2])
    moved = np.array(clean.visit.dithers[1]) - np.array(clean.visit.dithers[0])
    # Pixels are 0.05 arcsec to a few per cent and the axes are skewed by two degrees: this checks signs and axes.
    np.testing.assert_allclose((second - first) * 0.05, moved, atol=0.2)
    assert np.hypot(*moved) > 2.5


def test_zero_dither_points_the_aperture_at_the_target(clean):
    pointing = SimpleNamespace(facts=SimpleNamespace(shape=clean.visit.chip_shape), wcs=clean.wcs[0])
    assert separation(aperture_position(pointing), (clean.visit.ra, clean.visit.dec)) == pytest.approx((0, 0), abs=1e-5)
