"""Noise, cosmic rays, saturation, bleeding and defects."""

import numpy as np
import pytest
from helpers.simulated import PLAIN, arrays
from snakedriz.simulate import Visit, simulate_visit
from snakedriz.simulate.detector import PIXEL_CM, bleed, chip_defects, cosmic_rays, expose, hot_currents


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
    frame = expose(np.full(shape, 50.0), defects, 500.0, Visit(cr_rate=0.0, seed=5), index=0)
    mild = (defects.dark > 0) & (defects.dark < 0.5)  # there the instability (5 % of the dark) is below the shot noise
    pull = (frame.sci[mild] - 50.0) / frame.err[mild]
    # Shot noise of 120 to 300 e- of dark and 5 % of that: the pull's rms is 1 to 1.25.
    assert 0.95 < np.std(pull) < 1.3


def test_hot_currents_fall_as_the_handbook_s_do():
    """390 new pixels a day above 0.08 e-/s, 16 above 1: those above 0.14 are 10**1.26 = 18 times those above 1.4."""
    current = hot_currents(np.random.default_rng(1).uniform(size=100_000), 1.26)
    assert 0.14 <= current.min() < current.max() <= 20.0
    # 5,500 pixels are above 1.4: 1.4 per cent each, 3 sigma. The cut at 20 e-/s takes 2 per mille of all, 4 % of those.
    assert np.sum(current > 1.4) == pytest.approx(100_000 / 10**1.26, rel=0.08)
    flat = hot_currents(np.random.default_rng(1).uniform(size=100_000), None)
    assert np.sum(flat > 1.4) == pytest.approx(100_000 * np.log(20 / 1.4) / np.log(20 / 0.14), rel=0.02)


def test_the_reference_dark_is_wrong_alike_in_all_exposures_and_misses_new_pixels():
    shape = (300, 300)
    defects = chip_defects(shape, 2, hot=0.02, warm=0.0, columns=0.0, seed=5, tail=1.26, residual=0.05, unflagged=0.1)
    new = (defects.dark > 0) & (defects.flags == 0)
    assert new.sum() == 180  # a tenth of 1800
    np.testing.assert_array_equal(defects.residual[new], defects.dark[new])
    old = defects.flags == 16
    assert np.std(defects.residual[old] / defects.dark[old]) == pytest.approx(0.05, rel=0.1)  # of 1620: 1.8 %, 5 sigma
    frames = [
        expose(np.full(shape, 50.0), defects, 500.0, Visit(cr_rate=0.0, seed=5), index=i).sci - 50.0 for i in (0, 1)
    ]
    # At least 70 e- of dark current on a noise of 12: common to both exposures
    assert all((frame[new] > 15).mean() > 0.99 for frame in frames)


def test_without_the_new_options_defects_are_as_before():
    plain = chip_defects((100, 100), 2, hot=0.02, warm=0.01, columns=0.02, seed=5)
    assert not plain.residual.any()
    assert (plain.flags.astype(bool) >= (plain.dark > 0)).all()
