"""Offsets of the stars in a product from the truth."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.simulated import product
from snakedriz.simulate import measure_offsets, read_truth


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.36, -0.41)])
def test_measure_offsets_finds_a_known_displacement(clean, tmp_path, shift):
    table = measure_offsets(
        product(tmp_path / "p.fits", clean, shift), read_truth(clean.directory), mag_range=(19.0, 21.0)
    )
    summary = table.meta["summary"]
    assert summary["n"] > 15
    # Neighbours 2.5 mag fainter outside 12 pixels do not matter: 0.3 mas is 0.006 pixel.
    np.testing.assert_allclose(table["dra_mas"], shift[0] * 1000, atol=0.3)
    np.testing.assert_allclose(table["ddec_mas"], shift[1] * 1000, atol=0.3)
    assert summary["median_radial_mas"] == pytest.approx(np.hypot(*shift) * 1000, abs=0.3)


def test_measure_offsets_without_stars_says_so(clean, tmp_path):
    fits.writeto(tmp_path / "empty.fits", np.zeros((5, 5), dtype=np.float32))
    table = measure_offsets(tmp_path / "empty.fits", clean, mag_range=(1.0, 2.0))
    assert table.meta["summary"]["n"] == 0
    assert np.isnan(table.meta["summary"]["rms_mas"])
