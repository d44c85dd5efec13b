"""One frame for two associations of a visit: one deep, one of a shallow pair with a pointing error of its own."""

import json
import math

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers import workflow
from snakedriz.simulate import Visit, measure_offsets, simulate_associations

pytestmark = pytest.mark.workflow
FIELD = {"chip_shape": (256, 512), "n_stars": 200, "n_galaxies": 10, "mag_range": (19.0, 25.0), "n_reference": 16}
DEEP = Visit(asn="jdemo1010", pointing_error=(0.35, -0.40), seed=3, **FIELD)
# In the other filter most of the stars that are bright are not those of the catalogue: a dozen can be used.
SHALLOW = Visit(
    asn="jdemo1020", filter="F606W", n_exposures=2, exptime=20.0, first_exposure=4, expstart=DEEP.expstart + 0.04,
    pointing_error=(0.44, -0.28), colour=(3.0, 2.5), seed=4, **FIELD,
)  # fmt: skip
RANGES = {"jdemo1010": (18.4, 24.0), "jdemo1020": (16.0, 22.6)}  # neither saturated nor too faint to be measured


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visit")
    truths = {truth.visit.asn: truth for truth in simulate_associations([DEEP, SHALLOW], folder)}
    workflow.write_config(folder, candidates=["default", "visit"])
    targets = [f"results/{asn}/{asn}_{name}/{asn}_drc.fits" for asn in truths for name in ("default", "visit")]
    targets.append("results/jdemo1020/jdemo1020_aposteriori/solution.json")
    done = workflow.run(folder, *targets, "consistency", "results/jdemo1020/jdemo1020_visit/jdemo1a5q_flc.fits")
    assert done.code == 0, done.tail
    return folder, truths, done


def measured(finished, candidate):
    """Median offsets (east, north, mas) of each product from truth and of the second from the first; common stars."""
    folder, truths, _ = finished
    deep, shallow = (
        measure_offsets(
            folder / f"results/{asn}/{asn}_{candidate}/{asn}_drc.fits", truth, mag_range=RANGES[asn], isolation_px=8.0
        )
        for asn, truth in truths.items()
    )
    _, i, j = np.intersect1d(deep["id"], shallow["id"], return_indices=True)
    between = [float(np.median(shallow[c][j] - deep[c][i])) for c in ("dra_mas", "ddec_mas")]
    own = [[t.meta["summary"][c] for c in ("median_dra_mas", "median_ddec_mas")] for t in (deep, shallow)]
    return own, between, len(i)


def test_default_frames_disagree_as_injected_and_the_visit_has_one(finished):
    """The goals are 2 mas between the products and 3 mas from truth (issue 4).

    The dozen stars of the shallow pair scatter by 2 mas per axis (0.04 px), their median by 1.25 x 2 / sqrt(12) = 0.7
    mas; tie and catalogue add 0.3 mas each (the fit's own errors). The limits are 2.5 and 3.5 times the sum.
    """
    own, between, common = measured(finished, "default")
    assert common >= 10
    assert between == pytest.approx([90.0, 120.0], abs=2.0)
    assert own[0] == pytest.approx([350.0, -400.0], abs=3.0)
    own, between, common = measured(finished, "visit")
    assert common >= 10
    assert math.hypot(*between) < 2.0
    assert math.hypot(*own[0]) < 3.0
    assert math.hypot(*own[1]) < 3.0


def test_the_shallow_pair_cannot_be_fitted_by_itself_and_visit_is_promoted(finished):
    folder, _, done = finished
    alone = json.loads((folder / "results/jdemo1020/jdemo1020_aposteriori/solution.json").read_text())
    assert alone["outcome"] == "not_applicable"
    assert "No fit is valid" in alone["reason"]
    found = workflow.promotion(folder, "jdemo1020")
    assert found["winner"] == "visit", found["reason"]
    assert found["wcsname"] == "IDC_9d1snakej-FIT_SVM_GAIAeDR3"
    assert done.rules.count("visit_fit") == 1
    with fits.open(folder / "results/jdemo1020/jdemo1020_visit/jdemo1a5q_flc.fits") as hdus:
        assert hdus["SCI", 1].header["WCSNAME"] == "IDC_9d1snakej-FIT_SVM_GAIAeDR3"


def test_the_fit_says_who_is_tied_to_whom(finished):
    folder, truths, _ = finished
    fit = json.loads((folder / "results/visits/jdemo1/GAIAeDR3_rscale.json").read_text())
    roots = [root for truth in truths.values() for root in truth.visit.rootnames]
    assert fit["bodies"] == [roots]
    assert (fit["inherited"], fit["left_out"]) == ([], [])
    across = [t for t in fit["ties"] if t["exposures"][0] in roots[:4] and t["exposures"][1] in roots[4:]]
    assert len(across) == 8
    assert min(t["sources"] for t in across) >= 6
    for tie in across:  # errors that hold 95 per cent, of 16 numbers: twice as large none fails by chance
        assert np.abs(tie["offset_mas"]).max() < 2 * tie["error95_mas"]


def test_the_report_says_which_solutions_the_exposures_of_the_visit_have(finished):
    folder, truths, _ = finished
    roots = [root for truth in truths.values() for root in truth.visit.rootnames]
    # the simulated exposures come as calacs leaves them, without a WCSNAME
    for state, name in (("inputs", ""), ("final", "IDC_9d1snakej-FIT_SVM_GAIAeDR3")):
        groups = json.loads((folder / f"results/visits/jdemo1/consistency_{state}.json").read_text())["groups"]
        assert [(g["kind"], g["name"], g["consistent"]) for g in groups] == [
            ("association", "jdemo1010", True), ("association", "jdemo1020", True), ("visit", "jdemo1", True),
        ]  # fmt: skip
        assert [row["rootname"] for row in groups[-1]["exposures"]] == roots
        assert {row["wcsname"] for row in groups[-1]["exposures"]} == {name}
        table = Table.read(folder / f"results/visits/jdemo1/consistency_{state}.ecsv")
        assert len(table) == 2 * len(roots)
    fit = json.loads((folder / "results/visits/jdemo1/GAIAeDR3_rscale.json").read_text())
    for row, fitted in zip(groups[-1]["exposures"], fit["exposures"], strict=True):
        assert (row["nmatch"] or 0) == fitted["nmatches"]
        assert row["rms_ra_mas"] == pytest.approx(fitted["rms_ra_mas"], abs=1e-6)


def test_a_report_warns_of_exposures_in_different_frames(finished):
    """The second association is promoted with the solution it came with."""
    folder, _, _ = finished
    results = folder / "results"
    workflow.write_config(
        folder, candidates=["default", "visit"],
        promotion={"drizzlepac_numbers": False, "choose": "default"},
    )  # fmt: skip
    done = workflow.run(
        folder, "results/jdemo1020/final/jdemo1a5q_flc.fits", "results/jdemo1020/final/jdemo1a6q_flc.fits"
    )
    assert done.code == 0, done.tail
    done = workflow.run(
        folder, "results/visits/jdemo1/consistency_final.json", "--allowed-rules", "consistency_of_visit"
    )
    assert done.code == 0, done.tail
    visit = json.loads((results / "visits/jdemo1/consistency_final.json").read_text())["groups"][-1]
    assert not visit["consistent"]
    assert "different solutions are active (IDC: jdemo1a5q, jdemo1a6q; IDC-FIT_SVM_GAIAeDR3: " in visit["warnings"][0]
    assert visit["warnings"][0] in done.output
