"""The default candidate: the distortion model at the reported pointing."""

import numpy as np
from astropy.io import fits
from helpers.sky import MICROARCSEC, corners, offset_mas, true_corners
from snakedriz.candidates import default
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from stwcs.updatewcs import updatewcs


def test_default_is_the_distortion_model_at_the_reported_pointing(small_visit, default_skeletons):
    for index, path in enumerate(small_visit.flc):
        exposure = default_skeletons[ExposureKey.parse(path)]
        assert exposure["SCI", 1].header["WCSNAME"] == "IDC_9d1snakej"
        # The true pointing plus the error put in; the frame turns by less than 0.5 mas over these few arcsec.
        difference = offset_mas(corners(exposure), true_corners(small_visit, index))
        np.testing.assert_allclose(difference, [[350.0, -400.0]] * len(difference), atol=0.5)


def test_a_skeleton_gives_the_same_wcs_as_the_file_that_updatewcs_changed(small_visit, tmp_path, monkeypatch):
    copy = tmp_path / small_visit.flc[0].name
    copy.write_bytes(small_visit.flc[0].read_bytes())
    monkeypatch.setenv("jref", f"{small_visit.ref}/")
    monkeypatch.chdir(tmp_path)
    updatewcs(str(copy), use_db=False)
    found = {ExposureKey.parse(copy): skeleton.from_exposure(small_visit.flc[0])}
    default.make(found, {"jref": str(small_visit.ref)})
    with fits.open(copy) as changed:
        np.testing.assert_allclose(corners(found[ExposureKey.parse(copy)]), corners(changed), rtol=0, atol=MICROARCSEC)
