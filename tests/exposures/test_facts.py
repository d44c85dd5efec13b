import hashlib

import numpy as np
import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.small_exposures import write_exposure
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import facts


def test_facts_of_a_real_exposure():
    path = shared("hrc_47tuc/j8bt06nyq_flt.fits")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    found = facts.read(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert (found.rootname, found.instrument, found.detector) == ("j8bt06nyq", "ACS", "HRC")
    assert (found.filter, found.exptime, found.expstart) == ("F606W,CLEAR2S", 60.0, 52377.86137319)
    assert (found.targname, found.proposid, found.pa_v3) == ("NGC104", 9019, 15.79167)
    assert (found.idctab, found.npolfile) == ("jref$n721640fj_idc.fits", None)
    assert found.all_zero is False
    (chip,) = found.chips
    assert (chip.extver, chip.ccdchip, chip.shape, chip.ngoodpix, chip.all_zero) == (
        1,
        None,
        [1024, 1024],
        1019597,
        False,
    )


def test_two_chips_one_of_them_empty(tmp_path):
    path = write_exposure(tmp_path / "ja_flc.fits")
    with fits.open(path, mode="update") as hdul:
        hdul["SCI", 1].data[:] = 0
        hdul["SCI", 2].data[:] = np.nan
        hdul["SCI", 2].data[7, 9] = -1.0
    found = facts.read(path)
    assert [chip.all_zero for chip in found.chips] == [True, False]
    assert [chip.ccdchip for chip in found.chips] == [2, 1]
    assert found.all_zero is False
    with fits.open(path, mode="update") as hdul:
        hdul["SCI", 2].data[7, 9] = 0.0  # what is left is zero or no number
    assert facts.read(path).all_zero is True
    assert facts.read(path, pixels=False).all_zero is None


def test_scaled_integers(tmp_path):
    path = write_exposure(tmp_path / "ja_flt.fits", chips=1)
    with fits.open(path) as hdul:
        whole = [hdu.copy() for hdu in hdul]
    whole[1].data = np.zeros((8, 10), dtype=np.uint16)  # stored as -32768 with BZERO
    fits.HDUList(whole).writeto(path, overwrite=True)
    assert facts.read(path).all_zero is True
    whole[1].data[0, 0] = 1
    fits.HDUList(whole).writeto(path, overwrite=True)
    assert facts.read(path).all_zero is False


def test_rootname_of_the_file_where_the_header_has_none(tmp_path):
    assert facts.read(write_exposure(tmp_path / "ja_flt.fits", {"ROOTNAME": None})).rootname == "ja"
    assert facts.read(write_exposure(tmp_path / "ja_flt.fits", {"ROOTNAME": " JB"})).rootname == "jb"


def test_missing_keywords_are_none(tmp_path):
    changes = dict.fromkeys(("EXPTIME", "EXPSTART", "PA_V3", "TARGNAME", "IDCTAB", "PROPOSID"))
    found = facts.read(write_exposure(tmp_path / "ja_flt.fits", changes))
    assert [getattr(found, key.lower()) for key in changes] == [None] * 6


def test_not_fits(tmp_path):
    path = tmp_path / "ja_flt.fits"
    path.write_text("<html>")
    with pytest.raises(SnakedrizError, match=r"ja_flt\.fits: not a FITS file"):
        facts.read(path)


def test_truncated_says_how_many_bytes(tmp_path):
    path = write_exposure(tmp_path / "ja_flt.fits", chips=1)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 2800])
    with pytest.raises(SnakedrizError, match=f"truncated: {len(whole) - 2800} bytes found .* at least {len(whole)}"):
        facts.read(path)


def test_cut_between_extensions(tmp_path):
    path = write_exposure(tmp_path / "ja_flt.fits")
    with fits.open(path) as hdul:
        cut = hdul.fileinfo(4)["hdrLoc"]
        early = hdul.fileinfo(3)["hdrLoc"]
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])  # SCI, ERR, DQ of one chip of two
    with pytest.raises(SnakedrizError, match=r"announces 6 extensions, found 3 .* one of the two chips is missing"):
        facts.read(path)
    path.write_bytes(whole[:early])
    with pytest.raises(SnakedrizError, match=r"expected the extension DQ,1, found these: SCI,1, ERR,1"):
        facts.read(path)


def test_a_subarray_has_one_chip(tmp_path):
    path = write_exposure(tmp_path / "ja_flt.fits", {"SUBARRAY": True, "NEXTEND": 9}, chips=1)
    assert len(facts.read(path).chips) == 1


def test_no_science(tmp_path):
    path = tmp_path / "ja_flt.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(SnakedrizError, match="expected an extension SCI,1, found these extensions: none"):
        facts.read(path)


def test_compressed_images_are_named_as_such(tmp_path):
    path = tmp_path / "ja_flt.fits"
    data = np.ones((8, 10), dtype=np.float32)
    sci = fits.CompImageHDU(data, name="SCI")
    fits.HDUList([fits.PrimaryHDU(), sci, fits.ImageHDU(data.astype(np.int16), name="DQ")]).writeto(path)
    with pytest.raises(SnakedrizError, match="funpack"):
        facts.read(path)


@pytest.mark.parametrize(("value", "all_zero"), [(0.0, True), (3.0, False)])
def test_arrays_of_one_value(tmp_path, value, all_zero):
    path = write_exposure(tmp_path / "ja_flt.fits", chips=1)
    with fits.open(path) as hdul:
        whole = [hdu.copy() for hdu in hdul]
    whole[1].data = None
    whole[1].header.update({"NPIX1": 10, "NPIX2": 8, "PIXVALUE": value})
    fits.HDUList(whole).writeto(path, overwrite=True)
    found = facts.read(path)
    assert (found.chips[0].shape, found.all_zero) == ([8, 10], all_zero)


def test_headers_without_pixels_are_refused():
    with pytest.raises(SnakedrizError, match="SCI,1 has no pixels"):
        facts.read(shared("headers/sample_flc_header.fits"))


def test_science_without_pixels_is_refused(tmp_path):
    path = write_exposure(tmp_path / "ja_flt.fits", chips=1)
    with fits.open(path) as hdul:
        whole = [hdu.copy() for hdu in hdul]
    whole[1].data = None
    fits.HDUList(whole).writeto(path, overwrite=True)
    with pytest.raises(SnakedrizError, match=r"SCI,1 has no pixels \(NAXIS = 0\), expected an image with 2 axes"):
        facts.read(path)
