"""Candidates from solutions on real archive headers: what is chosen, where it puts the pixels, what is an outcome."""

import pytest
from helpers.real_headers import (
    assert_same_sky,
    content_of,
    copy_of,
    points,
    remove_keyword,
    rewrite,
    set_extver,
    set_header,
    sky_of_headerlet,
    stale_chip,
    without,
)
from helpers.shared_data import shared
from snakedriz.candidates import named
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import association, skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import headerlets, sky_positions, solutions

#: Two exposures of one visit with one distortion model; only the first has FIT_SVM_GAIAeDR3.
CPQ = ExposureKey("ib4606cpq", "flt")
PAIR = {"ib4606c6q": "sample_svm_flc", "ib4606c5q": "sample_ipppssoot_flc"}
SVM_DR2, SVM_DR3 = "IDC_2731450pi-FIT_SVM_GAIADR2", "IDC_2731450pi-FIT_SVM_GAIAeDR3"


def pair():
    return {
        ExposureKey(root, "flc"): skeleton.from_exposure(shared(f"headers/{name}.fits")) for root, name in PAIR.items()
    }


def make(skeletons, way, text, files=()):
    return named.make("named", way, text, skeletons, files)


def sky(exposure):
    """0-based pixels of the grid of `real_headers.points` by the active WCS."""
    from stwcs.wcsutil import HSTWCS

    chips = skeleton.science_extensions(exposure)
    return {chip: HSTWCS(exposure, ext=("SCI", chip)).all_pix2world(points(), 0) for chip in chips}


def test_a_solution_that_both_have_lies_where_the_headerlets_say(tmp_path):
    skeletons = pair()
    found = make(skeletons, "either", "IDC_*-FIT_SVM_GAIADR2")
    assert (found.outcome, found.wcsname) == ("ok", SVM_DR2)
    for (root, name), extver in zip(PAIR.items(), (7, 6), strict=True):
        expected = sky_of_headerlet(shared(f"headers/{name}.fits"), extver)  # astropy alone, to 1 micro-arcsec
        assert_same_sky(sky(skeletons[ExposureKey(root, "flc")]), expected)
        header = skeletons[ExposureKey(root, "flc")]["SCI", 2].header
        assert (header["WCSNAME"], header["NMATCHES"]) == (SVM_DR2, 697)
    # the archive's stale headerlets in these files are repaired in the copy, and it says so
    repaired = [said for entry in found.exposures for said in entry.repaired]
    assert len(repaired) == 3
    assert all("all chips taken from" in said for said in repaired)
    # what was active stays a headerlet of the copy
    for entry in found.exposures:
        names = [
            s.wcsname
            for s in solutions.read(skeletons[ExposureKey.parse(entry.file)])
            if s.where == solutions.HEADERLET
        ]
        assert entry.before in names


def test_a_solution_that_only_one_has_is_an_outcome(tmp_path):
    found = make(pair(), "either", "IDC_*-FIT_SVM_GAIAeDR3")
    assert (found.outcome, found.wcsname) == ("not_applicable", "")
    assert "ib4606c5q: no solution matches 'IDC_*-FIT_SVM_GAIAeDR3'; it has IDC_2731450pi-FIT_REL" in found.reason
    assert "ib4606c6q: IDC-FIT_SVM_GAIAeDR3; repair: add headerlets" in found.reason


def test_of_several_the_best_that_all_have_is_taken():
    found = make(pair(), "wcsname", "IDC_*-FIT_*")
    assert found.wcsname == "IDC_2731450pi-FIT_REL_GAIAeDR3"
    assert "first in the order of preference among" in found.reason
    assert "FIT_SVM_GAIAeDR3" not in found.reason


@pytest.mark.parametrize(
    ("way", "text", "expected"),
    [
        ("either", "IDC_*", {"IDC_2731450pi"}), ("either", "*-gsc240", {"IDC_2731450pi-GSC240"}),
        ("hdrname", "*flt_idc_*-hsc30", {"IDC_2731450pi-HSC30", "ib4606c6q_flt_IDC_2731450pi-HSC30-hlet.fits"}),
        ("either", "ib4606c6q_flc_IDC_2731450pi-FIT_REL_GAIADR2-hlet.fits", {"IDC_2731450pi-FIT_REL_GAIADR2"}),
        ("wcsname", "ib4606c6q_flc_IDC_2731450pi-FIT_REL_GAIADR2-hlet.fits", set()),
    ],
)  # fmt: skip
def test_what_a_pattern_matches(way, text, expected):
    found = solutions.read(solutions.open_exposure(shared("headers/sample_svm_flc.fits")))
    assert {s.wcsname for s in named.matching(found, way, text)} == expected


