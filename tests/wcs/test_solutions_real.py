"""Every solution of real archive headers: listed, switched to and back."""

import pytest
from astropy.io import fits
from helpers.real_headers import (
    MICROARCSEC,
    assert_same_sky,
    copy_of,
    pixels_of,
    read,
    sha,
    sky_of_file,
    sky_of_headerlet,
)
from helpers.shared_data import shared
from snakedriz.errors import SnakedrizError
from snakedriz.wcs import headerlets, solutions, switching, undo_records

#: EXTVER, WCSNAME, HDRNAME, IDCTAB, matches, RMS in RA and Dec (mas): read from the primary header of the FITS file
#: inside each HDRLET with astropy alone (an RMS of 0 or '' is none).
EXPECTED = {
    "sample_flc_header": [
        (1, "OPUS", "jbt122x8q_flt_OPUS", "0461802dj", 0, None, None),
        (2, "IDC_4bb1536cj", "jbt122x8q_flc_dce75a_hlet.fits", "4bb1536cj", 0, None, None),
        (18, "IDC_4bb1536cj-GSC240", "jbt122x8q_flc_9ec245_hlet.fits", "4bb1536cj", 0, None, None),
        (
            4,
            "IDC_4bb1536cj-FIT_REL_GAIAeDR3",
            "jbt122x8q_flc_IDC_4bb1536cj-FIT_REL_GAIAeDR3-hlet.fits",
            "4bb1536cj",
            11,
            14.156,
            6.629,
        ),
        (
            5,
            "IDC_4bb1536cj-FIT_IMG_GAIAeDR3",
            "jbt122x8q_flc_IDC_4bb1536cj-FIT_IMG_GAIAeDR3-hlet.fits",
            "4bb1536cj",
            10,
            15.26,
            10.707,
        ),
    ],
    "sample_ipppssoot_flc": [
        (1, "OPUS", "ib4606c5q_flt_OPUS", "2731450pi", 0, None, None),
        (2, "IDC_2731450pi", "ib4606c5q_flt_IDC_2731450pi", "2731450pi", 0, None, None),
        (3, "IDC_2731450pi-GSC240", "ib4606c5q_flt_IDC_2731450pi-GSC240-hlet.fits", "2731450pi", 2, None, None),
        (4, "IDC_2731450pi-HSC30", "ib4606c5q_flt_IDC_2731450pi-HSC30", "2731450pi", 0, None, None),
        (
            5,
            "IDC_2731450pi-FIT_REL_GAIADR2",
            "ib4606c5q_flc_IDC_2731450pi-FIT_REL_GAIADR2-hlet.fits",
            "2731450pi",
            691,
            9.009,
            7.743,
        ),
        (
            6,
            "IDC_2731450pi-FIT_SVM_GAIADR2",
            "hst_11665_06_wfc3_uvis_f555w_ib4606c5_flc_IDC_2731450pi-FIT_SVM_GAIADR2-hlet.fits",
            "2731450pi",
            697,
            9.022,
            7.709,
        ),
        (7, "IDC_2731450pi", "IDC_2731450pi", "2731450pi", 0, None, None),
        (
            8,
            "IDC_2731450pi-FIT_REL_GAIAeDR3",
            "ib4606c5q_flc_IDC_2731450pi-FIT_REL_GAIAeDR3-hlet.fits",
            "2731450pi",
            573,
            5.759,
            5.292,
        ),
    ],
    "sample_ipppssoot_flt": [
        (1, "OPUS", "ib4606cpq_flt_OPUS", "w3m18525i", 0, None, None),
        (2, "IDC_w3m18525i", "ib4606cpq_flt_IDC_w3m18525i", "w3m18525i", 0, None, None),
        (3, "IDC_w3m18525i-GSC240", "ib4606cpq_flt_IDC_w3m18525i-GSC240", "w3m18525i", 2, None, None),
        (4, "IDC_w3m18525i-HSC30", "ib4606cpq_flt_IDC_w3m18525i-HSC30", "w3m18525i", 0, None, None),
        (
            5,
            "IDC_w3m18525i-FIT_REL_GAIADR1",
            "ib4606cpq_flt_IDC_w3m18525i-FIT_REL_GAIADR1-hlet.fits",
            "w3m18525i",
            0,
            13.205,
            12.719,
        ),
        (
            6,
            "IDC_w3m18525i-FIT_REL_GAIADR2",
            "ib4606cpq_flt_IDC_w3m18525i-FIT_REL_GAIADR2-hlet.fits",
            "w3m18525i",
            0,
            9.616,
            11.486,
        ),
        (
            7,
            "IDC_w3m18525i-FIT_SVM_GAIADR2",
            "hst_11665_06_wfc3_ir_f110w_ib4606cp_fl_IDC_w3m18525i-FIT_SVM_GAIADR2-hlet.fits",
            "w3m18525i",
            307,
            12.601,
            12.964,
        ),
        (8, "IDC_w3m18525i", "IDC_w3m18525i", "w3m18525i", 0, None, None),
        (
            9,
            "IDC_w3m18525i-FIT_REL_GAIAeDR3",
            "ib4606cpq_flt_IDC_w3m18525i-FIT_REL_GAIAeDR3-hlet.fits",
            "w3m18525i",
            276,
            9.627,
            10.208,
        ),
    ],
    "sample_svm_flc": [
        (1, "OPUS", "ib4606c6q_flt_OPUS", "2731450pi", 0, None, None),
        (2, "IDC_2731450pi", "ib4606c6q_flt_IDC_2731450pi", "2731450pi", 0, None, None),
        (3, "IDC_2731450pi-GSC240", "ib4606c6q_flt_IDC_2731450pi-GSC240", "2731450pi", 2, None, None),
        (4, "IDC_2731450pi-HSC30", "ib4606c6q_flt_IDC_2731450pi-HSC30", "2731450pi", 0, None, None),
        (
            5,
            "IDC_2731450pi-FIT_REL_GAIADR2",
            "ib4606c6q_flc_IDC_2731450pi-FIT_REL_GAIADR2-hlet.fits",
            "2731450pi",
            691,
            9.009,
            7.743,
        ),
        (
            6,
            "ib4606c6q_flt_IDC_2731450pi-HSC30-hlet.fits",
            "ib4606c6q_flt_ib4606c6q_flt_IDC_2731450pi-HSC30",
            "2731450pi",
            0,
            None,
            None,
        ),
        (
            7,
            "IDC_2731450pi-FIT_SVM_GAIADR2",
            "hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_IDC_2731450pi-FIT_SVM_GAIADR2-hlet.fits",
            "2731450pi",
            697,
            9.022,
            7.709,
        ),
        (8, "IDC_2731450pi", "IDC_2731450pi", "2731450pi", 0, None, None),
        (
            9,
            "IDC_2731450pi-FIT_REL_GAIAeDR3",
            "ib4606c6q_flc_IDC_2731450pi-FIT_REL_GAIAeDR3-hlet.fits",
            "2731450pi",
            573,
            5.759,
            5.292,
        ),
        (
            10,
            "IDC_2731450pi-FIT_SVM_GAIAeDR3",
            "hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_IDC_2731450pi-FIT_SVM_GAIAeDR3-hlet.fits",
            "2731450pi",
            494,
            6.158,
            5.19,
        ),
    ],
    "sample_svm_flt": [
        (1, "OPUS", "ib4606cpq_flt_OPUS", "w3m18525i", 0, None, None),
        (2, "IDC_w3m18525i", "ib4606cpq_flt_IDC_w3m18525i", "w3m18525i", 0, None, None),
        (3, "IDC_w3m18525i-GSC240", "ib4606cpq_flt_IDC_w3m18525i-GSC240", "w3m18525i", 2, None, None),
        (4, "IDC_w3m18525i-HSC30", "ib4606cpq_flt_IDC_w3m18525i-HSC30", "w3m18525i", 0, None, None),
        (
            5,
            "IDC_w3m18525i-FIT_REL_GAIADR1",
            "ib4606cpq_flt_IDC_w3m18525i-FIT_REL_GAIADR1-hlet.fits",
            "w3m18525i",
            0,
            13.205,
            12.719,
        ),
        (
            6,
            "IDC_w3m18525i-FIT_REL_GAIADR2",
            "ib4606cpq_flt_IDC_w3m18525i-FIT_REL_GAIADR2-hlet.fits",
            "w3m18525i",
            0,
            9.616,
            11.486,
        ),
        (
            7,
            "IDC_w3m18525i-FIT_SVM_GAIADR2",
            "hst_11665_06_wfc3_ir_f110w_ib4606cp_fl_IDC_w3m18525i-FIT_SVM_GAIADR2-hlet.fits",
            "w3m18525i",
            307,
            12.601,
            12.964,
        ),
        (8, "IDC_w3m18525i", "IDC_w3m18525i", "w3m18525i", 0, None, None),
        (
            9,
            "IDC_w3m18525i-FIT_REL_GAIAeDR3",
            "ib4606cpq_flt_IDC_w3m18525i-FIT_REL_GAIAeDR3-hlet.fits",
            "w3m18525i",
            276,
            9.627,
            10.208,
        ),
        (
            10,
            "IDC_w3m18525i-FIT_SVM_GAIAeDR3",
            "hst_11665_06_wfc3_ir_f110w_ib4606cp_flt_IDC_w3m18525i-FIT_SVM_GAIAeDR3-hlet.fits",
            "w3m18525i",
            224,
            9.916,
            10.422,
        ),
    ],
}
#: The active solution, read from SCI,1: WCSNAME, NMATCHES, RMS_RA, RMS_DEC (mas).
ACTIVE = {
    "sample_flc_header": ("IDC_4bb1536cj-FIT_IMG_GAIAeDR3", 10, 15.260, 10.707),
    "sample_ipppssoot_flc": ("IDC_2731450pi-FIT_REL_GAIAeDR3", 573, 5.759, 5.292),
    "sample_ipppssoot_flt": ("IDC_w3m18525i-FIT_REL_GAIAeDR3", 276, 9.627, 10.208),
    "sample_svm_flc": ("IDC_2731450pi-FIT_SVM_GAIAeDR3", 494, 6.158, 5.190),
    "sample_svm_flt": ("IDC_w3m18525i-FIT_SVM_GAIAeDR3", 224, 9.916, 10.422),
}
#: HDRLETs of the archive whose second chip is that of another solution (B5): SIPWCS,2 holds another WCSNAME.
STALE = {"sample_flc_header": {4, 5}, "sample_ipppssoot_flc": {8}, "sample_svm_flc": {9, 10}}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_solution_is_listed(name):
    found = read(shared(f"headers/{name}.fits"))
    attached = [s for s in found if s.where == solutions.HEADERLET]
    listed = [
        (s.extver, s.wcsname, s.hdrname, s.distortion, s.nmatch, s.rms_ra_mas and round(s.rms_ra_mas, 3),
         s.rms_dec_mas and round(s.rms_dec_mas, 3)) for s in attached
    ]  # fmt: skip
    assert listed == EXPECTED[name]
    wcsname, nmatch, ra, dec = ACTIVE[name]
    primary = found[0]
    assert (primary.where, primary.active, primary.wcsname, primary.nmatch) == ("primary", True, wcsname, nmatch)
    assert (primary.rms_ra_mas, primary.rms_dec_mas) == pytest.approx((ra, dec), abs=6e-4)
    scale = {"sample_flc_header": 0.05}.get(name, 0.12825 if name.endswith("flt") else 0.03962)  # arcsec/px, IDCSCALE
    assert primary.rms_ra_px == pytest.approx(ra / 1000 / scale, rel=1e-3)
    chips = (1,) if name.endswith("flt") else (1, 2)
    assert {s.chips for s in found} == {chips}
    assert [s.wcsname for s in attached if s.active] == [wcsname]
    alternates = {s.key: s.wcsname for s in found if s.where == solutions.ALTERNATE}
    header = fits.getheader(shared(f"headers/{name}.fits"), ("SCI", 1))
    assert alternates == {k[-1]: header[k] for k in header if k.startswith("WCSNAME") and len(k) == 8}


def test_all_42_are_expected():
    assert sum(map(len, EXPECTED.values())) == 42


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
            assert undo_records.undo(path) == {"from": wcsname, "to": ACTIVE[name][0], "exact": "file"}
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
    assert undo_records.undo(path)["exact"] == "wcs"
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
    assert undo_records.undo(path, dry_run=True)["to"] == ACTIVE["sample_svm_flc"][0]
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
