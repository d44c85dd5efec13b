"""Headerlets made, applied, read and judged."""

import copy

import numpy as np
import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.sky import MICROARCSEC, corners
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import headerlets


@pytest.mark.parametrize("chip_shift", [(0.0, 0.0), (1e-5, -2e-5)])
def test_a_headerlet_restores_every_chip(small_visit, default_skeletons, tmp_path, chip_shift):
    """B5: the headerlet that drizzlepac attaches holds a stale second chip."""
    exposure = default_skeletons[ExposureKey.parse(small_visit.flc[0])]
    pristine = copy.deepcopy(exposure)
    for chip in (1, 2):
        header = exposure["SCI", chip].header
        header["CRVAL1"] += 1e-4 + chip * chip_shift[0]
        header["CRVAL2"] += chip * chip_shift[1]
        header["CD1_1"] *= 1.0001
        header["WCSNAME"] = "IDC_9d1snakej-FIT_REL_TEST"
    made = headerlets.make(exposure, "some-hlet.fits")
    path = tmp_path / "x_hlet.fits"
    made.writeto(path)
    headerlets.apply(pristine, headerlets.load(path))
    assert pristine["SCI", 2].header["WCSNAME"] == "IDC_9d1snakej-FIT_REL_TEST"
    np.testing.assert_allclose(corners(pristine), corners(exposure), rtol=0, atol=MICROARCSEC)


@pytest.mark.parametrize("name", ["sample_svm_flc.fits", "sample_ipppssoot_flc.fits", "sample_flc_header.fits"])
def test_archive_headerlets_are_read_and_judged(name, tmp_path):
    """The archive's own solutions for WFC3/UVIS and ACS/WFC: every one is read and has no problem."""
    count = 0
    with fits.open(shared(f"headers/{name}")) as hdul:
        for index, hdu in enumerate(hdul):
            if hdu.name == "HDRLET":
                hdu.headerlet.writeto(tmp_path / f"h{index:02d}_hlet.fits", output_verify="silentfix")
                count += 1
    found = headerlets.read_directory(tmp_path)
    assert len(found) == count > 0
    distorted = [f for f in found if f.name.idcroot]
    assert distorted
    assert [f.problem for f in distorted] == [""] * len(distorted)
