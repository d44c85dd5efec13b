"""Damage done on purpose to copies of real archive headers is found, named, and where it can be repaired."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.real_headers import (
    MICROARCSEC,
    codes,
    content_of,
    copy_of,
    headerlet_hdu,
    inner,
    pixels_of,
    put,
    read,
    remove_keyword,
    rewrite,
    set_extver,
    set_header,
    sha,
    sky_of_headerlet,
    stale_chip,
    without,
)
from snakedriz.errors import SnakedrizError
from snakedriz.wcs import fits_bytes, switching


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (remove_keyword("A_ORDER"), "no-sip", "SIPWCS,1 has no SIP"),
        (remove_keyword("B_ORDER", (2,)), "no-sip", "SIPWCS,2 has no SIP"),
        (remove_keyword("IDCSCALE"), "no-idcscale", "has no IDCSCALE"),
        (remove_keyword("CRVAL2", (2,)), "keyword-missing", "SIPWCS,2 lacks CRVAL2"),
        (remove_keyword("TG_EVER", (2,)), "no-chip", "SIPWCS,2 does not say which chip"),
        (without("SIPWCS", 2), "chips-missing", "no WCS for SCI,2"),
        (without("WCSDVARR", 3), "table-missing", "refers to WCSDVARR,3"),
        (without("D2IMARR", 1), "table-missing", "refers to D2IMARR,1"),
        (stale_chip, "stale-chip", "SCI,2 is"),
        (set_header("WCSNAME", "IDC_0461802dj-HSC30"), "other-distortion", "0461802dj, the exposure has 2731450pi"),
        (set_header("DESTIM", "ib4606zzq"), "other-exposure", "was made for ib4606zzq, this is ib4606c6q"),
    ],
)  # fmt: skip
def test_damage_is_found_named_and_refused(change, code, says, tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    assert "HDRLET,4" not in codes(path)
    rewrite(path, 4, change)
    problems = next(s for s in read(path) if s.label == "HDRLET,4").problems
    assert code in [p.code for p in problems]
    assert any(says in p.text and p.repair and p.blocks for p in problems)
    assert set(codes(path)) == {"HDRLET,4", "HDRLET,9", "HDRLET,10"}  # nothing else is blamed
    digest = sha(path)
    with pytest.raises(SnakedrizError, match="repair:"):
        switching.switch(path, "4")
    assert sha(path) == digest


def test_numbers_and_names_are_repaired_in_a_copy(tmp_path):
    path = copy_of("sample_svm_flt", tmp_path)
    set_extver(path, 3, 4)  # now twice 4
    set_extver(path, 9, 30)
    other = content_of(path, 6)
    other[0].header["HDRNAME"] = content_of(path, 5)[0].header["HDRNAME"]
    # the name is taken; the second is the same as the first
    put(path, {}, [headerlet_hdu(other, extver) for extver in (11, 12)])
    found = codes(path)
    assert "duplicate-extver" in found["HDRLET,4"]
    assert found["HDRLET,30"] == ["extver"]
    assert "duplicate-hdrname" in found["HDRLET,5"]
    assert found["HDRLET,11"] == found["HDRLET,12"] == ["duplicate-hdrname"]
    digest, pixels = sha(path), pixels_of(path)
    done = switching.repair_copy(path, tmp_path / "fixed_flt.fits")
    assert sha(path) == digest
    assert pixels_of(tmp_path / "fixed_flt.fits") == pixels
    repaired = read(tmp_path / "fixed_flt.fits")
    assert [s.problems for s in repaired] == [()] * len(repaired)
    attached = [s for s in repaired if s.where == "headerlet"]
    assert [s.extver for s in attached] == list(range(1, 12))  # 12 less the one that was there twice
    assert len({s.hdrname for s in attached}) == 11
    assert len(done) >= 4
    with pytest.raises(SnakedrizError, match="exists already"):
        switching.repair_copy(path, tmp_path / "fixed_flt.fits")


def test_stale_chips_are_taken_from_the_wcs_of_the_same_name(tmp_path):
    """B5 as the archive has it: HDRLET,9 and 10 of the SVM exposure, whose chips alternate C and the primary have."""
    path = copy_of("sample_svm_flc", tmp_path)
    switching.repair_copy(path, tmp_path / "fixed_flc.fits")
    assert codes(tmp_path / "fixed_flc.fits") == {}
    damaged, fixed = sky_of_headerlet(path, 10), sky_of_headerlet(tmp_path / "fixed_flc.fits", 10)
    np.testing.assert_allclose(fixed[1], damaged[1], rtol=0, atol=MICROARCSEC)
    assert np.abs(fixed[2] - damaged[2]).max() * 3.6e6 > 5.0  # mas
    header = fits.getheader(tmp_path / "fixed_flc.fits", ("SCI", 2))
    with fits.open(tmp_path / "fixed_flc.fits") as hdul:
        want = inner(hdul, 10)["SIPWCS", 2].header
    assert [want[k] for k in ("CRVAL1", "CRVAL2", "CD1_1")] == [header[k] for k in ("CRVAL1", "CRVAL2", "CD1_1")]


def test_truncated_files_and_headerlets_are_named(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    assert "truncated in HDRLET,10" in fits_bytes.pieces(path)[1]
    assert codes(path)["HDRLET,10"] == ["truncated"]
    digest = sha(path)
    with pytest.raises(SnakedrizError, match=r"truncated in HDRLET,10.*repair"):
        switching.switch(path, "*-GSC240")
    assert sha(path) == digest
    switching.repair_copy(path, tmp_path / "fixed_flc.fits")
    assert fits_bytes.pieces(tmp_path / "fixed_flc.fits")[1] == ""
    assert [s.extver for s in read(tmp_path / "fixed_flc.fits") if s.where == "headerlet"] == list(range(1, 10))
    piece = fits_bytes.pieces(copy_of("sample_svm_flc", tmp_path, "b_flc.fits"))[0][-1]
    path.write_bytes(whole[: piece.start - 500])  # within the header of the last extension
    assert fits_bytes.pieces(path)[1]
    path.write_bytes(whole[:4000])
    with pytest.raises(SnakedrizError, match=r"sample_svm_flc\.fits"):
        switching.switch(path, "*-GSC240")
    rest = copy_of("sample_svm_flc", tmp_path, "c_flc.fits")
    rewrite(rest, 4, lambda content: None)
    raw = bytearray(rest.read_bytes())
    part = next(p for p in fits_bytes.pieces(rest)[0] if p.name == ("HDRLET", 4))
    raw[part.start : part.start + part.size] = raw[part.start : part.start + 14400] + b" " * (part.size - 14400)
    rest.write_bytes(raw)
    assert codes(rest)["HDRLET,4"] == ["truncated"]
