import hashlib
from pathlib import Path

import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.small_exposures import EXCLUDED, write_exposure, write_mdriztab, write_raw, write_table
from helpers.small_exposures import MDRIZTAB_ROWS as ROWS
from snakedriz import settings
from snakedriz.artefacts.inventory import Drizcorr, Inventory
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import association, inventory

ROOT = Path(__file__).resolve().parents[2]
DETECTORS = settings.load_detectors()


def build(found, index, config, environ=None):
    switches, software = {"apply_apriori": True, "compute_aposteriori": False}, {"snakedriz": "0"}
    around = inventory.Surroundings(
        config["references"], config["drizzle"], environ or {}, DETECTORS, switches, software
    )
    return inventory.build(found, index, around)


class Folder:
    """A folder of small exposures: two in an association, with reference files."""

    def __init__(self, path, monkeypatch):
        self.path = path
        monkeypatch.chdir(path)
        self.config = settings.validate_config({"references": {"jref": "ref"}})
        (path / "ref").mkdir()
        write_exposure(path / "ref" / "a_idc.fits")
        write_mdriztab(path / "ref" / "a_mdz.fits", ROWS)
        write_table(path / "data" / "jt_asn.fits", [("JA", "EXP-DTH"), ("JB", "EXP-DTH"), ("JP", "PROD-DTH")])
        self.exposure("ja")
        self.exposure("jb")

    def exposure(self, root, changes=None, kinds=("flt", "flc"), drizcorr="PERFORM", **options):
        for kind in kinds:
            write_exposure(self.path / "data" / f"{root}_{kind}.fits", changes, **options)
        if drizcorr != "no raw":
            write_raw(self.path / "data" / f"{root}_raw.fits", drizcorr)

    def build(self, name="jt", environ=None, **config):
        index = association.FileIndex("data")
        return build(association.read(index, name), index, {**self.config, **config}, environ)

    def quick(self, name="jt"):
        index = association.FileIndex("data")
        return inventory.quick_outcome(association.read(index, name), index)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return Folder(tmp_path, monkeypatch)


def test_an_association(folder):
    files = sorted((folder.path / "data").iterdir())
    before = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    found = folder.build()
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in files] == before
    assert (found.outcome, found.reason, found.warnings) == ("process", "", [])
    assert (found.association, found.kind, found.product) == ("jt", "association", "jp")
    assert (found.instrument, found.detector, found.filter) == ("ACS", "WFC", "F606W,CLEAR2L")
    assert (found.proposal, found.kinds, found.verification_kind) == (10368, ["flc", "flt"], "flc")
    assert found.drizcorr == Drizcorr(value="PERFORM", source="raw", file="data/ja_raw.fits")
    entry = found.exposures[0]
    paths = ("data/ja_raw.fits", "data/ja_flt.fits", "data/ja_flc.fits")
    assert (entry.raw, entry.flt, entry.flc) == paths
    assert (entry.used, entry.alignable, entry.exptime, entry.all_zero) == (True, True, 100.0, False)
    idctab = found.reference_files["IDCTAB"]
    assert [(file.name, file.path, file.exposures) for file in idctab] == [
        ("jref$a_idc.fits", "ref/a_idc.fits", ["ja", "jb"])
    ]
    assert set(found.reference_files) == {"IDCTAB", "MDRIZTAB"}
    assert found.drizzle.mdriztab == "ref/a_mdz.fits"
    assert found.drizzle.origin["combine_type"] == "mdriztab"
    assert found.switches == {"apply_apriori": True, "compute_aposteriori": False}
    found.write(folder.path / "inventory.json")
    assert Inventory.read(folder.path / "inventory.json") == found
    assert folder.build() == found


def test_the_simulated_visit(small_visit, monkeypatch):
    monkeypatch.chdir(small_visit.directory)
    index = association.FileIndex("data")
    found = association.read(index, small_visit.visit.asn)
    config = settings.validate_config({"references": {"jref": "ref"}})
    result = build(found, index, config)
    assert (result.outcome, result.warnings) == ("process", [])
    assert set(result.reference_files) == {"IDCTAB", "D2IMFILE", "NPOLFILE", "MDRIZTAB"}
    assert inventory.quick_outcome(found, index) == (True, "")


