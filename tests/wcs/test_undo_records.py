"""Switches of real archive headers taken back, to the byte."""

import pytest
from astropy.io import fits
from helpers.real_headers import assert_same_sky, copy_of, read, sha, sky_of_file
from helpers.shared_data import shared
from snakedriz.errors import SnakedrizError
from snakedriz.wcs import switching, undo_records


def test_switches_pile_up_and_are_undone_one_by_one(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    seen = [sha(path)]
    for wanted in ("OPUS", "*-GSC240", "*FIT_SVM_GAIADR2", "IDC_2731450pi-FIT_REL_GAIAeDR3", "*-FIT_SVM_GAIAeDR3"):
        assert switching.switch(path, wanted).changed
        seen.append(sha(path))
    back = read(path)[0]
    assert (back.wcsname, back.problems) == ("IDC_2731450pi-FIT_SVM_GAIAeDR3", ())
    for digest in reversed(seen[:-1]):
        undo_records.undo(path)
        assert sha(path) == digest
    with pytest.raises(SnakedrizError, match="nothing to undo"):
        undo_records.undo(path)


def test_undo_keeps_what_others_wrote_and_never_overwrites_another_wcs(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    start = sky_of_file(path)
    switching.switch(path, "*-GSC240")
    with fits.open(path, mode="update") as hdul:
        hdul["SCI", 2].header["MDRIZSKY"] = 99.5
    assert undo_records.undo(path).exact == "wcs"
    assert_same_sky(sky_of_file(path), start)
    given = fits.getheader(shared("headers/sample_svm_flc.fits"), ("SCI", 2))
    now = fits.getheader(path, ("SCI", 2))
    assert now["MDRIZSKY"] == 99.5
    assert {k: now[k] for k in now if k != "MDRIZSKY"} == {k: given[k] for k in given if k != "MDRIZSKY"}
    switching.switch(path, "*-GSC240")
    with fits.open(path, mode="update") as hdul:
        hdul["SCI", 2].header["CRVAL1"] += 1e-5
    digest = sha(path)
    with pytest.raises(SnakedrizError, match=r"CRVAL1 of SCI,2 changed since the last switch"):
        undo_records.undo(path)
    assert sha(path) == digest
