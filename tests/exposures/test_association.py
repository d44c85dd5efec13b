import pytest
from helpers.small_exposures import write_exposure, write_raw, write_table
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import association
from snakedriz.fits_headers import fast_header


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def read(folder, name):
    return association.read(association.FileIndex(folder), name)


def test_members_products_and_kinds(tmp_path):
    rows = [("JDEMO1A1Q", "EXP-DTH"), ("JDEMO1A2Q", "EXP-DTH"), ("JDEMO1011", "PROD-DTH")]
    write_table(tmp_path / "jdemo1010_asn.fits", rows)
    for kind in ("raw", "flt", "flc"):
        touch(tmp_path, f"jdemo1a1q_{kind}.fits", f"jdemo1a2q_{kind}.fits")
    found = read(tmp_path, "jdemo1010")
    assert found.present == ("jdemo1a1q", "jdemo1a2q")
    assert (found.kind, found.product, found.kinds) == ("association", "jdemo1011", ("flc", "flt"))
    assert (found.verification_kind, found.warnings, found.problem) == ("flc", (), None)
    assert found.table == str(tmp_path / "jdemo1010_asn.fits")


@pytest.mark.parametrize(
    ("rows", "product", "others"),
    [
        ([("JA", "EXP-CR1"), ("JB", "EXP-CR1"), ("JPROD1", "PROD-CR1")], "jprod1", ()),
        (
            [("JA", "EXP-CR1"), ("JB", "EXP-CR2"), ("JP1", "PROD-CR1"), ("JP2", "PROD-CR2"), ("JP0", "PROD-DTH")],
            "jp0",
            ("jp1", "jp2"),
        ),
        ([("JA", "EXP-CR1"), ("JB", "EXP-CR2"), ("JP1", "PROD-CR1"), ("JP2", "PROD-CR2")], "jtable", ("jp1", "jp2")),
        ([("JA", "EXP-RPT"), ("JB", "EXP-RPT"), ("JP1", "PROD-RPT")], "jp1", ()),
        ([("JA", "EXP-DTH"), ("JB", "EXP-DTH")], "jtable", ()),
    ],
)
def test_all_exposures_go_into_one_product(tmp_path, rows, product, others):
    write_table(tmp_path / "jtable_asn.fits", rows)
    touch(tmp_path, "ja_flt.fits", "jb_flt.fits")
    found = read(tmp_path, "jtable")
    assert (found.present, found.product, found.subproducts) == (("ja", "jb"), product, others)


def test_names_padded_with_nuls_and_blanks(tmp_path):
    rows = [(b"JA\0\0\0\0xx", b"exp-dth"), (b"  JB ", b"EXP-DTH\0"), (b"JC", b"PROD-DTH  "), (b"", b"EXP-DTH")]
    write_table(tmp_path / "jtable_asn.fits", rows)
    touch(tmp_path, "ja_flt.fits", "jb_flt.fits")
    assert read(tmp_path, "jtable").present == ("ja", "jb")
    assert read(tmp_path, "jtable").product == "jc"


def test_members_not_present_are_left_out_and_remembered(tmp_path):
    write_table(
        tmp_path / "jtable_asn.fits", [("JA", "EXP-DTH", True), ("JB", "EXP-DTH", False), ("JC", "PROD-DTH", False)]
    )
    touch(tmp_path, "ja_flt.fits", "jb_raw.fits")
    found = read(tmp_path, "jtable")
    assert (found.present, found.product) == (("ja",), "jc")
    assert [member.rootname for member in found.members] == ["ja", "jb"]
    assert association.list_associations(association.FileIndex(tmp_path)) == ["jtable"]  # jb is no single exposure


def test_table_without_memprsnt(tmp_path):
    write_table(tmp_path / "jtable_asn.fits", [("JA", "EXP-DTH")], present=False)
    touch(tmp_path, "ja_flt.fits")
    assert read(tmp_path, "jtable").present == ("ja",)


