"""One bad association among others, and what stays on disk: small visits, few candidates."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from helpers import workflow
from snakedriz.simulate import Visit, simulate_visit

pytestmark = pytest.mark.workflow

SMALL = {"chip_shape": (256, 512), "n_stars": 120, "n_galaxies": 5, "n_exposures": 2, "make_flc": False}
BAD = "jbad01010"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    simulate_visit(Visit(seed=3, **SMALL), folder)
    return folder


def copy_as(source, target, old, new):
    """Copy the files of a visit under another name of the same length."""
    for path in source.iterdir():
        copied = target / path.name.replace(old, new)
        shutil.copy(path, copied)
        with fits.open(copied, mode="update") as hdul:
            if "ROOTNAME" in hdul[0].header:
                hdul[0].header["ROOTNAME"] = hdul[0].header["ROOTNAME"].replace(old, new)
            if copied.name.endswith("_asn.fits"):
                hdul[1].data["MEMNAME"] = np.char.replace(hdul[1].data["MEMNAME"], old.upper(), new.upper())


def remove(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[:500_000])


def forget_the_distortion_model(path):
    with fits.open(path, mode="update") as hdul:
        hdul[0].header["IDCTAB"] = "jref$nowhere_idc.fits"


def lose_an_extension(path):
    with fits.open(path) as hdul:
        kept = fits.HDUList([hdu.copy() for hdu in hdul if hdu.name != "DQ"])
    kept.writeto(path, overwrite=True)


def test_one_bad_association_fails_alone_and_is_listed_with_reason_and_remedy(small, tmp_path):
    """Damaged in four ways in turn; the two others are complete after the first run and never run again."""
    shutil.copytree(small / "data", tmp_path / "data")
    shutil.copytree(small / "ref", tmp_path / "ref")
    for name in ("jgood0", "jbad01"):
        copy_as(small / "data", tmp_path / "data", "jdemo1", name)
    workflow.write_config(tmp_path, **workflow.SHORT)
    exposure = tmp_path / "data/jbad01a2q_flt.fits"
    sound = exposure.read_bytes()
    first = True
    for damage, reason, remedy in (
        (remove, "jbad01a2q", "put the missing file there"),
        (truncate, "jbad01a2q_flt.fits: truncated", "fetch the file again"),
        (forget_the_distortion_model, "nowhere_idc.fits", "references"),
        (lose_an_extension, "expected the extension DQ,1", ""),
    ):
        damage(exposure)
        done = workflow.run(tmp_path)
        assert done.code == 1, done.tail
        listed = done.output[done.output.index("failed, of") :]
        assert f"1 job failed, of {BAD}:" in done.output, done.tail
        assert reason in listed, listed
        assert remedy in listed, listed
        assert f"log:  results/{BAD}/logs/" in listed
        assert "Fix the problem and run again" in listed
        for good in ("jdemo1010", "jgood0010"):
            assert (tmp_path / f"results/{good}/final/manifest.tsv").exists(), done.tail
        assert "Traceback" not in done.output
        if not first:
            assert set(done.rules) <= {"inventory", "default_solution"}, done.tail
        first = False
        exposure.write_bytes(sound)
    mended = workflow.run(tmp_path)
    assert mended.code == 0, mended.tail
    assert "failed" not in mended.output.partition("Building DAG")[2], mended.tail
    assert mended.rules.count("manifest") == 1, "the other two were complete"
    assert (tmp_path / f"results/{BAD}/final/manifest.tsv").exists()
    account = sorted((tmp_path / "results/runs").glob("*.json"))[0]
    found = json.loads(account.read_text())
    assert [entry["association"] for entry in found["failures"]] == [BAD]
    rows = account.with_suffix(".tsv").read_text().splitlines()
    assert len(rows) - 1 == sum(rule["jobs"] for rule in found["rules"].values())


def science_wcs(path):
    """Every card of the SCI headers that says where the pixels are."""
    with fits.open(path) as hdul:
        keys = ("CTYPE", "CRVAL", "CRPIX", "CD", "A_", "B_", "WCSNAME", "ORIENTAT", "IDCTAB", "LTV", "D2IM", "CPDIS")
        return [
            {key: value for key, value in hdu.header.items() if key.startswith(keys)}
            for hdu in hdul
            if hdu.name == "SCI"
        ]


def test_exposures_come_back_from_their_solutions_when_only_the_final_files_are_kept(small, tmp_path):
    shutil.copytree(small, tmp_path / "work")
    folder = tmp_path / "work"
    offsets = workflow.SIMULATED["solutions"]
    workflow.write_config(
        folder, **{**workflow.SHORT, "candidates": ["default", "apriori"], "solutions": offsets, "keep": "final"}
    )
    done = workflow.run(folder)
    assert done.code == 0, done.tail
    base = folder / "results/jdemo1010"
    assert not [*base.glob("*_*/*_singles.fits"), *base.glob("*_*/*_drz.fits")], "dropped when nothing needs them"
    assert (base / "final/jdemo1010_drz.fits").exists()
    assert workflow.run(folder).rules == [], "nothing is to be done with what is kept"

    restored = workflow.run(folder, "candidates")
    assert set(restored.rules) == {"candidate_exposure", "candidates"}, restored.tail
    winner = workflow.promotion(folder)["winner"]
    for root in ("jdemo1a1q", "jdemo1a2q"):
        found = science_wcs(base / f"jdemo1010_{winner}/{root}_flt.fits")
        assert len(found) == 2
        assert found == science_wcs(base / f"final/{root}_flt.fits")
    # the a priori exposures lie where the offsets put them, the default ones do not
    default, apriori = (science_wcs(base / f"jdemo1010_{c}/jdemo1a1q_flt.fits")[0] for c in ("default", "apriori"))
    assert default["CRVAL1"] != apriori["CRVAL1"]

    before = {path: path.read_bytes() for path in base.glob("*_apriori/*_flt.fits")}
    gone = base / "jdemo1010_apriori/jdemo1a1q_flt.fits"
    gone.unlink()
    again = workflow.run(folder, "candidates", "--config", "keep=all")
    assert again.rules == ["candidate_exposure", "candidates"], "only what is missing"
    assert gone.read_bytes() == before[gone]
    assert workflow.run(folder, "--config", "keep=all").rules == []
