"""Switches between all solutions of real archive headers, also in odd states, proved by positions on the sky."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from helpers.real_headers import (
    MICROARCSEC,
    assert_same_sky,
    codes,
    content_of,
    copy_of,
    headerlet_hdu,
    inner,
    pixels_of,
    points,
    put,
    read,
    rewrite,
    set_extver,
    set_header,
    sha,
    sky_of_file,
    sky_of_headerlet,
)
from helpers.real_solutions import ACTIVE, EXPECTED, STALE
from helpers.shared_data import shared
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.skeleton import PIXEL_EXTENSIONS
from snakedriz.wcs import fits_bytes, headerlets, sky_positions, solutions, switching, undo_records, validation


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_switching_to_each_and_back_is_exact(name, tmp_path):
    """The headerlet's WCS by astropy alone against the file's by stwcs: 1 micro-arcsec; undo to the byte."""
    path = copy_of(name, tmp_path)
    before, pixels, start = sha(path), pixels_of(path), sky_of_file(path)
    for extver, wcsname, *_ in EXPECTED[name]:
        stale = extver in STALE.get(name, ())
        if stale:
            with pytest.raises(SnakedrizError, match=r"did not move together.*still holds"):
                switching.switch(path, str(extver))
            assert sha(path) == before
        done = switching.switch(path, str(extver), force=stale)
        assert (done.before, done.after) == (ACTIVE[name][0], wcsname)
        if done.changed:
            assert_same_sky(sky_of_file(path), sky_of_headerlet(path, extver))
            assert pixels_of(path) == pixels
            with fits.open(path) as hdul:
                assert {h.header["WCSNAME"] for h in hdul if h.name == "SCI"} == {wcsname}
                assert hdul[0].header["NEXTEND"] == len(hdul) - 1
                # the replaced solution is in the file as a headerlet, and is the WCS that was active
                kept = [h for h in hdul if h.name == "HDRLET" and h.header["HDRNAME"] == done.archived]
                assert len(kept) == 1
                extver_kept = kept[0].header["EXTVER"]
            assert_same_sky(sky_of_headerlet(path, extver_kept), start)
            assert undo_records.undo(path) == undo_records.Undone(wcsname, ACTIVE[name][0], "file")
        else:
            assert_same_sky(start, sky_of_headerlet(path, extver))
        assert sha(path) == before


@pytest.mark.parametrize(("name", "extver"), [("sample_flc_header", 18), ("sample_svm_flt", 4)])
def test_stwcs_restores_the_same_wcs(name, extver, tmp_path, monkeypatch):
    """The notebook's restore_from_headerlet on another copy gives the same sky."""
    from stwcs.wcsutil import headerlet

    ours, theirs = copy_of(name, tmp_path), copy_of(name, tmp_path, "theirs.fits")
    monkeypatch.chdir(tmp_path)
    headerlet.restore_from_headerlet(str(theirs), hdrext=("HDRLET", extver), archive=False, force=True)
    switching.switch(ours, str(extver))
    assert_same_sky(sky_of_file(ours), sky_of_file(theirs))


def test_dry_runs_and_refusals_change_nothing(tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    digest, inode = sha(path), path.stat().st_ino
    assert switching.switch(path, "*-HSC30", dry_run=True).moved_mas > 100
    for wanted, message in (("nothing", "no solution matches"), ("99", "no solution matches"), ("9", "did not move")):
        with pytest.raises(SnakedrizError, match=message):
            switching.switch(path, wanted)
    assert (sha(path), path.stat().st_ino) == (digest, inode)
    switching.switch(path, "*-HSC30")
    digest = sha(path)
    assert undo_records.undo(path, dry_run=True).after == ACTIVE["sample_svm_flc"][0]
    assert sha(path) == digest
    path.chmod(0o444)
    with pytest.raises(SnakedrizError, match="read-only"):
        switching.switch(path, "OPUS")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failed_proof_leaves_the_file_untouched(tmp_path, monkeypatch):
    """A wrong WCS in the written file (one chip 3 micro-arcsec off, three times the limit) is caught by the proof."""
    path = copy_of("sample_svm_flc", tmp_path)
    digest = sha(path)
    real = headerlets.sync_companions

    def wrong(skeleton):
        skeleton["SCI", 2].header["CRVAL2"] += 3 * MICROARCSEC
        real(skeleton)

    monkeypatch.setattr(headerlets, "sync_companions", wrong)
    with pytest.raises(SnakedrizError, match="left untouched"):
        switching.switch(path, "*-HSC30")
    assert sha(path) == digest


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
    chosen = switching.choose(exposure, validation.inspect(exposure), "IDC_*-FIT_SVM_GAIADR2")
    expected = sky_positions.of_solution(exposure, chosen)
    switching.make_active(exposure, solutions.headerlet_of(exposure, chosen), chosen)
    assert sky_positions.difference(sky_positions.of_exposure(exposure), expected) <= sky_positions.LIMIT_MICROARCSEC
    header = exposure["SCI", 2].header
    assert (header["NMATCHES"], round(header["RMS_RA"], 3)) == (697, 9.022)
    assert validation.inspect(exposure)[0].problems == ()


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