def test_flc_of_a_part_are_left_aside(tmp_path):
    write_table(tmp_path / "jtable_asn.fits", [("JA", "EXP-DTH"), ("JB", "EXP-DTH")])
    touch(tmp_path, "ja_flt.fits", "jb_flt.fits", "jb_flc.fits")
    found = read(tmp_path, "jtable")
    assert found.kinds == ("flt",)
    assert found.warnings == ("ja has no FLC: the FLC files of the others are left aside, FLT is used for all",)


def test_lone_flc(tmp_path):
    touch(tmp_path, "ja_flc.fits")
    found = read(tmp_path, "ja")
    assert (found.kind, found.kinds, found.product, found.table) == ("single", ("flc",), "ja", None)


def test_missing_exposure_says_which_table_and_folder(tmp_path):
    write_table(tmp_path / "jtable_asn.fits", [("JA", "EXP-DTH"), ("JB", "EXP-DTH")])
    touch(tmp_path, "ja_flt.fits", "jb_raw.fits")
    problem = str(read(tmp_path, "jtable").problem)
    assert problem.startswith(f"jb: named in {tmp_path / 'jtable_asn.fits'}, but no file _flt.fits or _flc.fits")
    assert f"below {tmp_path}" in problem
    assert "MEMPRSNT" in problem


def test_neither_kind_complete(tmp_path):
    write_table(tmp_path / "jtable_asn.fits", [("JA", "EXP-DTH"), ("JB", "EXP-DTH")])
    touch(tmp_path, "ja_flc.fits", "jb_flt.fits")
    assert read(tmp_path, "jtable").problem.reason.startswith("ja: named in")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a FITS file"), (None, "no column MEMNAME or MEMTYPE"), ("truncated", "truncated")],
)
def test_damaged_tables_are_problems_and_do_not_stop_the_others(tmp_path, content, message):
    path = tmp_path / "jbad_asn.fits"
    if content is None:
        from astropy.io import fits

        fits.BinTableHDU.from_columns([fits.Column("X", "3A", array=["a"])]).writeto(path)
    else:
        write_table(path, [("JA", "EXP-DTH")] * 300)
        path.write_bytes(path.read_bytes()[:6000] if content == "truncated" else content)
    write_table(tmp_path / "jgood_asn.fits", [("JA", "EXP-DTH")])
    touch(tmp_path, "ja_flt.fits")
    index = association.FileIndex(tmp_path)
    assert association.list_associations(index) == ["jbad", "jgood"]
    bad = association.read(index, "jbad")
    assert message in bad.problem.reason
    assert "jbad_asn.fits" in bad.problem.reason
    assert bad.present == ()
    assert association.read(index, "jgood").problem is None


def test_tables_without_exposures(tmp_path):
    write_table(tmp_path / "ja_asn.fits", [("JP", "PROD-DTH")])
    write_table(tmp_path / "jb_asn.fits", [("JX", "EXP-DTH", False)])
    write_table(tmp_path / "jc_asn.fits", [("../x", "EXP-DTH")])
    assert "names no exposure" in read(tmp_path, "ja").problem.reason
    assert "marked as present" in read(tmp_path, "jb").problem.reason
    assert "not a rootname" in read(tmp_path, "jc").problem.reason


def test_singles_are_what_no_table_names(tmp_path):
    write_table(tmp_path / "jtable_asn.fits", [("JA", "EXP-CR1"), ("JB", "EXP-CR1"), ("JP1", "PROD-CR1")])
    touch(tmp_path / "in" / "deep", "ja_raw.fits", "ja_flt.fits", "jb_flt.fits", "jp1_flt.fits")
    touch(tmp_path / "in", "jraw_raw.fits", "jraw_flt.fits", "jlone_flc.fits", "u40x_c0m.fits", "u40x_c1m.fits")
    touch(
        tmp_path, "hst_9019_06_acs_hrc_f606w_j8bt06ny_flc.fits", "notes.txt", "gaia.fits", "j1_spt.fits", "j2_hlet.fits"
    )
    touch(tmp_path / ".snakemake", "jhidden_flt.fits")
    index = association.FileIndex(tmp_path)
    assert association.list_associations(index) == ["jlone", "jraw", "jtable", "u40x"]
    assert association.is_wfpc2(index, association.read(index, "u40x"))
    assert association.read(index, "u40x").problem is None


