"""Exposures without their pixels: nothing is read that is not needed, and headerlets stay as they are."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.sky import corners
from helpers.small_exposures import write_exposure
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey

KEY = ExposureKey("ib4606c6q", "flc")


def test_pixels_take_no_memory_and_cannot_be_written_to(tmp_path):
    found = skeleton.from_exposure(write_exposure(tmp_path / "ja_flc.fits"))
    assert skeleton.science_extensions(found) == [1, 2]
    for hdu in found[1:]:
        assert hdu.data.shape == (8, 10)
        assert hdu.data.base.nbytes == 1
        assert not hdu.data.flags.writeable


def test_headerlets_are_copied_byte_by_byte(tmp_path):
    """As they are in the file, however often they go through a bundle, and open to stwcs."""
    path = shared("headers/sample_svm_flc.fits")
    with fits.open(path) as hdul:
        given = {hdu.ver: path.read_bytes()[slice(*_place(hdu))] for hdu in hdul if hdu.name == "HDRLET"}
    found = skeleton.from_exposure(path)
    for _ in range(2):
        skeleton.write_bundle(tmp_path / "b.fits", {KEY: found}, {"OUTCOME": "ok"})
        found = skeleton.read_bundle(tmp_path / "b.fits")[KEY]
    assert all(hdu.headerlet[0].header["WCSNAME"] for hdu in found if hdu.name == "HDRLET")
    found.writeto(tmp_path / "again.fits", output_verify="silentfix")
    content = (tmp_path / "again.fits").read_bytes()
    with fits.open(tmp_path / "again.fits") as hdul:
        assert {hdu.ver: content[slice(*_place(hdu))] for hdu in hdul if hdu.name == "HDRLET"} == given
    assert len(given) == 10


def _place(hdu):
    place = hdu.fileinfo()
    return place["datLoc"], place["datLoc"] + place["datSpan"]


def test_a_journal_stays_with_its_file(tmp_path):
    path = write_exposure(tmp_path / "ja_flc.fits")
    fits.append(path, np.zeros(3, np.uint8), fits.Header({"EXTNAME": skeleton.JOURNAL}))
    assert skeleton.JOURNAL not in [hdu.name for hdu in skeleton.from_exposure(path)]
    assert skeleton.JOURNAL in [hdu.name for hdu in skeleton.from_exposure(path, journal=True)]


def test_an_exposure_that_is_not_in_the_bundle(tmp_path):
    found = skeleton.from_exposure(write_exposure(tmp_path / "ja_flc.fits"))
    skeleton.write_bundle(tmp_path / "b.fits", {ExposureKey("ja", "flc"): found}, {})
    with pytest.raises(SnakedrizError, match="has no exposure jb_flc, only ja_flc"):
        skeleton.read_bundle(tmp_path / "b.fits", [ExposureKey("jb", "flc")])


def test_an_exposure_that_was_replaced_is_not_joined(tmp_path):
    found = skeleton.from_exposure(write_exposure(tmp_path / "ja_flc.fits"))
    write_exposure(tmp_path / "ja_flc.fits", chips=1)
    with pytest.raises(SnakedrizError, match=r"has no extension \('SCI', 2\).*probably replaced"):
        skeleton.join(found, tmp_path / "ja_flc.fits", tmp_path / "new.fits")


def test_a_joined_exposure_has_the_pixels_and_the_flags_given(tmp_path):
    path = write_exposure(tmp_path / "ja_flc.fits", value=3.0)
    found = skeleton.from_exposure(path)
    found["SCI", 1].header["WCSNAME"] = "NEW"
    skeleton.join(found, path, tmp_path / "new.fits", drop=("ERR",), dq=lambda version, dq: dq + 4 * version)
    with fits.open(tmp_path / "new.fits") as made, fits.open(path) as given:
        assert [hdu.name for hdu in made[1:]] == ["SCI", "DQ", "SCI", "DQ"]
        np.testing.assert_array_equal(made["SCI", 2].data, given["SCI", 2].data)
        np.testing.assert_array_equal(made["DQ", 2].data, given["DQ", 2].data + 8)
        assert (made[0].header["NEXTEND"], made["SCI", 1].header["WCSNAME"]) == (4, "NEW")


def test_bundle_and_join_keep_wcs_headers_and_pixels(small_visit, default_skeletons, tmp_path):
    bundle = tmp_path / "wcs.fits"
    skeleton.write_bundle(bundle, default_skeletons, {"OUTCOME": "ok"})
    back = skeleton.read_bundle(bundle)
    assert list(back) == list(default_skeletons)
    source = small_visit.flc[0]
    out = tmp_path / source.name
    skeleton.join(back[ExposureKey.parse(source)], source, out)
    with fits.open(out) as made, fits.open(source) as given:
        np.testing.assert_array_equal(corners(made), corners(default_skeletons[ExposureKey.parse(source)]))
        for hdu in given[1:]:
            name = skeleton.extension_name(hdu)
            np.testing.assert_array_equal(made[name].data, hdu.data)
            assert made[name].data.dtype == hdu.data.dtype
        assert made[0].header["EXPTIME"] == given[0].header["EXPTIME"]
