"""Point-spread function, stars, galaxies, pixel area and charge transfer."""

import numpy as np
import pytest
from helpers.simulated import PLAIN, arrays
from snakedriz.simulate import Visit, simulate_visit
from snakedriz.simulate.pixels import (
    SPIKE_SHARE,
    Psf,
    add_galaxy,
    add_spikes,
    add_stars,
    charge_trails,
    jacobians,
    pixel_area,
    psf_peak,
)


def test_psf_is_normalised_and_two_pixels_wide():
    image = np.zeros((61, 61))
    add_stars(image, [31.0], [31.0], [1.0])
    assert image.sum() == pytest.approx(1.0, abs=1e-7)
    assert image[30, 30] == pytest.approx(psf_peak(), rel=1e-12)
    # The profile along a line, finely sampled by moving the star, falls to half at half the width.
    offsets = np.linspace(0.0, 3.0, 301)
    line = []
    for offset in offsets:
        image[:] = 0.0
        add_stars(image, [31.0 + offset], [31.0], [1.0])
        line.append(image[30, 30])
    fwhm = 2 * np.interp(0.5, (np.array(line) / line[0])[::-1], offsets[::-1])
    assert 1.9 < fwhm < 2.3


def test_stars_beyond_the_edge_lose_only_what_lies_outside():
    image = np.zeros((40, 40))
    add_stars(image, [0.5, 100.0], [20.0, 20.0], [1000.0, 1000.0])  # half of the first one is on the chip
    assert image.sum() == pytest.approx(500.0, abs=1e-3)


def test_galaxy_has_its_flux_and_half_light_radius():
    image = np.zeros((301, 301))
    scale = np.array([[-0.05, 0.0], [0.0, 0.05]])
    add_galaxy(image, 151.0, 151.0, 1.0, 1.0, 1.0, 0.0, scale)
    y, x = np.mgrid[1:302, 1:302]
    inside = np.hypot(x - 151.0, y - 151.0) <= 1.0 / 0.05
    assert image.sum() == pytest.approx(1.0, abs=5e-3)
    assert image[inside].sum() == pytest.approx(0.5, abs=0.02)


def test_galaxy_is_elongated_along_its_position_angle():
    image = np.zeros((201, 201))
    add_galaxy(image, 101.0, 101.0, 1.0, 0.6, 0.4, 30.0, np.array([[-0.05, 0.0], [0.0, 0.05]]))
    y, x = np.mgrid[1:202, 1:202] - 101.0
    east, north = -x, y
    angle = 0.5 * np.rad2deg(np.arctan2(2 * (image * east * north).sum(), (image * (north**2 - east**2)).sum()))
    assert angle == pytest.approx(30.0, abs=0.5)


def test_counts_follow_the_pixel_area(tmp_path):
    visit = Visit(
        chip_shape=(2048, 256), n_exposures=1, n_stars=40, mag_range=(19.0, 19.5), noise=False, sky=0.0,
        dither=((0.0, 0.0),), cte_amplitude=0.0, **PLAIN,
    )  # fmt: skip
    truth = simulate_visit(visit, tmp_path)
    stars = truth.star_table
    areas, ratios = [], []
    for version, image in enumerate(arrays(truth.flt[0], "SCI")):
        wcs = truth.wcs[0][version]
        near = wcs.wcs_world2pix(stars["ra"], stars["dec"], 1)[1]
        chosen = stars[(near > 30) & (near < 2018)]
        x, y = wcs.all_world2pix(chosen["ra"], chosen["dec"], 1)
        area = pixel_area(jacobians(wcs, x, y))
        for k in range(len(x)):
            alone = np.sort(np.hypot(x - x[k], y - y[k]))[1] > 45
            if alone and 20 < x[k] < 236 and 20 < y[k] < 2028:
                column, row = round(x[k]) - 1, round(y[k]) - 1
                total = image[row - 15 : row + 16, column - 15 : column + 16].sum(dtype=float)
                ratios.append(total / (chosen["flux"][k] * 500.0))
                areas.append(area[k])
    assert len(areas) > 8
    assert np.ptp(areas) > 0.02  # the range must be wide enough for the test to tell
    np.testing.assert_allclose(np.array(ratios) * np.array(areas), 1.0, atol=2e-4)


def test_charge_trails_displace_stars_less_than_a_hundredth_of_a_pixel_and_grow_with_distance():
    shifts = {}
    for row in (300.0, 1900.0):
        image = np.zeros((2048, 41))
        add_stars(image, [21.0], [row], [1e5])
        for top in (False, True):
            change = image + charge_trails(image, 0.003, top)
            y = np.arange(1, 2049)[:, None]
            assert change.sum() == pytest.approx(image.sum(), rel=1e-6)
            shifts[row, top] = (change * y).sum() / change.sum() - row
    assert 0 < shifts[300.0, False] < shifts[1900.0, False] < 0.01
    assert 0 > shifts[1900.0, True] > shifts[300.0, True] > -0.01


def test_flt_and_flc_share_their_noise_and_differ_by_the_trails(tmp_path):
    truth = simulate_visit(Visit(chip_shape=(256, 128), n_exposures=1, n_stars=30, **PLAIN), tmp_path)
    difference = np.concatenate(arrays(truth.flt[0], "SCI")).astype(float) - np.concatenate(arrays(truth.flc[0], "SCI"))
    assert 0 < np.abs(difference).max() < 0.003 * 84700
    assert np.median(np.abs(difference)) < 0.5  # far below the noise of 8.5 e-: it is the same realisation
    for a, b in zip(arrays(truth.flt[0], "DQ"), arrays(truth.flc[0], "DQ"), strict=True):
        assert np.array_equal(a, b)


def test_the_psf_is_as_wide_and_leans_as_far_as_asked():
    """Variances add up: 0.85 and 0.15 of the light; a wing that leans moves the centre by its share of the light."""
    y, x = np.mgrid[1:62, 1:62]
    found = []
    for width, lean in ((1.0, (0.0, 0.0)), (1.2, (0.0, 0.0)), (1.0, (0.4, -0.2))):
        image = np.zeros((61, 61))
        add_stars(image, [31.0], [31.0], [1.0], Psf((0.85, 0.15), (0.8, 2.0)), width, [lean])
        centre = np.array([(image * x).sum(), (image * y).sum()]) - 31
        found.append((centre, (image * ((x - 31) ** 2)).sum() - 1 / 12))
    core = 0.85 * 0.8**2 + 0.15 * 2.0**2
    assert [variance for _, variance in found[:2]] == pytest.approx([core, 1.44 * core], rel=1e-3)
    assert found[2][0] == pytest.approx([0.06, -0.03], abs=1e-4)


def test_spikes_lie_on_the_diagonals_and_hold_their_share():
    image = np.zeros((601, 601))
    add_spikes(image, [301.0], [301.0], [1e7], 0.05, faintest=0.0)
    # The first four pixels of each spike, 5 per cent of it, belong to the star.
    assert image.sum() == pytest.approx(1e7 * SPIKE_SHARE, rel=0.08)
    y, x = np.mgrid[-300:301, -300:301]
    assert image[np.abs(np.abs(x) - np.abs(y)) > 4].sum() == 0
    quarters = [image[(np.sign(x) == a) & (np.sign(y) == b)].sum() for a in (-1, 1) for b in (-1, 1)]
    assert quarters == pytest.approx([image.sum() / 4] * 4, rel=1e-6)
    add_spikes(faint := np.zeros((61, 61)), [31.0], [31.0], [1e3], 0.05)
    assert not faint.any()
