"""Kinds of input a user may have, good and bad: what is made of them, and what is said."""

import json
import shutil

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from helpers import workflow
from helpers.shared_data import shared
from snakedriz.simulate import Visit, measure_offsets, simulate_visit

pytestmark = pytest.mark.workflow

SMALL = {"chip_shape": (256, 512), "n_stars": 120, "n_galaxies": 5}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two small exposures; tests take copies."""
    folder = tmp_path_factory.mktemp("small")
    simulate_visit(Visit(n_exposures=2, seed=3, **SMALL), folder)
    return folder


@pytest.fixture
def copy(small, tmp_path):
    folder = tmp_path / "work"
    shutil.copytree(small, folder)
    workflow.write_config(folder)
    return folder


def inventory(folder, asn="jdemo1010"):
    return json.loads((folder / f"results/{asn}/inventory.json").read_text())


def test_a_displaced_exposure_is_repaired_or_refused(tmp_path):
    """One of four exposures 0.25 arcsec (5 px) off: the default, smeared, is not verified; the fit repairs it."""
    truth = simulate_visit(Visit(seed=5, exposure_errors={2: (0.2, 0.15)}, **{**SMALL, "n_stars": 200}), tmp_path)
    workflow.write_config(tmp_path)
    done = workflow.run(tmp_path, "results/jdemo1010/final/jdemo1010_drc.fits")
    assert done.code == 0, done.tail
    found = workflow.promotion(tmp_path)
    for candidate in ("default", "apriori"):
        row = workflow.row(found, candidate)
        assert row["verdicts"]["measured"] is False
        assert row["registration"]["worst_px"] == pytest.approx(5.0, abs=0.1)
        assert row["registration"]["of"].startswith("jdemo1a3q")
    assert (found["winner"], found["verified"]) == ("aposteriori", True), found["reason"]
    summary = measure_offsets(tmp_path / "results/jdemo1010/final/jdemo1010_drc.fits", truth).meta["summary"]
    assert summary["median_radial_mas"] < 2.0


def test_a_displaced_exposure_without_a_catalogue_is_never_verified(tmp_path):
    simulate_visit(Visit(seed=6, exposure_errors={1: (-0.15, 0.2)}, **SMALL), tmp_path)
    workflow.write_config(tmp_path, catalogs=[])
    done = workflow.run(tmp_path, "results/jdemo1010/promotion.json")
    assert done.code == 0, done.tail
    found = workflow.promotion(tmp_path)
    # The guide stars' correction moves all exposures alike: it fails as the default does, and is closer on the sky.
    assert (found["winner"], found["verified"]) == ("apriori", False)
    assert found["verdict"] == "not verified, changes nothing"
    assert not any(row["verified"] for row in found["candidates"])
    assert "no reference catalogue" in workflow.row(found, "aposteriori")["reason"]


def test_a_lone_flt_without_raw_or_table(small, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copytree(small / "ref", tmp_path / "ref")
    shutil.copy(small / "data/jdemo1a1q_flt.fits", tmp_path / "data")
    shutil.copy(small / "gaia.ecsv", tmp_path)
    workflow.write_config(tmp_path, solutions={})
    done = workflow.run(tmp_path)
    assert done.code == 0, done.tail
    assert inventory(tmp_path, "jdemo1a1q")["drizcorr"]["source"] == "flt"
    final = tmp_path / "results/jdemo1a1q/final"
    assert (final / "jdemo1a1q_drz.fits").exists()
    assert not list(final.glob("*_drc.fits"))
    found = workflow.promotion(tmp_path, "jdemo1a1q")
    assert workflow.row(found, "apriori")["outcome"] == "not_applicable"
    if found["winner"] == "aposteriori":
        assert found["wcsname"].endswith("FIT_IMG_GAIAeDR3")


def test_a_product_named_differently_and_a_member_that_is_not_present(copy):
    path = copy / "data/jdemo1010_asn.fits"
    with fits.open(path, mode="update") as hdul:
        names = hdul[1].data["MEMNAME"]
        kinds = hdul[1].data["MEMTYPE"]
        names[np.char.startswith(np.char.strip(kinds), "PROD")] = "JDEMO1011"
        hdul[1].data["MEMPRSNT"][1] = False
    workflow.write_config(copy, **workflow.SHORT)
    done = workflow.run(copy)
    assert done.code == 0, done.tail
    assert (copy / "results/jdemo1010/final/jdemo1011_drc.fits").exists()
    assert len(inventory(copy)["exposures"]) == 1


def test_omitted_and_broken_associations_do_not_stop_the_others(copy, small):
    """A good one, one with DRIZCORR=OMIT, one with a truncated exposure, one with a missing exposure: in one folder."""
    for old, new in (("jdemo1", "jomit1"), ("jdemo1", "jtrun1"), ("jdemo1", "jmiss1")):
        for path in (small / "data").iterdir():
            target = copy / "data" / path.name.replace(old, new)
            shutil.copy(path, target)
            with fits.open(target, mode="update") as hdul:
                if "ROOTNAME" in hdul[0].header:
                    hdul[0].header["ROOTNAME"] = hdul[0].header["ROOTNAME"].replace(old, new)
                if target.name.endswith("_asn.fits"):
                    hdul[1].data["MEMNAME"] = np.char.replace(hdul[1].data["MEMNAME"], old.upper(), new.upper())
                elif new == "jomit1" and target.name.endswith("_raw.fits"):
                    hdul[0].header["DRIZCORR"] = "OMIT"
    broken = copy / "data/jtrun1a2q_flc.fits"
    broken.write_bytes(broken.read_bytes()[:1_000_000])
    for kind in ("flc", "flt"):
        (copy / f"data/jmiss1a1q_{kind}.fits").unlink()
    before = workflow.digests(copy / "data")
    workflow.write_config(copy, **workflow.SHORT)
    done = workflow.run(copy)
    assert done.code == 1, done.tail
    assert "jtrun1a2q_flc.fits" in done.output
    assert "jmiss1a1q" in done.output
    assert "Traceback" not in done.output
    assert workflow.promotion(copy)["winner"] == "default"
    assert (copy / "results/jdemo1010/final/manifest.tsv").exists()
    omitted = workflow.promotion(copy, "jomit1010")
    assert omitted["winner"] is None
    assert "OMIT" in omitted["reason"]
    for bad in ("jomit1010", "jtrun1010", "jmiss1010"):
        assert not list((copy / f"results/{bad}").glob("**/*.fits")), bad
    assert workflow.digests(copy / "data") == before


def test_one_empty_exposure_is_left_out_and_said_so(copy):
    for kind in ("flc", "flt"):
        with fits.open(copy / f"data/jdemo1a2q_{kind}.fits", mode="update") as hdul:
            for chip in (1, 2):
                hdul["SCI", chip].data[:] = 0
    workflow.write_config(copy, **workflow.SHORT)
    done = workflow.run(copy)
    assert done.code == 0, done.tail
    first, second = inventory(copy)["exposures"]
    assert (first["used"], second["used"]) == (True, False)
    assert "zero" in second["reason"]


def test_no_usable_exposure_is_recorded_and_nothing_looks_finished(copy):
    """Only the pixels say that they are empty, so products were planned: the reason is recorded, and no image made."""
    for path in (copy / "data").glob("*_fl?.fits"):
        with fits.open(path, mode="update") as hdul:
            for chip in (1, 2):
                hdul["SCI", chip].data[:] = 0
    workflow.write_config(copy, **workflow.SHORT)
    done = workflow.run(copy)
    assert done.code == 1
    assert "nothing to drizzle" in done.output, done.tail
    found = workflow.promotion(copy)
    assert found["winner"] is None
    assert "zero" in found["reason"]
    assert not list((copy / "results/jdemo1010/final").glob("*.fits"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inptu": "data"}, ["inptu", "input"]),
        ({"promotion": {"policy": "best"}}, ["policy", "documented"]),
        ({"references": {"jref": "nowhere"}}, ["IDCTAB", "9d1snakej_idc.fits", "nowhere"]),
        ({"input": "elsewhere"}, ["elsewhere"]),
    ],
)
def test_wrong_settings_are_named(copy, change, words):
    workflow.write_config(copy, **change)
    done = workflow.run(copy)
    assert done.code != 0
    for word in words:
        assert word in done.output, done.tail
    assert not list((copy / "results").glob("**/*.fits"))


def test_catalogues_without_columns_or_rows(copy):
    gaia = Table.read(copy / "gaia.ecsv")
    gaia["DEC"] -= 10
    gaia.write(copy / "far.ecsv")
    gaia.rename_column("RA", "x")
    gaia.write(copy / "nora.ecsv")
    workflow.write_config(copy, catalogs=[{"name": "FAR", "file": "far.ecsv"}])
    done = workflow.run(copy, "results/jdemo1010/promotion.json")
    assert done.code == 0, done.tail
    found = workflow.promotion(copy)
    assert workflow.row(found, "aposteriori")["outcome"] == "not_applicable"
    assert "FAR" in workflow.row(found, "aposteriori")["reason"]
    assert found["winner"] == "apriori"
    workflow.write_config(copy, catalogs=[{"name": "NORA", "file": "nora.ecsv"}])
    done = workflow.run(copy, "results/jdemo1010/promotion.json")
    assert done.code == 1
    assert "nora.ecsv" in done.output
    assert "RA" in done.output


def test_environment_switches(copy):
    done = workflow.run(
        copy, "results/jdemo1010/promotion.json", ASTROMETRY_COMPUTE_APOSTERIORI="OFF", ASTROMETRY_APPLY_APRIORI="no"
    )
    assert done.code == 0, done.tail
    found = workflow.promotion(copy)
    assert found["winner"] == "default"
    for candidate, variable in (("apriori", "APPLY_APRIORI"), ("aposteriori", "COMPUTE_APOSTERIORI")):
        assert variable in workflow.row(found, candidate)["reason"]
    assert inventory(copy)["switches"] == {"apply_apriori": False, "compute_aposteriori": False}
    assert workflow.run(copy, ASTROMETRY_APPLY_APRIORI="maybe").code != 0
    refused = workflow.run(copy, ASTROMETRY_STEP_CONTROL="on")
    assert refused.code != 0
    assert "ASTROMETRY_APPLY_APRIORI" in refused.output


def _hrc_association(folder):
    """The real 47 Tuc pair as an association, which the archive copies lack."""
    (folder / "data").mkdir()
    (folder / "ref").mkdir()
    roots = ("j8bt06nyq", "j8bt06o6q")
    for root in roots:
        shutil.copy(shared(f"hrc_47tuc/{root}_flt.fits"), folder / "data")
    shutil.copy(shared("hrc_47tuc/j8bt06o6q_raw.fits"), folder / "data")
    shutil.copy(shared("hrc_47tuc/n721640fj_idc.fits"), folder / "ref")
    rows = [(r.upper(), "EXP-DTH", True) for r in roots] + [("J8BT06041", "PROD-DTH", False)]
    columns = [
        fits.Column("MEMNAME", "14A", array=np.array([r[0] for r in rows])),
        fits.Column("MEMTYPE", "14A", array=np.array([r[1] for r in rows])),
        fits.Column("MEMPRSNT", "L", array=np.array([r[2] for r in rows])),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="ASN")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "data/j8bt06040_asn.fits")


@pytest.mark.parametrize("catalogs", [[], [{"name": "GAIA", "file": "gaia.csv"}]])
def test_the_real_hrc_pair_of_47_tuc(tmp_path, catalogs):
    """Real pixels, two exposures, no usable catalogue: final products, and the default promoted with the reason."""
    _hrc_association(tmp_path)
    if catalogs:
        shutil.copy(shared("gaia_47tuc/gaia_only_47tuc_2472.csv"), tmp_path / "gaia.csv")
    config = {"input": "data", "output": "results", "references": {"jref": "ref"}, "catalogs": catalogs}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    before = workflow.digests(tmp_path / "data")
    done = workflow.run(tmp_path)
    assert done.code == 0, done.tail
    found = workflow.promotion(tmp_path, "j8bt06040")
    assert found["winner"] == "default"
    assert found["wcsname"] == "IDC_n721640fj"
    aposteriori = workflow.row(found, "aposteriori")
    assert aposteriori["outcome"] == "not_applicable"
    assert "catalog" in aposteriori["reason"]
    final = tmp_path / "results/j8bt06040/final"
    with fits.open(final / "j8bt06041_drz.fits") as product:
        assert np.isfinite(product["SCI"].data).mean() > 0.5
    assert any("MDRIZTAB" in warning for warning in inventory(tmp_path, "j8bt06040")["warnings"])
    assert workflow.digests(tmp_path / "data") == before
