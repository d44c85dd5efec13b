"""Solutions of real archive headers in odd states: NaN keywords, strange names, none or thirty of them."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from helpers.real_headers import (
    assert_same_sky,
    content_of,
    copy_of,
    headerlet_hdu,
    points,
    read,
    rewrite,
    set_header,
    set_raw,
    sha,
    sky_of_file,
    sky_of_headerlet,
)
from helpers.shared_data import shared
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import PIXEL_EXTENSIONS
from snakedriz.fits_headers import keywords
from snakedriz.wcs import fits_bytes, sky_positions, solutions, switching, undo_records, validation


def test_nan_keywords_are_read_as_none_and_survive_a_switch(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    for keyword in ("RMS_RA", "RMS_RAC"):
        set_raw(path, ("SCI", 1), keyword, "NaN")
    digest = sha(path)
    primary = read(path)[0]
    assert (primary.rms_ra_mas, primary.rms_ra_px) == (None, None)
    assert primary.rms_dec_mas == pytest.approx(5.190018)
    assert keywords.broken_cards(solutions.open_exposure(path)["SCI", 1].header) == ["RMS_RA", "RMS_RAC"]
    switching.switch(path, "*-GSC240")
    assert_same_sky(sky_of_headerlet(path, 3), sky_of_file(path))
    undo_records.undo(path)
    assert sha(path) == digest
    switching.switch(path, "*-FIT_REL_GAIAeDR3")  # alternate C, whose own RMS is NaN
    assert read(path)[0].wcsname == "IDC_2731450pi-FIT_REL_GAIAeDR3"
    set_raw(path, ("SCI", 2), "CRVAL1B", "NaN")
    problems = next(s for s in read(path) if s.key == "B").problems
    assert [p.code for p in problems] == ["not-a-number"]
    with pytest.raises(SnakedrizError, match="CRVAL1B of SCI,2 is not a number"):
        switching.activate(solutions.open_exposure(path), next(s for s in read(path) if s.key == "B"))


def test_names_that_follow_no_convention(tmp_path):
    """B28: FIT_MVM, FIT_USER and '-FIT' crashed interpret_wcsname_type; here each is a solution like others."""
    path = copy_of("sample_svm_flt", tmp_path)
    names = ["IDC_w3m18525i-FIT_MVM_GAIAeDR3", "IDC_w3m18525i-FIT_USER", "-FIT", "FIT", "my own", "IDC_w3m18525i-"]
    for extver, name in enumerate(names, start=2):
        rewrite(path, extver, set_header("WCSNAME", name))
    digest = sha(path)
    found = read(path)
    assert [s.wcsname for s in found if s.where == "headerlet"][1:7] == names
    assert next(s for s in found if s.wcsname == names[0]).catalog == "GAIAeDR3"
    for extver, name in enumerate(names, start=2):
        assert switching.switch(path, str(extver)).after == name
        assert_same_sky(sky_of_file(path), sky_of_headerlet(path, extver))
        undo_records.undo(path)
        assert sha(path) == digest


def test_thirty_headerlets(tmp_path):
    """30 shifted copies of one solution: each is found by number, name and pattern, and is where it was put."""
    path = copy_of("sample_svm_flt", tmp_path)
    made = []
    for n in range(30):
        content = content_of(path, 4)
        content[0].header["HDRNAME"], content[0].header["WCSNAME"] = f"h{n}", f"IDC_w3m18525i-FIT_REL_CAT{n:02d}"
        content[1].header["WCSNAME"] = content[0].header["WCSNAME"]
        content[1].header["CRVAL2"] += n * 1e-6
        content[0].header["NMATCH"], content[0].header["CATALOG"] = 100 + n, ""
        made.append(fits_bytes.piece_of(headerlet_hdu(content, n + 1)))
    rest = [p for p in fits_bytes.pieces(path)[0] if p.name[0] not in ("HDRLET", "WCSCORR")]
    fits_bytes.rewrite(path, [*rest, *made])
    found = [s for s in read(path) if s.where == "headerlet"]
    assert [(s.extver, s.nmatch, s.catalog) for s in found] == [(n + 1, 100 + n, f"CAT{n:02d}") for n in range(30)]
    base = sky_positions.of_solution(solutions.open_exposure(path), found[0])[1]
    digest = sha(path)
    for wanted in ("30", "h29", "IDC_w3m18525i-FIT_REL_CAT29", "*CAT29"):
        switching.switch(path, wanted)
        now = sky_positions.of_exposure(solutions.open_exposure(path))[1]
        # CRVAL2 moved by 29e-6 deg = 104.4 mas; over 1 arcmin the shift of Dec varies by less than 1e-6 of it
        np.testing.assert_allclose((now - base)[:, 1] * 3.6e6, 104.4, atol=1e-3)
        undo_records.undo(path)
        assert sha(path) == digest


def test_a_file_without_headerlets_or_wcscorr_switches_by_its_alternates(tmp_path):
    path = copy_of("j94f05bgq_flt_header", tmp_path)
    digest, start = sha(path), sky_of_file(path)
    with fits.open(path) as hdul:
        header = hdul["SCI", 1].header
        expected = {k: header[f"{k}O"] for k in ("CRVAL1", "CRPIX1", "CD1_1", "CTYPE1")}
    done = switching.switch(path, "OPUS")
    assert done.source == "alternate O"
    with fits.open(path) as hdul:
        header = hdul["SCI", 1].header
        assert {k: header[k] for k in expected} == expected
        assert [h.header["WCSNAME"] for h in hdul if h.name == "HDRLET"] == ["IDC_qbu1641sj"]
    assert_same_sky(sky_of_headerlet(path, 1), start)
    undo_records.undo(path)
    assert sha(path) == digest


def test_two_solutions_of_one_name_must_be_told_apart(tmp_path):
    path = copy_of("sample_svm_flt", tmp_path)

    def moved(content):
        content[1].header["CRVAL1"] += 1e-6

    rewrite(path, 8, moved)  # HDRLET,2 and HDRLET,8 are both IDC_w3m18525i
    with pytest.raises(SnakedrizError, match=r"HDRLET,2 .* and HDRLET,8 .* differ by"):
        switching.switch(path, "IDC_w3m18525i")
    assert switching.switch(path, "8").after == "IDC_w3m18525i"


def test_library_use_on_a_skeleton():
    """What a candidate needs: choose by pattern, apply, no file touched."""
    exposure = solutions.open_exposure(shared("headers/sample_svm_flc.fits"))
    chosen = solutions.choose(exposure, solutions.read(exposure), "IDC_*-FIT_SVM_GAIADR2")
    expected = sky_positions.of_solution(exposure, chosen)
    switching.activate(exposure, chosen)
    assert sky_positions.difference(sky_positions.of_exposure(exposure), expected) <= sky_positions.LIMIT_MICROARCSEC
    header = exposure["SCI", 2].header
    assert (header["NMATCHES"], round(header["RMS_RA"], 3)) == (697, 9.022)
    assert validation.inspect(exposure, solutions.read(exposure)[:1])[0].problems == ()


def test_an_exposure_without_any_name_takes_a_headerlet_and_gives_it_back(tmp_path):
    """As calibrated, before any updatewcs: no WCSNAME, no alternate, no HDRLET, no WCSCORR."""
    path = copy_of("sample_svm_flt", tmp_path)
    content_of(path, 7).writeto(tmp_path / "x_hlet.fits")
    parts = [p for p in fits_bytes.pieces(path)[0] if p.name[0] in ("PRIMARY", *PIXEL_EXTENSIONS)]
    fits_bytes.rewrite(path, parts)
    with fits.open(path, mode="update") as hdul:
        header = hdul["SCI", 1].header
        for keyword in [k for k in header if k.startswith(("WCSNAME", "HDRNAME")) or k[:-1] in ("CRVAL1", "CRVAL2")]:
            if keyword not in ("CRVAL1", "CRVAL2"):
                del header[keyword]
    digest, start = sha(path), sky_of_file(path)
    assert [(s.label, s.wcsname) for s in read(path)] == [("primary", "")]
    done = switching.apply_file(path, tmp_path / "x_hlet.fits")
    assert (done.before, done.after) == ("", "IDC_w3m18525i-FIT_SVM_GAIADR2")
    kept = next(s for s in read(path) if s.hdrname == done.archived)
    assert_same_sky(sky_of_headerlet(path, kept.extver), start)
    with fits.open(tmp_path / "x_hlet.fits") as hdul:
        assert_same_sky(sky_of_file(path), {1: WCS(hdul["SIPWCS", 1].header).all_pix2world(points(), 0)})
    undo_records.undo(path)
    assert sha(path) == digest
