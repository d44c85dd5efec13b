"""The whole workflow on a simulated visit with known truth: what comes out, and what runs again when."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from astropy.io import fits
from helpers import workflow
from snakedriz.drizzle import cr_masks
from snakedriz.files import read_json
from snakedriz.simulate import Visit, measure_offsets, simulate_visit

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: folder, truth, the run, digests of the inputs before it."""
    folder = tmp_path_factory.mktemp("finished")
    truth = simulate_visit(Visit(seed=1), folder)
    workflow.write_config(folder, promotion={})
    inputs = {name: workflow.digests(folder / name) for name in ("data", "ref")}
    done = workflow.run(folder)
    assert done.code == 0, done.tail
    return folder, truth, done, inputs


def test_no_job_takes_more_than_its_estimate(finished):
    """Time, memory and bytes written of every job of the demo's visit, against what its rule asked for."""
    folder, _, done, _ = finished
    account = min((folder / "results/runs").glob("*.json"))
    found = read_json(account)
    assert sum(rule["jobs"] for rule in found["rules"].values()) == len(done.rules) - 1  # without `all`
    assert found["exceeded"] == []


def test_the_fit_is_promoted_and_the_product_is_true(finished):
    """Product stars within 2 mas of truth in the median (the goal of the design).

    A star's own error is about 1 mas per axis (1 mas in the catalogue only shifts the frame, by 1 mas / sqrt(48) =
    0.15 mas); the median distance is what a bright star's centroid scatters by. The frame itself is tighter.
    """
    folder, truth, _, _ = finished
    found = workflow.promotion(folder)
    assert (found["winner"], found["verified"]) == ("aposteriori", True), found["reason"]
    assert found["wcsname"] == "IDC_9d1snakej-FIT_REL_GAIAeDR3"
    summary = measure_offsets(folder / "results/jdemo1010/final/jdemo1010_drc.fits", truth).meta["summary"]
    assert summary["n"] >= 30
    assert summary["median_radial_mas"] < 2.0
    # 4 times 0.17 mas of zero point plus 0.2 mas of the measurement's own median
    assert abs(summary["median_dra_mas"]) < 0.9
    assert abs(summary["median_ddec_mas"]) < 0.9


def test_the_other_candidates_are_as_far_off_as_the_simulation_put_them(finished):
    folder, truth, _, _ = finished
    for candidate, expected in (("default", (350.0, -400.0)), ("apriori", (30.0, -20.0))):
        product = folder / f"results/jdemo1010/jdemo1010_{candidate}/jdemo1010_drc.fits"
        summary = measure_offsets(product, truth).meta["summary"]
        assert (summary["median_dra_mas"], summary["median_ddec_mas"]) == pytest.approx(expected, abs=2.0)


def test_relative_and_absolute_errors_are_measured_for_every_candidate_and_kept_apart(finished):
    """In metrics.json, promotion.json and the product's header; against the catalogue what the simulation put in."""
    folder, _, _, _ = finished
    found = workflow.promotion(folder)
    for candidate, expected in (("default", (350.0, -400.0)), ("apriori", (30.0, -20.0)), ("aposteriori", (0.0, 0.0))):
        metrics = read_json(folder / f"results/jdemo1010/jdemo1010_{candidate}/metrics.json")
        absolute, relative = metrics["astrometry"]["absolute"], metrics["astrometry"]["relative"]
        assert absolute["catalog"] == "GAIAeDR3"
        # Gaia errors of 1 mas and centroids of 1 mas: 48 stars give 0.2 mas per axis; 4 of these
        assert absolute["error_mas"] < 0.5
        assert absolute["offset_mas"] == pytest.approx(expected, abs=4 * absolute["error_mas"])
        assert relative["scatter_mas"] < 1.0
        # 0.02 px: exposures of the simulation share one pointing, each is measured to 0.005 px
        worst = workflow.row(found, candidate)["registration"]
        assert worst["worst_px"] < 0.05
        assert workflow.row(found, candidate)["astrometry"]["absolute"] == absolute
        assert metrics["drizzlepac"]["verified"] is True
        assert metrics["verified"] == {"measured": True, "documented": True, "drizzlepac": True}
    held = metrics["astrometry"]["held_out"]
    assert held["found"] >= 0.95 * held["stars"]
    assert held["rms_mas"] >= held["in_sample_rms_mas"]
    checks = {check["name"]: check["passed"] for check in metrics["astrometry"]["checks"]}
    assert checks == {"held_out": True, "magnitudes": True, "second_catalog": None}
    for name in ("jdemo1010_drc.fits", "jdemo1a1q_flc.fits"):
        header = fits.getheader(folder / "results/jdemo1010/final" / name)
        assert header["SDABSERR"] == pytest.approx(absolute["error_mas"])
        assert header["SDRELMAS"] == pytest.approx(relative["scatter_mas"])
        assert header["SDREGPX"] == pytest.approx(worst["worst_px"])
        assert header["SDHELDRM"] == pytest.approx(held["rms_mas"])


