"""Positions by fitting stars with the PSF that they make themselves."""

import numpy as np
import pytest
from snakedriz.detection import effective_psf

HALF, SIGMA, RADIUS = 5, 0.9, 4.0


def stars(n, seed, wings=0.0, noise=1.0):
    """Stamps of n stars at random places of their central pixel: a Gaussian, and wings that lean to one side."""
    rng = np.random.default_rng(seed)
    xy, flux = rng.uniform(-0.5, 0.5, (n, 2)), rng.uniform(5e3, 5e4, n)
    gy, gx = np.mgrid[-HALF : HALF + 1, -HALF : HALF + 1]
    dx, dy = gx - xy[:, 0, None, None], gy - xy[:, 1, None, None]
    core = np.exp(-(dx**2 + dy**2) / (2 * SIGMA**2)) / (2 * np.pi * SIGMA**2)
    halo = np.exp(-(dx**2 + dy**2) / (2 * 4 * SIGMA**2)) / (2 * np.pi * 4 * SIGMA**2) * (1 + 0.5 * np.sin(dx * dy))
    light = flux[:, None, None] * ((1 - wings) * core + wings * halo)
    variance = light + noise**2
    return light + rng.normal(0, 1, light.shape) * np.sqrt(variance), variance, xy, flux


def fitted(stamps, variance, psf, **options):
    every, start = np.ones(stamps.shape, bool), np.zeros((len(stamps), 2))
    return effective_psf.fit_stamps(stamps, variance, every, start, psf, RADIUS, **options)


@pytest.mark.parametrize("free", [True, False])
def test_gaussian_stars_are_found_where_they_are_within_their_errors(free):
    stamps, variance, xy, flux = stars(300, 1)
    psf = effective_psf.EffectivePSF(SIGMA * (1.1 if free else 1.0), HALF)
    found = fitted(stamps, variance, psf, free_width=free)
    pulls = np.concatenate([(found[c] - xy[:, i]) / found[f"{c}_err"] for i, c in enumerate("xy")])
    assert abs(pulls.mean()) < 0.15
    assert 0.85 < pulls.std() < 1.15
    assert np.median(np.abs(found["flux"] / flux - 1)) < 0.02
    assert np.median(np.abs(found["sigma"] - SIGMA)) < 0.02
    assert 0.6 < np.mean(found["square"]) / np.mean(found["expected"]) < 1.2  # residuals are what variances say


def test_a_pixel_that_is_not_good_does_not_count():
    stamps, variance, *_ = stars(20, 2)
    psf = effective_psf.EffectivePSF(SIGMA, HALF)
    broken, good = stamps.copy(), np.ones(stamps.shape, bool)
    broken[:, HALF + 1, HALF], good[:, HALF + 1, HALF] = 1e6, False
    start = np.zeros((20, 2))
    found = [effective_psf.fit_stamps(data, variance, good, start, psf, RADIUS)["x"] for data in (stamps, broken)]
    np.testing.assert_allclose(*found, atol=1e-5)  # only the first guess of the flux differs


def test_stars_that_are_no_gaussians_are_fitted_better_by_their_own_psf():
    stamps, variance, xy, _ = stars(200, 3, wings=0.3)
    gaussian, own = effective_psf.EffectivePSF(SIGMA, HALF), effective_psf.build(stamps, variance, SIGMA, RADIUS)
    assert (own.origin, own.stars) == ("image", 200)
    other, variance, xy, _ = stars(200, 4, wings=0.3)
    error = [np.std(fitted(other, variance, psf)["x"] - xy[:, 0]) for psf in (gaussian, own)]
    quality = [np.median(fitted(other, variance, psf)["qfit"]) for psf in (gaussian, own)]
    assert quality[1] < 0.5 * quality[0]
    assert error[1] < error[0]


def test_few_stars_give_a_gaussian():
    stamps, variance, *_ = stars(5, 5)
    psf = effective_psf.build(stamps, variance, SIGMA, RADIUS)
    assert psf.origin == "gaussian"
    assert psf(np.zeros(1), np.zeros(1))[0] == pytest.approx(1 / (2 * np.pi * SIGMA**2))


def test_stars_cluster_at_one_width_and_cosmic_rays_do_not():
    rng = np.random.default_rng(6)
    widths = np.r_[rng.normal(0.95, 0.02, 40), rng.uniform(0.3, 2.0, 200)]
    assert effective_psf.common_width(widths, np.ones(240), 0.9) == pytest.approx(0.95, abs=0.03)
    assert effective_psf.common_width(widths[:2], np.ones(2), 0.9) is None