@pytest.mark.parametrize(("changes", "reason"), EXCLUDED)
@pytest.mark.parametrize("both", [True, False])
def test_quick_outcome_and_build_agree(folder, changes, reason, both):
    folder.exposure("ja", changes)
    if both:
        folder.exposure("jb", changes)
    try:
        found = folder.build()
    except SnakedrizError as error:  # an exposure that is really of another detector
        assert "different detectors" in str(error)
        assert not both
        return
    assert found.exposures[0].used is False
    assert reason in found.exposures[0].reason
    process, why = folder.quick()
    assert process is (found.outcome == "process") is (not both)
    assert why == found.reason
    if both:
        assert "ja: " in why
        assert "jb: " in why
        assert found.drizzle.parameters == {}


def test_not_good_pixels_and_all_zero(folder):
    folder.exposure("ja", ngoodpix=0)
    folder.exposure("jb", value=0.0)
    found = folder.build()
    assert found.outcome == "not_applicable"
    assert found.reason == ("no exposure can be used: ja: no good pixel (NGOODPIX is 0); jb: all science data are zero")
    assert folder.quick() == (True, "")  # only pixels tell
    folder.exposure("jb", ngoodpix=0)
    assert folder.quick()[0] is False


def test_one_usable_exposure_is_enough_and_says_the_number_of_images(folder):
    folder.exposure("ja", {"EXPTIME": 0.0})
    found = folder.build()
    assert found.outcome == "process"
    assert [entry.used for entry in found.exposures] == [False, True]
    assert found.drizzle.parameters["final_scale"] == pytest.approx(0.03)  # the row for one image
    assert found.reference_files["IDCTAB"][0].exposures == ["jb"]


@pytest.mark.parametrize(
    ("raw", "calibrated", "process", "source"),
    [
        ("PERFORM", "OMIT", False, "raw"),  # the exposures themselves say no
        ("PERFORM", "COMPLETE", True, "raw"),
        ("OMIT", "PERFORM", False, "raw"),
        ("SKIPPED", "PERFORM", False, "raw"),
        ("COMPLETE", "PERFORM", False, "raw"),
        (None, "PERFORM", False, "raw"),
        ("no raw", "PERFORM", True, "flc"),
        ("no raw", "COMPLETE", True, "flc"),
        ("no raw", "OMIT", False, "flc"),
        ("no raw", None, False, "flc"),
    ],
)
def test_drizcorr(folder, raw, calibrated, process, source):
    for root in ("ja", "jb"):
        (folder.path / "data" / f"{root}_raw.fits").unlink()
        folder.exposure(root, {"DRIZCORR": calibrated}, drizcorr=raw)
    found = folder.build()
    assert (found.outcome == "process") is process
    assert folder.quick() == (process, found.reason)
    assert found.drizcorr.source == source
    said = [warning for warning in found.warnings if "no raw file: DRIZCORR was read from data/ja_flc.fits" in warning]
    assert bool(said) is (source == "flc")
    if said:
        assert ("taken as PERFORM" in said[0]) is (calibrated == "COMPLETE")
    if not process:
        assert "DRIZCORR is" in found.reason


def test_omit_without_calibrated_files_is_an_outcome(folder):
    for root in ("ja", "jb"):
        for kind in ("flt", "flc"):
            (folder.path / "data" / f"{root}_{kind}.fits").unlink()
    with pytest.raises(SnakedrizError, match=r"ja, jb: named in data/jt_asn\.fits"):
        folder.build()
    folder.exposure("ja", kinds=(), drizcorr="OMIT")
    found = folder.build()
    assert found.outcome == "not_applicable"
    assert found.exposures[0].exptime == 100.0
    assert folder.quick() == (False, found.reason)


