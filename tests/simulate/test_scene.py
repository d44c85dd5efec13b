"""The sky: sources, and the Gaia-like table of them."""

import numpy as np
import pytest
from astropy.table import Table
from snakedriz.simulate import Visit, simulate_visit
from snakedriz.simulate.distortion import filter_model


def test_reference_catalogue_is_the_truth_moved_to_its_epoch(truth):
    gaia = Table.read(truth.gaia, format="ascii.ecsv")
    assert gaia.meta["catalog"] == "GAIAeDR3"
    assert gaia.colnames == [
        "RA", "DEC", "ra_error", "dec_error", "pmra", "pmdec", "pmra_error", "pmdec_error", "mag", "objID", "epoch",
    ]  # fmt: skip
    assert set(gaia["epoch"]) == {2016.0}
    assert truth.visit.epoch == pytest.approx(2012.5074, abs=1e-4)
    stars = truth.star_table[np.asarray(gaia["objID"]) % 10**9 - 1]
    years = truth.visit.epoch - 2016.0
    moved_dec = gaia["DEC"] + gaia["pmdec"] * years / 3.6e6
    moved_ra = gaia["RA"] + gaia["pmra"] * years / 3.6e6 / np.cos(np.deg2rad(gaia["DEC"]))
    # Without errors the table moved to the epoch of the observation is the truth, to 0.001 mas.
    np.testing.assert_allclose((moved_dec - stars["dec"]) * 3.6e6, 0.0, atol=1e-3)
    np.testing.assert_allclose((moved_ra - stars["ra"]) * 3.6e6, 0.0, atol=1e-3)
    assert np.std((gaia["DEC"] - stars["dec"]) * 3.6e6) > 5.0  # and before that it is not: 5 mas/yr over 3.5 yr


def test_reference_catalogue_takes_the_brightest_and_has_the_error_asked_for(tmp_path):
    visit = Visit(
        chip_shape=(64, 64), n_exposures=1, n_stars=800, n_galaxies=0, cr_rate=0, n_reference=500, reference_error=2.0,
        reference_mag_range=(18.0, 25.5), make_flc=False,
    )  # fmt: skip
    truth = simulate_visit(visit, tmp_path)
    gaia, stars = truth.reference_table, truth.star_table
    assert len(gaia) == 500
    eligible = np.sort(stars["mag"][stars["mag"] >= 18.0])
    np.testing.assert_array_equal(gaia["mag"], eligible[:500])
    found = stars[np.asarray(gaia["objID"]) % 10**9 - 1]
    error = (gaia["DEC"] - found["dec"]) * 3.6e6
    # A standard deviation from 500 values has a relative error of 1/sqrt(1000) = 3.2 %.
    assert np.std(error) == pytest.approx(2.0, rel=5 * 0.032)


def test_scene_has_the_sources_asked_for_and_fluxes_that_fit_their_magnitudes(truth):
    assert len(truth.star_table) == 40
    assert len(truth.scene) == 43
    zeropoint = filter_model("F814W").zeropoint
    np.testing.assert_allclose(-2.5 * np.log10(truth.scene["flux"]) + zeropoint, truth.scene["mag"], rtol=1e-12)