def test_a_named_association_is_found_without_reading_other_tables(tmp_path):
    touch(tmp_path, "jbad_asn.fits")  # not a FITS file
    write_table(tmp_path / "jgood_asn.fits", [("JA", "EXP-DTH")])
    touch(tmp_path, "ja_flt.fits")
    index = association.FileIndex(tmp_path)
    for name in ("jgood", "JGOOD", "jgood_asn.fits", "data/jgood_asn.fits"):
        assert association.read(index, name).name == "jgood"
    with pytest.raises(SnakedrizError, match=r"jgod: neither jgod_asn\.fits .* did you mean jgood\?"):
        association.read(index, "jgod")


def test_the_same_name_twice_matters_only_where_it_is_used(tmp_path):
    touch(tmp_path / "a", "ja_flt.fits", "jb_flt.fits")
    touch(tmp_path / "b", "ja_flt.fits")
    index = association.FileIndex(tmp_path)
    assert association.read(index, "jb").problem is None
    problem = association.read(index, "ja").problem.reason
    assert str(tmp_path / "a" / "ja_flt.fits") in problem
    assert str(tmp_path / "b" / "ja_flt.fits") in problem
    with pytest.raises(SnakedrizError, match="more than once"):
        index.path("ja_flt.fits")
    assert association.files(association.read(index, "ja"), index) == []


def test_links_loops_exclusions_and_upper_case(tmp_path):
    touch(tmp_path / "real", "JA_FLT.FITS")
    touch(tmp_path / "data" / "results", "jold_flt.fits")
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    index = association.FileIndex(tmp_path / "data", exclude=[tmp_path / "data" / "results", tmp_path / "nothere"])
    assert association.list_associations(index) == ["ja"]
    assert index.path("ja_flt.fits") == str(tmp_path / "data" / "linked" / "JA_FLT.FITS")
    with pytest.raises(SnakedrizError, match="does not exist"):
        association.FileIndex(tmp_path / "nowhere")


def test_files_an_inventory_depends_on(tmp_path):
    write_table(tmp_path / "jt_asn.fits", [("JA", "EXP-DTH"), ("JB", "EXP-DTH")])
    touch(tmp_path, "ja_flt.fits", "jb_flt.fits", "ja_raw.fits", "ja_flc.fits")
    index = association.FileIndex(tmp_path)
    names = [path.rpartition("/")[2] for path in association.files(association.read(index, "jt"), index)]
    assert names == ["ja_flt.fits", "jb_flt.fits", "ja_raw.fits", "jt_asn.fits"]


def test_headerlets_by_destim(tmp_path):
    write_exposure(tmp_path / "x_hlet.fits", {"DESTIM": "ja"})
    write_exposure(tmp_path / "deep" / "ja_flt_hlet.fits", {"DESTIM": "JA"})
    write_exposure(tmp_path / "y_hlet.fits", {"DESTIM": "jb"})
    touch(tmp_path, "empty_hlet.fits")
    found = association.headerlets_for(tmp_path, ["ja"])
    assert found == [str(tmp_path / "deep" / "ja_flt_hlet.fits"), str(tmp_path / "x_hlet.fits")]


def test_the_quick_reader_agrees_with_astropy_on_a_written_table(small_visit):
    from astropy.io import fits

    path = small_visit.directory / "data" / f"{small_visit.visit.asn}_asn.fits"
    with fits.open(path) as hdul:
        expected = [tuple(row) for row in hdul[1].data]
    rows = fast_header.table_rows(path, ("MEMNAME", "MEMTYPE", "MEMPRSNT"))
    assert [(r["MEMNAME"], r["MEMTYPE"], r["MEMPRSNT"]) for r in rows] == expected


def test_raw_without_calibrated_file(tmp_path):
    write_raw(tmp_path / "ja_raw.fits")
    problem = str(read(tmp_path, "ja").problem)
    assert problem == f"ja: no calibrated file (ja_flt.fits or _flc.fits) was found below {tmp_path}; put it there"