def test_bad_input_fails_in_the_inventory_and_asks_nothing_of_later_stages(folder):
    (folder.path / "data" / "jb_flt.fits").unlink()
    (folder.path / "data" / "jb_flc.fits").unlink()
    with pytest.raises(SnakedrizError, match=r"jb: named in data/jt_asn\.fits, .* below data; put the missing"):
        folder.build()
    process, why = folder.quick()
    assert process is False
    assert why.startswith("jb: named in")


def test_mixed_detectors_name_the_files(folder):
    folder.exposure("jb", {"DETECTOR": "HRC"}, chips=1)
    with pytest.raises(SnakedrizError, match=r"ACS/WFC: data/ja_flc\.fits; ACS/HRC: data/jb_flc\.fits"):
        folder.build()


def test_mixed_filters_are_said(folder):
    folder.exposure("jb", {"FILTER1": "F814W"})
    assert "F606W,CLEAR2L, F814W,CLEAR2L" in folder.build().warnings[0]


@pytest.mark.parametrize("kind", ["flt", "flc"])
def test_truncated_exposures_of_either_kind(folder, kind):
    path = folder.path / "data" / f"jb_{kind}.fits"
    path.write_bytes(path.read_bytes()[:-2850])
    with pytest.raises(SnakedrizError, match=f"data/jb_{kind}.fits: truncated"):
        folder.build()
    path.write_text("no FITS")
    with pytest.raises(SnakedrizError, match="not a FITS file"):
        folder.build()


def test_reference_files_not_found(folder):
    (folder.path / "ref" / "a_idc.fits").unlink()
    with pytest.raises(SnakedrizError, match=r"ja_flc\.fits: IDCTAB = jref\$a_idc\.fits.*searched, ref, has no such"):
        folder.build()
    with pytest.raises(SnakedrizError, match=r"the folder of jref\$ is not known"):
        folder.build(references={})
    write_exposure(folder.path / "other" / "a_idc.fits")
    assert folder.build(references={}, environ={"jref": "other/"}).reference_files["IDCTAB"][0].path == (
        "other/a_idc.fits"
    )


def test_distortion_files_that_are_named_are_needed(folder):
    folder.exposure("jb", {"NPOLFILE": "jref$n_npl.fits"})
    with pytest.raises(SnakedrizError, match=r"NPOLFILE = jref\$n_npl\.fits"):
        folder.build()
    write_exposure(folder.path / "ref" / "n_npl.fits")
    assert folder.build().reference_files["NPOLFILE"][0].exposures == ["jb"]
    folder.exposure("jb", {"IDCTAB": "N/A"})
    with pytest.raises(SnakedrizError, match="IDCTAB names no file"):
        folder.build()


def test_files_of_an_exposure_that_is_not_used_are_not_looked_for(folder):
    folder.exposure("jb", {"EXPTIME": 0.0, "IDCTAB": "jref$nothere_idc.fits"})
    assert folder.build().outcome == "process"


@pytest.mark.parametrize("value", ["N/A", None, "jref$gone_mdz.fits"])
def test_without_mdriztab_the_detectors_numbers_serve(folder, value):
    for root in ("ja", "jb"):
        folder.exposure(root, {"MDRIZTAB": value})
    found = folder.build(drizzle={"final_pixfrac": 0.8})
    assert len(found.warnings) == 1
    assert "config/detectors.yaml" in found.warnings[0]
    assert "MDRIZTAB" not in found.reference_files
    parameters, origin = found.drizzle.parameters, found.drizzle.origin
    assert (parameters["final_bits"], origin["final_bits"]) == ("336", "fallback")
    assert (parameters["final_pixfrac"], origin["final_pixfrac"]) == (0.8, "config")
    assert parameters["driz_cr"] is True


def test_exposure_time_ratio_over_the_exposures_used(folder):
    folder.exposure("jb", {"EXPTIME": 300.0})
    assert folder.build().drizzle.origin["combine_type"] == "exposure-time ratio"
    folder.exposure("jb", {"EXPTIME": 0.0})
    assert folder.build().drizzle.origin["combine_type"] == "mdriztab"