def test_no_distortion_model_is_an_outcome():
    one = {CPQ: skeleton.from_exposure(shared("headers/sample_svm_flt.fits"))}
    found = make(one, "either", "OPUS")
    assert found.outcome == "not_applicable"
    assert "has no distortion model" in found.reason


def test_another_distortion_model_is_an_outcome():
    """The headers name another IDCTAB than the solutions were made for, as after a recalibration."""
    one = {CPQ: skeleton.from_exposure(shared("headers/sample_svm_flt.fits"))}
    one[CPQ][0].header["IDCTAB"] = "iref$9zz1234ai_idc.fits"
    found = make(one, "either", "*-FIT_SVM_GAIAeDR3")
    assert found.outcome == "not_applicable"
    assert "distortion model w3m18525i, IDCTAB of the exposure is 9zz1234ai" in found.reason
    assert "repair: use a solution made for the exposure's IDCTAB" in found.reason


def test_a_stale_headerlet_of_the_archive_is_an_outcome():
    one = {ExposureKey("jbt122x8q", "flc"): skeleton.from_exposure(shared("headers/sample_flc_header.fits"))}
    found = make(one, "either", "*-FIT_REL_GAIAeDR3")
    assert found.outcome == "not_applicable"
    assert "SCI,2 is 40.0 mas off" in found.reason
    assert "repair: take the headerlet from the archive again" in found.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (remove_keyword("A_ORDER"), "has no SIP distortion"), (remove_keyword("IDCSCALE"), "has no IDCSCALE"),
        (without("SIPWCS", 2), "has no WCS for SCI,2"), (stale_chip, "the chips did not move together"),
        (set_header("DESTIM", "ib4606c9q"), "was made for ib4606c9q"),
    ],
)  # fmt: skip
def test_damage_is_an_outcome_with_its_reason(change, says, tmp_path):
    path = copy_of("sample_svm_flc", tmp_path)
    rewrite(path, 7, change)
    found = make(
        {ExposureKey("ib4606c6q", "flc"): skeleton.from_exposure(path)},
        "either",
        "*-FIT_SVM_GAIADR2",
    )
    assert found.outcome == "not_applicable"
    assert says in found.reason
    assert "(repair: " in found.reason


def test_numbers_and_names_are_repaired_in_the_copy_and_recorded(tmp_path):
    path = copy_of("sample_svm_flt", tmp_path)
    expected = sky_of_headerlet(path, 7)
    rewrite(path, 6, set_header("HDRNAME", content_of(path, 7)[0].header["HDRNAME"]))  # two of this name, then
    set_extver(path, 9, 7)  # two of this number
    one = {CPQ: skeleton.from_exposure(path)}
    found = make(one, "either", "*-FIT_SVM_GAIADR2")
    assert found.outcome == "ok"
    assert_same_sky(sky(one[CPQ]), expected)
    repaired = found.exposures[0].repaired
    assert any("HDRNAME" in said and "was taken" in said for said in repaired)
    assert any("EXTVER is now 9" in said for said in repaired)
    versions = [one[CPQ][i].header["EXTVER"] for i in headerlets.headerlet_extensions(one[CPQ])]
    assert versions == list(range(1, len(versions) + 1))


def test_two_of_one_name_that_differ_are_an_outcome(tmp_path):
    path = copy_of("sample_svm_flt", tmp_path)

    def moved(content):
        content[1].header["CRVAL1"] += 1e-6

    rewrite(path, 8, moved)  # HDRLET,2 and HDRLET,8 are both IDC_w3m18525i
    one = {CPQ: skeleton.from_exposure(path)}
    found = make(one, "either", "IDC_*")
    assert found.outcome == "not_applicable"
    assert "HDRLET,2" in found.reason
    assert "ask for one of them by HDRNAME" in found.reason
    assert (
        make({ExposureKey("x", "flt"): skeleton.from_exposure(path)}, "hdrname", "*_flt_IDC_w3m18525i").outcome == "ok"
    )


