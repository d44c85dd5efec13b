"""The verdicts: measured power and false alarms on frames with known truth, and the form of verification.json."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from helpers.drizzled import SOLUTION, Scene, assess, check, numbers, write
from snakedriz.artefacts.verification import Verification
from snakedriz.verification.verification import verify

SMALL = {"shape": (300, 300), "stars": 60}


def _verdicts(measured, documented, drizzlepac=False):
    return {"measured": measured, "documented": documented, "drizzlepac": drizzlepac}


NOTHING = _verdicts(False, False)


def test_aligned_visits_are_verified(tmp_path):
    """40 trials: at a false-alarm rate of 1 %, more than two alarms come in 0.7 % of runs."""
    alarms = 0
    for seed in range(40):
        exposures = (500.0,) * (2 if seed % 4 == 3 else 4)
        found = assess(Scene(**SMALL, exptimes=exposures, seed=100 + seed), tmp_path)
        alarms += not found.verified["measured"]
    assert alarms <= 2


@pytest.mark.parametrize(("shift", "least"), [(0.5, 40), (0.2, 36)])
def test_small_displacements_are_caught(tmp_path, shift, least):
    """0.5 px in every trial; 0.2 px in 90 %. The jitter of the other exposures is 0.01 px."""
    caught = 0
    for seed in range(40):
        angle = 2 * np.pi * seed / 40
        moved = {seed % 4: (shift * np.cos(angle), shift * np.sin(angle))}
        found = assess(Scene(**SMALL, seed=200 + seed, displaced=moved), tmp_path)
        caught += not found.verified["measured"]
    assert caught >= least


CASES = {
    "four": {}, "three": {"exptimes": (500.0,) * 3}, "two": {"exptimes": (500.0,) * 2},
    "eight": {"exptimes": (500.0,) * 8}, "few stars": {"stars": 8},
    "two, few stars": {"stars": 8, "exptimes": (500.0,) * 2},
    "two, three stars": {"stars": 3, "exptimes": (500.0,) * 2},
    "galaxies": {"stars": 0, "galaxies": 40}, "two, galaxies": {"stars": 0, "galaxies": 40, "exptimes": (500.0,) * 2},
    "empty": {"stars": 0}, "unequal": {"exptimes": (50.0, 500.0, 500.0)}, "unequal pair": {"exptimes": (50.0, 500.0)},
    "borders": {"dither": 20.0}, "saturated": {"brightest": 1e6, "full_well": 84_700.0},
}  # fmt: skip


@pytest.mark.parametrize("flags", ["drizcr", "true", "none"])
@pytest.mark.parametrize("case", CASES)
def test_smeared_products_are_never_verified(tmp_path, case, flags):
    """One exposure 5 px off, whether its stars were taken for cosmic rays, only the rays were, or nothing was."""
    for seed in range(3):
        scene = Scene(**{"shape": (300, 300), "seed": seed, "flags": flags, "displaced": {0: (3.0, 4.0)}} | CASES[case])
        assert assess(scene, tmp_path).verified["measured"] is False


@pytest.mark.parametrize("shift", [1.0, 10.0, 40.0])
def test_other_displacements_are_not_verified_either(tmp_path, shift):
    """40 px lies outside the search radius."""
    for exposures in (2, 4):
        scene = Scene(**SMALL, exptimes=(500.0,) * exposures, displaced={0: (shift, 0.0)})
        assert assess(scene, tmp_path).verified["measured"] is False


def test_empty_fields_are_not_verified(tmp_path):
    found = assess(Scene(stars=0, shape=(300, 300)), tmp_path)
    assert found.verified == NOTHING
    assert (found.relative, found.flags_trusted) == ("unmeasured", False)
    assert {c.name: c.passed for c in found.checks if c.policy} == {
        "focus": None, "similarity": None, "registration": None, "psf_width": None,
    }  # fmt: skip


def test_other_fields_are_verified_when_aligned(tmp_path):
    for case in ("eight", "few stars", "unequal", "borders", "saturated", "three"):
        found = assess(Scene(**{"shape": (300, 300), "seed": 3} | CASES[case]), tmp_path)
        assert found.verified["measured"] is True, case


def test_census_warns_of_eaten_stars(tmp_path):
    # No rays to speak of: nearly all flags are stars of the displaced exposure, at both their places
    scene = Scene(stars=300, rays=1e-7, displaced={2: (5.0, 0.0)})
    found = check(assess(scene, tmp_path), "cr_census")
    assert found.passed is False
    assert found.policy == []
    assert "jtest03q" in found.note
    assert check(assess(Scene(stars=300), tmp_path), "cr_census").passed is True


def test_candidate_that_does_not_apply_keeps_its_outcome():
    solution = SOLUTION.model_copy(update={"outcome": "not_applicable", "reason": "no headerlet"})
    found = verify(None, None, solution, numbers())
    assert (found.outcome, found.reason) == ("not_applicable", "no headerlet")
    assert found.verified == NOTHING
    assert found.checks == []
    assert found.focus is None
    assert found.relative is None


def test_single_exposure_has_nothing_to_compare(tmp_path):
    found = assess(Scene(**SMALL, exptimes=(500.0,), flags="none"), tmp_path)
    assert found.verified == _verdicts(True, True, True)
    assert found.relative == "single exposure"
    assert "nothing to compare" in found.checks[0].note
    assert found.checks[0].passed is None


def test_exposures_without_overlap_have_nothing_to_compare(tmp_path):
    paths = write(Scene(**SMALL, exptimes=(500.0,) * 2), tmp_path)
    with fits.open(paths[1], mode="update") as hdul:
        hdul["MASK", 1].data[:, 150:] = 0
        hdul["MASK", 2].data[:, :150] = 0
    found = verify(*paths, SOLUTION, numbers())
    assert found.verified == _verdicts(True, True, True)
    assert found.relative == "no overlap"
    assert found.registration.pairs == []
    assert "no exposure overlaps" in found.checks[0].note


def test_comparison_with_the_default_counts_where_the_default_is_good(tmp_path):
    scene = Scene(**SMALL)
    good, _ = write(scene, tmp_path, "good")
    # The mean over exposures that agree with each other, but not with the default: other stars altogether
    other, _ = write(Scene(**SMALL, seed=9), tmp_path, "other")
    same = assess(scene, tmp_path)
    for product, verified, passed in ((good, True, True), (other, True, False), (other, False, None)):
        default = same.model_copy(update={"verified": _verdicts(verified, verified)})
        found = assess(scene, tmp_path, default_product=product, default=default)
        assert check(found, "similarity_to_default").passed is passed
        assert found.verified["documented"] is (passed is not False)
        assert found.verified["measured"] is True


def test_result_is_json_without_nan_and_the_same_every_time(tmp_path):
    scene = Scene(**SMALL, dither=10.0)
    one, two = assess(scene, tmp_path), assess(scene, tmp_path)
    assert json.dumps(one.to_json(), allow_nan=False) == json.dumps(two.to_json(), allow_nan=False)
    assert Verification.parse(one.to_json(), "verification.json") == one
    assert one.schema_ == "verification/1"


def test_nan_in_a_single_is_not_covered(tmp_path):
    paths = write(Scene(**SMALL), tmp_path)
    with fits.open(paths[1], mode="update") as hdul:
        hdul["SCI", 1].data[:40] = np.nan
    assert verify(*paths, SOLUTION, numbers()).verified["measured"] is True


def test_relative_alignment_has_a_word(tmp_path):
    assert assess(Scene(**SMALL), tmp_path).relative == "measured"
    found = assess(Scene(**SMALL, displaced={1: (1.0, 0.0)}), tmp_path)
    assert (found.relative, found.flags_trusted) == ("failed", False)
    assert len(found.registration.pairs) == 6
    # Those with the displaced one differ by it, the others by nothing
    for row in found.registration.pairs:
        assert row.measured
        away = {"jtest02q": 1.0, "jtest01q": -1.0}.get(row.exposures[0], -1.0) if "jtest02q" in row.exposures else 0.0
        assert row.dx == pytest.approx(away, abs=0.1)