def test_every_promised_file_is_there(finished):
    folder, truth, _, _ = finished
    results = folder / "results/jdemo1010"
    expected = ["inventory.json", "promotion.json", "final/manifest.tsv", "final/jdemo1010.tra"]
    expected += [f"jdemo1010_{c}/metrics.json" for c in ("default", "apriori", "aposteriori")]
    expected += ["final/jdemo1010_drc.fits", "final/jdemo1010_drz.fits"]
    for root in truth.visit.rootnames:
        expected += [f"final/{root}_{kind}{end}.fits" for kind in ("flc", "flt") for end in ("", "_hlet")]
    assert [name for name in expected if not (results / name).is_file()] == []
    manifest = [line.split("\t") for line in (results / "final/manifest.tsv").read_text().splitlines()[1:]]
    digests = workflow.digests(results / "final")
    assert {name: digest for name, _, digest in manifest} == {
        name: digest for name, digest in digests.items() if name.endswith(".fits")
    }
    trailer = (results / "final/jdemo1010.tra").read_text()
    assert "Promoted: aposteriori" in trailer
    assert "similarity" in trailer
    with fits.open(results / "final/jdemo1010_drc.fits") as product:
        assert product[0].header["DRIZCORR"] == "COMPLETE"
        assert product["SCI"].header["WCSNAME"] == "IDC_9d1snakej-FIT_REL_GAIAeDR3"
        assert product["SCI"].header["S_REGION"].startswith("POLYGON ICRS")


