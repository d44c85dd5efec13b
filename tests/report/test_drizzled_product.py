"""Drizzled products as comparisons read them, and files that are none."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.compared import DETECTORS
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.report import drizzled_product


def test_what_is_no_product_is_said(pair, tmp_path):
    card = tmp_path / "card.fits"
    fits.PrimaryHDU(header=fits.Header([("OUTCOME", "not_applicable"), ("REASON", "no catalogue")])).writeto(card)
    with pytest.raises(NotApplicable, match="holds no image: not_applicable: no catalogue"):
        drizzled_product.read(card, DETECTORS)
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "plain.fits")
    with pytest.raises(SnakedrizError, match="expected a drizzled product with SCI and WHT"):
        drizzled_product.read(tmp_path / "plain.fits", DETECTORS)
    with fits.open(pair[0]) as hdul:
        hdul["WHT"].data[:] = 0
        hdul.writeto(tmp_path / "none.fits")
    with pytest.raises(SnakedrizError, match="no pixel has weight"):
        drizzled_product.read(tmp_path / "none.fits", DETECTORS)
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(SnakedrizError, match="cannot be read as FITS"):
        drizzled_product.read(tmp_path / "text.fits", DETECTORS)


def test_pixels_and_sky_are_one_anothers_inverse_and_only_covered_ones_are_there(pair):
    product, numbers = drizzled_product.read(pair[0], DETECTORS)
    assert (product.filters, product.wcsname, product.name) == ("F814W", "IDC_x", "a/a_drc.fits")
    assert numbers["verification"]
    xy = np.array([[200.0, 150.0], [-5.0, 10.0], [np.nan, 3.0]])
    np.testing.assert_allclose(product.pixel(product.sky(xy[:2])), xy[:2], atol=1e-6)
    assert product.has(xy).tolist() == [True, False, False]