@pytest.fixture
def folder(tmp_path):
    """Headerlets of FIT_SVM_GAIADR2 for both exposures under the archive's kind of name, and one for another."""
    path = tmp_path / "svm"
    path.mkdir()
    for name, extver, file in (("sample_svm_flc", 7, "hst_c6"), ("sample_ipppssoot_flc", 6, "hst_c5"),
                               ("sample_svm_flt", 7, "hst_cp")):  # fmt: skip
        source = shared(f"headers/{name}.fits")
        content_of(source, extver).writeto(path / f"{file}_hlet.fits")
    return path


def files_for(folder):
    association._headerlet_targets.cache_clear()  # a folder is read once in a run
    return [*association.headerlets_for(folder, list(PAIR)), *association.unreadable_headerlets(folder)]


def bare(skeletons):
    """The exposures as calibrated: no headerlet, no alternate."""
    for exposure in skeletons.values():
        for place in reversed(headerlets.headerlet_extensions(exposure)):
            del exposure[place]
        for chip in skeleton.science_extensions(exposure):
            header = exposure["SCI", chip].header
            for keyword in [k for k in header if k.startswith("WCSNAME") or (k.startswith("CRVAL") and len(k) == 7)]:
                del header[keyword]
    return skeletons


def test_a_folder_of_headerlets_is_matched_by_destim(folder, tmp_path):
    files = files_for(folder)
    assert [path.rpartition("/")[2] for path in files] == ["hst_c5_hlet.fits", "hst_c6_hlet.fits"]
    skeletons = bare(pair())
    found = make(skeletons, "headerlets", str(folder), files)
    assert (found.outcome, found.wcsname) == ("ok", SVM_DR2)
    assert [entry.source for entry in found.exposures] == [str(folder / f"hst_{c}_hlet.fits") for c in ("c6", "c5")]
    for (root, name), extver in zip(PAIR.items(), (7, 6), strict=True):
        assert_same_sky(
            sky(skeletons[ExposureKey(root, "flc")]), sky_of_headerlet(shared(f"headers/{name}.fits"), extver)
        )


def test_a_damaged_file_of_a_folder_is_an_outcome(folder):
    path = folder / "hst_c5_hlet.fits"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    found = make(pair(), "headerlets", str(folder), files_for(folder))
    assert found.outcome == "not_applicable"
    assert f"ib4606c5q: {path}: truncated: {len(whole) - 5000} bytes" in found.reason
    path.write_bytes(b"not FITS at all")
    found = make(pair(), "headerlets", str(folder), files_for(folder))
    assert "ib4606c5q: no headerlet in" in found.reason
    assert str(path) in found.reason


def test_a_folder_that_is_none_is_an_error(tmp_path):
    with pytest.raises(SnakedrizError, match="is not a directory"):
        named.folder_files(tmp_path / "smv", [])


def test_both_kinds_of_file_get_one_wcs():
    """The FLT has no solution of its own: it takes the FLC's."""
    exposure = pair()[ExposureKey("ib4606c6q", "flc")]
    sibling = bare({"x": skeleton.from_exposure(shared("headers/sample_svm_flc.fits"))})["x"]
    found = make(
        {ExposureKey("ib4606c6q", "flc"): exposure, ExposureKey("ib4606c6q", "flt"): sibling}, "either", "*-HSC30"
    )
    assert found.outcome == "ok"
    assert [entry.source for entry in found.exposures] == ["HDRLET,4 of ib4606c6q_flc"] * 2
    apart = sky_positions.difference(sky_positions.of_exposure(exposure), sky_positions.of_exposure(sibling))
    assert apart <= sky_positions.LIMIT_MICROARCSEC
    assert "HSC30" in [s.kind for s in solutions.read(sibling) if s.where == solutions.HEADERLET]


def test_the_journal_of_a_switched_file_is_left_behind(tmp_path):
    from snakedriz.wcs import switching

    path = copy_of("sample_svm_flt", tmp_path)
    switching.switch(path, "*-GSC240")
    assert skeleton.JOURNAL in [hdu.name for hdu in solutions.open_exposure(path)]
    assert skeleton.JOURNAL not in [hdu.name for hdu in skeleton.from_exposure(path)]
