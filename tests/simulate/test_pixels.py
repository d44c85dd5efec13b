"""Pixels of simulated visits: point-spread function, noise, saturation, cosmic rays, defects, charge transfer."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from snakedriz.simulate import Visit, simulate_visit
from snakedriz.simulate.detector import PIXEL_CM, bleed, chip_defects, cosmic_rays, expose
from snakedriz.simulate.pixels import add_galaxy, add_stars, charge_trails, jacobians, pixel_area, psf_peak

PLAIN = {"cr_rate": 0.0, "hot_pixels": 0.0, "warm_pixels": 0.0, "bad_columns": 0.0, "n_galaxies": 0, "make_raw": False}


def arrays(path, name):
    with fits.open(path) as hdus:
        return [hdus[name, version].data.copy() for version in (1, 2)]


def test_noise_of_the_sky_is_poisson_plus_read_noise_and_equals_err(tmp_path):
    visit = Visit(chip_shape=(256, 512), n_exposures=1, n_stars=0, **PLAIN)
    truth = simulate_visit(visit, tmp_path)
    sci, err = (np.concatenate([a.astype(float).ravel() for a in arrays(truth.flc[0], n)]) for n in ("SCI", "ERR"))
    sky = visit.sky * 500.0
    variance = sky + visit.read_noise**2
    # N = 262144 pixels: the mean has a relative error of sqrt(variance/N), the variance one of sqrt(2/N) = 0.28 %
    # (the kurtosis of Poisson noise of 50 e- adds 1 % to that). Five sigma each.
    assert sci.mean() == pytest.approx(sky, abs=5 * np.sqrt(variance / sci.size))
    assert sci.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / sci.size))
    # ERR is made from the noisy counts: its square averages to the variance, with the error of the mean count.
    assert np.mean(err**2) == pytest.approx(variance, abs=5 * np.sqrt(variance / sci.size) + 1e-3)


def test_exposures_have_independent_noise(tmp_path):
    truth = simulate_visit(Visit(chip_shape=(128, 128), n_exposures=2, n_stars=0, **PLAIN), tmp_path)
    first, second = (np.concatenate([a.ravel() for a in arrays(p, "SCI")]) for p in truth.flc)
    other = arrays(truth.flc[0], "SCI")
    # The correlation of N = 32768 independent pairs has a standard error of 1/sqrt(N).
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(first.size)
    assert abs(np.corrcoef(other[0].ravel(), other[1].ravel())[0, 1]) < 5 / np.sqrt(first.size / 2)


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


def test_bleeding_clips_and_conserves_charge():
    image = np.full((200, 5), 10.0)
    image[100, 2] = 20 * 84700.0
    total = image.sum()
    full = bleed(image, 84700.0)
    assert image.max() <= 84700.0
    assert image.sum() == pytest.approx(total, rel=1e-12)
    rows = np.flatnonzero(full[:, 2])
    assert full[:, [0, 1, 3, 4]].sum() == 0
    assert len(rows) in (19, 20, 21) and abs(rows.mean() - 100) < 1
    np.testing.assert_allclose(image[:, [0, 1, 3, 4]], 10.0)


def test_saturated_stars_are_clipped_and_flagged(tmp_path):
    visit = Visit(chip_shape=(128, 256), n_exposures=1, n_stars=6, mag_range=(15.0, 15.5), **PLAIN)
    truth = simulate_visit(visit, tmp_path)
    sci, dq = (np.concatenate(arrays(truth.flc[0], n)) for n in ("SCI", "DQ"))
    assert np.sum(dq & 256) > 0
    assert sci.max() < visit.full_well + 6 * visit.read_noise
    assert np.all(dq[sci > visit.full_well + 5.5 * visit.read_noise] & 256)
    assert np.all(sci[(dq & 256) > 0] > visit.full_well - 6 * visit.read_noise)
    assert truth.details["exposures"][0]["saturated_pixels"] == [
        int(np.sum(a & 256 > 0)) for a in arrays(truth.flc[0], "DQ")
    ]


def test_cosmic_rays_are_not_flagged_and_differ_between_exposures(tmp_path):
    options = {**PLAIN, "chip_shape": (128, 256), "n_exposures": 2, "n_stars": 20, "noise": False}
    without = simulate_visit(Visit(**options), tmp_path / "a")
    hit = simulate_visit(Visit(**{**options, "cr_rate": 3.0}), tmp_path / "b")
    masks = []
    for clean, dirty in zip(without.flc, hit.flc, strict=True):
        rays = np.concatenate(arrays(dirty, "SCI")) - np.concatenate(arrays(clean, "SCI"))
        assert rays.min() >= -0.02
        masks.append(rays > 50.0)
        assert masks[-1].sum() > 100
        unsaturated = (np.concatenate(arrays(dirty, "DQ")) & 256) == 0
        same = np.concatenate(arrays(dirty, "DQ")) == np.concatenate(arrays(clean, "DQ"))
        assert same[unsaturated].all()
        assert not (np.concatenate(arrays(dirty, "DQ")) & (4096 | 8192)).any()
    share = masks[0].mean()
    # Independent masks overlap in share**2 of the pixels; hits are clumps of several pixels, hence the factor.
    assert (masks[0] & masks[1]).mean() < 5 * share**2 + 1e-3


def test_cosmic_ray_rate_and_affected_pixels():
    shape, exptime, rate = (1024, 1024), 1000.0, 1.2
    image, hits = cosmic_rays(shape, exptime, rate, seed=3, index=0)
    expected = rate * exptime * shape[0] * shape[1] * PIXEL_CM**2
    assert hits == pytest.approx(expected, abs=5 * np.sqrt(expected))
    # The ACS handbook gives 1.5 to 3 % of the pixels in 1000 s; above 3 sigma of the noise here.
    assert 0.012 < np.mean(image > 30.0) < 0.035
    per_hit = image.sum() / hits
    assert 1000 < per_hit < 5000


def test_defects_have_their_fractions_flags_and_place():
    defects = chip_defects((500, 400), 2, hot=0.01, warm=0.02, columns=0.02, seed=1)
    assert np.sum((defects.flags & 16) > 0) == pytest.approx(2000, abs=10)
    assert np.sum((defects.flags & 64) > 0) == pytest.approx(4000, rel=0.03)  # some are overwritten by hot ones
    columns = np.flatnonzero((defects.flags & 4).any(axis=0))
    assert len(columns) == 8
    assert (defects.flags[-1, columns] & 4).all()  # chip 2 is read at the lower edge: defects reach the upper one
    assert (defects.response[(defects.flags & 4) > 0] < 0.5).all()
    assert (defects.dark[(defects.flags & 16) > 0] >= 0.14).all()
    top = chip_defects((500, 400), 1, hot=0.0, warm=0.0, columns=0.02, seed=1)
    assert (top.flags[0, np.flatnonzero(top.flags.any(axis=0))] & 4).all()


def test_hot_pixels_scatter_as_err_says():
    shape = (300, 300)
    defects = chip_defects(shape, 2, hot=0.2, warm=0.0, columns=0.0, seed=5)
    frame = expose(np.full(shape, 50.0), defects, 500.0, 4.5, 84700.0, 0.0, True, seed=5, index=0)
    mild = (defects.dark > 0) & (defects.dark < 0.5)  # there the instability (5 % of the dark) is below the shot noise
    pull = (frame.sci[mild] - 50.0) / frame.err[mild]
    # Shot noise of 120 to 300 e- of dark and 5 % of that: the pull's rms is 1 to 1.25.
    assert 0.95 < np.std(pull) < 1.3


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
