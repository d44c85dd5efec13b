"""The linear WCS in a header."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from snakedriz.wcs import linear_wcs


def test_a_linear_wcs_is_written_so_that_it_is_read_back():
    angle, scale = np.radians(30.0), 0.05 / 3600
    north_up = np.array([[-scale, 0], [0, scale]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 10.0, "CRPIX2": 20.0})
    linear_wcs.write(header, (150.0, 2.0), turn @ north_up, "IDC_x-GSC240")
    assert WCS(header).all_pix2world([[10, 20]], 1)[0] == pytest.approx([150.0, 2.0])
    assert header["ORIENTAT"] == pytest.approx(-30.0)  # of the y axis, from north to east
    assert header["WCSNAME"] == "IDC_x-GSC240"


def test_which_keywords_are_of_the_linear_wcs():
    own = ("CRVAL1", "CD2_1", "PV1_12", "ORIENTAT")
    other = ("A_ORDER", "CPDIS1", "CRVAL1A", "RMS_RA")
    assert all(map(linear_wcs.KEYWORDS.fullmatch, own))
    assert not any(map(linear_wcs.KEYWORDS.fullmatch, other))
