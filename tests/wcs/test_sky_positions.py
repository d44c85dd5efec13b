"""Distances between the positions that two solutions give."""

import numpy as np
import pytest
from astropy.wcs import WCS
from helpers.shared_data import shared
from snakedriz.errors import SnakedrizError
from snakedriz.wcs import sky_positions, solutions


def test_distances_are_on_the_sky_also_across_0h():
    first = {1: np.array([[359.9999999, 60.0], [10.0, 0.0]])}
    second = {1: np.array([[0.0000001, 60.0], [10.0, 0.0]])}
    assert sky_positions.difference(first, second) == pytest.approx(2e-7 * 0.5 * 3.6e9, rel=1e-4)  # cos(60 deg)
    assert sky_positions.difference(first, {2: second[1]}) == np.inf
    assert sky_positions.difference(first, {1: second[1] * np.nan}) == np.inf


def test_the_active_wcs_is_the_primary_solution():
    exposure = solutions.open_exposure(shared("headers/sample_svm_flc.fits"))
    before = [hdu.header.tostring() for hdu in exposure]
    primary = solutions.read(exposure)[0]
    own = sky_positions.of_solution(exposure, primary)
    assert sky_positions.difference(own, sky_positions.of_exposure(exposure)) <= sky_positions.LIMIT_MICROARCSEC
    bare = sky_positions.of_solution(exposure, primary, tables=False)
    assert sky_positions.difference(own, bare) > 1000  # NPOL and D2IM: some mas
    assert [hdu.header.tostring() for hdu in exposure] == before


def test_a_header_without_a_wcs_is_an_error_with_its_reason():
    header = WCS(naxis=2).to_header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "nonsense"
    with pytest.raises(SnakedrizError, match="not a usable WCS"):
        sky_positions.sky(header, None, np.ones((1, 2)))
