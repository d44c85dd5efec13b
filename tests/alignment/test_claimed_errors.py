"""Where a fit claims an uncertainty, truth lies within it as often as it should.

Tolerances are three standard deviations of the binomial distribution of two coordinates per fit, plus 0.01 for the
simulation's own departures (which stars the middle is of, exposures that share a catalogue). Seeds are fixed.
tests/benchmarks/coverage.py draws worlds in which true errors are not what is quoted.
"""

import math

import numpy as np
import pytest
from helpers.fit_simulator import SETTINGS, Scene, corrected, covered, trial
from snakedriz.alignment import astrometry

FITS = 60


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return Scene.make(tmp_path_factory.mktemp("scene"), exposures=2)


def assert_honest(claims, fits):
    """Not fewer than they say. More may: floors and distortion, which are allowed for, are not in this world."""
    one, two, _ = covered(claims)
    for share, level in ((one, 0.6827), (two, 0.95)):
        tolerance = 3.0 * math.sqrt(level * (1.0 - level) / (2 * fits)) + 0.01
        assert share > level - tolerance, f"{share:.3f} of the claims hold, {level} should, within {tolerance:.3f}"


@pytest.mark.parametrize(
    ("method", "geometry", "n"),
    [
        ("relative", "shift", 6),
        ("relative", "rscale", 20),
        ("relative", "rscale", 50),
        ("2dhist", "rscale", 20),
    ],
)
def test_fits_are_as_good_as_they_say(scene, method, geometry, n):
    """The frame, each exposure, and the exposures about each other."""
    found = [trial(scene, np.random.default_rng([seed, n]), n, method, geometry) for seed in range(FITS)]
    assert all(f.fit.outcome == "ok" for f in found)
    assert_honest([c for f in found for c in f.frame], FITS)
    assert_honest([c for f in found for c in f.each], FITS)
    if method == "relative":
        assert_honest([c for f in found for c in f.relative], FITS)


def test_errors_quoted_too_small_do_no_harm(scene):
    """Source and catalogue errors that are twice what is quoted: the scatter of the residuals shows it."""
    found = [trial(scene, np.random.default_rng([seed, 1]), 10, understated=2.0) for seed in range(FITS)]
    assert_honest([c for f in found for c in f.frame], FITS)
    assert_honest([c for f in found for c in f.relative], FITS)


def test_measured_astrometry_is_as_good_as_it_says(scene):
    """10 stars: the offset of the WCS to start from (350, -400 mas), and the zero point from stars held out."""
    n, fits, offsets, held_out, ratios = 10, 60, [], [], []
    for seed in range(fits):
        found = trial(scene, np.random.default_rng([seed, n, 2]), n, catalog_mas=(2.0, 2.0))
        catalogs = {"GAIAeDR3": found.reference}
        one = astrometry.measure("default", found.exposures, catalogs, SETTINGS).absolute
        offsets.append((np.array(one.offset_mas) - (350.0, -400.0), one.error_mas, one.error95_mas))
        with corrected(found) as exposures:
            after = astrometry.measure("aposteriori", exposures, catalogs, SETTINGS, found.fit)
        held = after.held_out
        held_out += list(np.abs(found.frame[0][0]) < held.zero_point_error_mas)
        ratios.append(held.rms_mas / held.in_sample_rms_mas)
    assert_honest(offsets, fits)
    # By jackknife alone: three standard deviations of 120 coordinates
    assert np.mean(held_out) > 0.6827 - 3.0 * math.sqrt(0.68 * 0.32 / (2 * fits))
    # A mean of n has (n - 1)/n of the variance in sample and (n + 1)/n out of it: 1.106; other exposures of a star,
    # whose errors differ from the catalogue's, take their part of both.
    assert 1.02 < np.median(ratios) < 1.35