def test_flc_of_a_part(folder):
    (folder.path / "data" / "jb_flc.fits").unlink()
    found = folder.build()
    assert (found.kinds, found.verification_kind) == (["flt"], "flt")
    assert [entry.flc for entry in found.exposures] == [None, None]
    assert "jb has no FLC" in found.warnings[0]


def test_single_exposures(folder):
    folder.exposure("jlone", kinds=("flc",), drizcorr="no raw")
    found = folder.build("jlone")
    assert (found.kind, found.table, found.product, found.kinds) == ("single", None, "jlone", ["flc"])
    assert found.outcome == "process"
    assert folder.build("ja").outcome == "process"  # a member, named by itself


def test_members_not_present(folder):
    write_table(folder.path / "data" / "jt_asn.fits", [("JA", "EXP-DTH"), ("JX", "EXP-DTH", False)])
    found = folder.build()
    assert found.absent == ["jx"]
    assert [entry.rootname for entry in found.exposures] == ["ja"]
    assert "jx" in found.warnings[0]


def test_warnings_of_exposures(folder):
    folder.exposure("ja", {"FGSLOCK": "GYROS", "ROOTNAME": "jz"})
    with fits.open(folder.path / "data" / "ja_flc.fits", mode="update") as hdul:
        hdul["SCI", 2].data[:] = 0
    entry = folder.build().exposures[0]
    assert entry.used
    assert entry.warnings == [
        "FGSLOCK is GYROS: guided without fine lock, the result may be compromised",
        "SCI,2: all pixels are zero",
        "data/ja_flc.fits: ROOTNAME in its header is jz, the file's name is taken",
    ]


def test_a_header_without_optional_keywords(folder):
    for root in ("ja", "jb"):
        gone = ("MTFLAG", "FGSLOCK", "TARGNAME", "OBSTYPE", "PA_V3", "EXPSTART", "SUBARRAY", "D2IMFILE", "NPOLFILE")
        folder.exposure(root, dict.fromkeys(gone), ngoodpix=None)
    assert folder.build().outcome == "process"


def test_several_associations_in_one_folder(folder):
    alone = folder.build()
    folder.exposure("jc", {"DETECTOR": "HRC"}, chips=1)
    write_table(folder.path / "data" / "ju_asn.fits", [("JC", "EXP-DTH")])
    (folder.path / "data" / "jbad_asn.fits").write_text("no FITS")
    assert folder.build() == alone
    assert folder.build("ju").detector == "HRC"
    with pytest.raises(SnakedrizError, match=r"jbad_asn\.fits: not a FITS file"):
        folder.build("jbad")
    assert folder.quick("jbad")[0] is False


def test_real_wfpc2_is_recorded_as_not_applicable():
    index = association.FileIndex(shared("wfpc2_omegacen"))
    found = association.read(index, "u40x010hm")
    result = build(found, index, settings.validate_config({}))
    assert (result.outcome, result.reason) == ("not_applicable", inventory.WFPC2_REASON)
    assert (result.instrument, result.filter, result.proposal) == ("WFPC2", "F555W", 6941)
    assert inventory.quick_outcome(found, index) == (False, inventory.WFPC2_REASON)


def test_real_hrc_pair(tmp_path):
    source = shared("hrc_47tuc")
    for path in source.glob("j8bt06*.fits"):
        (tmp_path / path.name).symlink_to(path)
    write_table(
        tmp_path / "j8bt06040_asn.fits", [("J8BT06NYQ", "EXP-DTH"), ("J8BT06O6Q", "EXP-DTH"), ("J8BT06041", "PROD-DTH")]
    )
    index = association.FileIndex(tmp_path)
    assert association.list_associations(index) == ["j8bt06040"]
    found = association.read(index, "j8bt06040")
    config = settings.validate_config({"references": {"jref": str(source)}})
    result = build(found, index, config)
    assert (result.outcome, result.product, result.kinds) == ("process", "j8bt06041", ["flt"])
    assert [entry.used for entry in result.exposures] == [True, True]
    assert result.drizcorr.source == "flt"  # no raw of the first member
    assert any("o7811184j_mdz.fits was not found" in warning for warning in result.warnings)
    assert result.drizzle.parameters["final_bits"] == "64"