def test_both_kinds_of_final_exposures_have_one_wcs(finished):
    folder, truth, _, _ = finished
    final = folder / "results/jdemo1010/final"
    for root in truth.visit.rootnames:
        with fits.open(final / f"{root}_flc.fits") as flc, fits.open(final / f"{root}_flt.fits") as flt:
            for chip in (1, 2):
                for key in ("CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "WCSNAME", "NMATCHES"):
                    assert flc["SCI", chip].header[key] == flt["SCI", chip].header[key]
                assert flc["SCI", chip].header["NMATCHES"] >= 12


def same_pixels(one, other):
    """Whether two products have the same bits in every plane."""
    with fits.open(one) as a, fits.open(other) as b:
        return all(a[plane].data.tobytes() == b[plane].data.tobytes() for plane in ("SCI", "WHT", "CTX"))


def test_what_is_delivered_is_what_was_judged(finished):
    """Product and flags, to the bit: final ones were made anew, with flags that nobody had judged.

    In this visit the flags differed then in 0.5 % of the weights and, through the sky, in nearly all pixels.
    """
    folder, truth, _, _ = finished
    results = folder / "results/jdemo1010"
    judged = results / "jdemo1010_aposteriori"
    assert same_pixels(results / "final/jdemo1010_drc.fits", judged / "jdemo1010_drc.fits")
    masks = cr_masks.read_bundle(judged / "jdemo1010_drc_crmask.fits")
    assert sum(mask.sum() for chips in masks.values() for mask in chips.values()) > 10_000
    for root in truth.visit.rootnames:
        for kind in ("flc", "flt"):
            found = cr_masks.from_exposure(results / f"final/{root}_{kind}.fits")
            assert cr_masks.same({root: found}, {root: masks[root]}), (root, kind)


def test_it_is_so_for_whatever_is_promoted_and_where_products_do_not_stay(tmp_path):
    """The default, which flags afresh, and one with its flags; products are drizzled once more where they are gone."""
    simulate_visit(Visit(seed=11, n_exposures=2, chip_shape=(256, 512), n_stars=120, n_galaxies=5), tmp_path)
    results = tmp_path / "results/jdemo1010"
    for choose in ("apriori", "default"):
        promotion = {"drizzlepac_numbers": False, "choose": choose}
        workflow.write_config(tmp_path, candidates=["default", "apriori"], catalogs=[], promotion=promotion)
        done = workflow.run(tmp_path, "results/jdemo1010/final/jdemo1010_drc.fits")
        assert done.code == 0, done.tail
        assert done.rules.count("candidate_product") == (2 if choose == "apriori" else 0)
        judged, final = results / f"jdemo1010_{choose}/jdemo1010_drc.fits", results / "final/jdemo1010_drc.fits"
        assert same_pixels(final, judged)
        before = final.read_bytes()
        final.unlink()
        judged.rename(tmp_path / judged.name)
        again = workflow.run(tmp_path, f"results/jdemo1010/final/{final.name}", "--config", "keep=final")
        assert again.rules == ["final_product"], again.tail
        assert final.read_bytes() == before
        (tmp_path / judged.name).rename(judged)


def test_inputs_are_unchanged(finished):
    folder, _, _, inputs = finished
    assert {name: workflow.digests(folder / name) for name in inputs} == inputs


def test_nothing_runs_again_and_changes_rerun_only_what_depends_on_them(finished, tmp_path):
    """One test, in order: no change; a limit; a deleted metrics file; results beside a fresh clone."""
    source, _, _, _ = finished
    folder = tmp_path / "copy"
    shutil.copytree(source, folder, symlinks=True, ignore=shutil.ignore_patterns(".snakemake"))  # keeps the times
    again = workflow.run(folder)
    assert again.code == 0
    assert again.rules == [], "results copied beside a workflow that never ran here: nothing is to be recomputed"

    metrics = folder / "results/jdemo1010/jdemo1010_aposteriori/metrics.json"
    before = metrics.read_bytes()
    metrics.unlink()
    rebuilt = workflow.run(folder, "results/jdemo1010/jdemo1010_aposteriori/metrics.json")
    assert rebuilt.rules == ["metrics"], rebuilt.tail
    assert metrics.read_bytes() == before


def test_a_changed_limit_reruns_the_promotion_and_what_follows(finished):
    """With a limit that nothing meets nothing is verified; a priori is delivered, for it fails as the default does."""
    folder, _, _, _ = finished
    assert workflow.run(folder).rules == []
    changed = workflow.run(folder, "-n", "--config", 'promotion={"limits": {"registration": -1.0}}')
    assert changed.code == 0, changed.tail
    rules = {line.split()[0] for line in changed.output.splitlines() if line.strip() and line.split()[-1].isdigit()}
    assert {"promotion", "final_product", "final_exposure", "manifest"} <= rules, changed.tail
    assert not rules & {
        "inventory",
        "default_solution",
        "candidate_product",
        "sources",
        "fit",
        "verification",
        "astrometry",
        "metrics",
    }, changed.tail
    done = workflow.run(
        folder, "results/jdemo1010/promotion.json", "--config", 'promotion={"limits": {"registration": -1.0}}'
    )
    assert done.rules == ["promotion"], done.tail
    found = workflow.promotion(folder)
    assert (found["winner"], found["verified"]) == ("apriori", False)
    restored = workflow.run(folder, "results/jdemo1010/promotion.json")
    assert restored.rules == ["promotion"]
    assert workflow.promotion(folder)["winner"] == "aposteriori"


def test_a_killed_run_leaves_inputs_whole_and_the_next_one_completes(finished, tmp_path):
    source, _, _, inputs = finished
    for name in ("data", "ref"):
        shutil.copytree(source / name, tmp_path / name)
    for name in ("gaia.ecsv", "offsets.ecsv", "config.yaml"):
        shutil.copy2(source / name, tmp_path / name)
    target = "results/jdemo1010/jdemo1010_default/verification.json"
    process = subprocess.Popen(
        workflow.command(target), cwd=tmp_path, env=workflow.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    log = tmp_path / "results/jdemo1010/logs/candidate_product_default_drc.log"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and "Separate Drizzle" in log.read_text()):
        time.sleep(0.2)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert {name: workflow.digests(tmp_path / name) for name in inputs} == inputs
    assert not (tmp_path / "results/jdemo1010/jdemo1010_default/jdemo1010_drc.fits").exists()
    assert workflow.run(tmp_path, "--unlock").code == 0
    done = workflow.run(tmp_path, target)
    assert done.code == 0, done.tail
    assert (tmp_path / target).read_bytes() == (source / target).read_bytes()
