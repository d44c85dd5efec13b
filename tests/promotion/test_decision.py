"""Promotion reads JSON only, so its tests are JSON only: one good visit, and one thing wrong at a time."""

import copy

import pytest
from snakedriz.errors import SnakedrizError
from snakedriz.promotion.decision import promote

INVENTORY = {"association": "jdemo1010", "outcome": "process", "reason": ""}
SETTINGS = {"policy": "documented", "choose": None, "limits": {}}


def solution(name, **more):
    suffix = {"default": "", "apriori": "-GSC240", "aposteriori": "-FIT_REL_GAIAeDR3"}[name]
    base = {"candidate": name, "outcome": "ok", "reason": "", "wcsname": f"IDC_x{suffix}", "exposures": []}
    if name == "aposteriori":
        fit = {
            "file": "f.json", "chosen": True, "outcome": "ok", "reason": "", "catalog": "GAIAeDR3",
            "method": "relative", "nmatches": 60, "total_rms_mas": 3.0, "fit_quality": 1,
            "checks": [{"name": "nmatches", "value": 60, "limit": 12, "unit": "", "passed": True}],
        }  # fmt: skip
        base["fits"] = [fit]
    return {**base, **more}


def metrics(name, shift=0.01, error=0.005, similarity=0.2, verified=True, width=1.0):
    check = {
        "name": "similarity", "value": similarity, "limit": 1.0, "unit": "", "passed": similarity <= 1.0,
        "policy": ["documented"], "note": "",
    }  # fmt: skip
    row = {"rootname": "a", "dx": shift, "dy": 0.0, "dx_err": error, "dy_err": error, "freedom": 1e6}
    registration = {"exposures": [row]}
    return {
        "candidate": name, "outcome": "ok", "checks": [check], "registration": registration,
        "verified": {"documented": verified and similarity <= 1.0, "measured": verified, "drizzlepac": verified},
        "psf_width": {"ratio": width, "ratio_err": 0.003},
    }  # fmt: skip


def visit(**changes):
    names = ("default", "apriori", "aposteriori")
    return [solution(n) for n in names], [changes.get(n, metrics(n)) for n in names]


def test_a_posteriori_wins_when_valid_and_verified():
    result = promote(INVENTORY, *visit(), SETTINGS)
    assert result["winner"] == "aposteriori"
    assert result["wcsname"] == "IDC_x-FIT_REL_GAIAeDR3"
    assert result["verified"] is True
    assert [c["candidate"] for c in result["candidates"]] == ["default", "apriori", "aposteriori"]
    assert result["candidates"][2]["fit_quality"] == 1
    for row in result["candidates"]:
        assert {"candidate", "outcome", "reason", "wcsname", "verified", "fit_quality", "checks"} <= set(row)
        for check in row["checks"]:
            assert {"name", "value", "limit", "unit", "passed"} <= set(check)


@pytest.mark.parametrize("quality", [5, -1, None])
def test_an_invalid_fit_gives_way_to_a_priori(quality):
    solutions, measured = visit()
    solutions[2]["fits"][0]["fit_quality"] = quality
    result = promote(INVENTORY, solutions, measured, SETTINGS)
    assert result["winner"] == "apriori"
    assert "no valid fit" in result["reason"]


@pytest.mark.parametrize("quality", [1, 2, 3, 4])
def test_every_valid_quality_can_win(quality):
    solutions, measured = visit()
    solutions[2]["fits"][0]["fit_quality"] = quality
    assert promote(INVENTORY, solutions, measured, SETTINGS)["winner"] == "aposteriori"


def test_similarity_above_one_is_not_promoted():
    """B3: today a similarity above 1 only adds to a quality number, and the WCS is promoted."""
    result = promote(INVENTORY, *visit(aposteriori=metrics("aposteriori", similarity=1.4)), SETTINGS)
    assert result["winner"] == "apriori"
    assert "similarity" in result["reason"]


def test_nothing_verified_leaves_the_default_and_says_so():
    bad = {n: metrics(n, similarity=2.0) for n in ("default", "apriori", "aposteriori")}
    result = promote(INVENTORY, *visit(**bad), SETTINGS)
    assert (result["winner"], result["verified"]) == ("default", False)
    assert "unverified" in result["reason"]


def test_do_no_harm():
    """A verified candidate whose exposures are worse registered than the default's, beyond the errors, never wins."""
    harmful = metrics("aposteriori", shift=0.10, error=0.01)
    result = promote(INVENTORY, *visit(aposteriori=harmful), SETTINGS)
    assert result["winner"] == "apriori"
    assert "no_harm" in result["reason"]
    # limit = 0.01 + 3 sqrt(2 (0.005^2 + 0.04^2)) = 0.18 px: within the errors, 0.10 px does no harm
    uncertain = metrics("aposteriori", shift=0.10, error=0.04)
    assert promote(INVENTORY, *visit(aposteriori=uncertain), SETTINGS)["winner"] == "aposteriori"


def test_no_harm_is_held_against_every_candidate_that_would_be_replaced():
    """Better than a bad default is not enough where a priori is good."""
    changes = {"default": metrics("default", shift=0.5), "aposteriori": metrics("aposteriori", shift=0.3)}
    result = promote(INVENTORY, *visit(**changes), SETTINGS)
    assert result["winner"] == "apriori"
    check = next(c for c in result["candidates"][2]["checks"] if c["name"] == "no_harm")
    assert check["passed"] is False
    assert "apriori: 0.010 px" in check["note"]


def test_no_harm_to_a_chip():
    chip = {"extver": 2, "dx": 0.4, "dy": 0.0, "dx_err": 0.01, "dy_err": 0.01, "freedom": 1e6}
    stale = metrics("aposteriori")
    stale["registration"]["exposures"][0]["chips"] = [chip]
    result = promote(INVENTORY, *visit(aposteriori=stale), SETTINGS)
    assert result["winner"] == "apriori"
    assert "chip 2" in str(result["candidates"][2]["checks"])


def test_no_harm_to_the_stars():
    # limit: 1 + 0.01 + 3 x 0.003 x sqrt(2) = 1.023
    for width, winner in ((1.02, "aposteriori"), (1.03, "apriori")):
        smeared = metrics("aposteriori", width=width)
        assert promote(INVENTORY, *visit(aposteriori=smeared), SETTINGS)["winner"] == winner


def test_policy_decides_between_the_verdicts():
    measured_only = metrics("aposteriori")
    measured_only["verified"] = {"documented": False, "measured": True, "drizzlepac": False}
    assert promote(INVENTORY, *visit(aposteriori=measured_only), SETTINGS)["winner"] == "apriori"
    chosen = promote(INVENTORY, *visit(aposteriori=measured_only), {**SETTINGS, "policy": "measured"})
    assert chosen["winner"] == "aposteriori"
    theirs = metrics("aposteriori", verified=False)
    theirs["verified"]["drizzlepac"] = True
    assert promote(INVENTORY, *visit(aposteriori=theirs), SETTINGS)["winner"] == "apriori"
    chosen = promote(INVENTORY, *visit(aposteriori=theirs), {**SETTINGS, "policy": "drizzlepac"})
    assert chosen["winner"] == "aposteriori"


def test_a_changed_limit_changes_the_outcome_without_new_measurements():
    strict = {**SETTINGS, "limits": {"similarity": 0.1}}
    lenient = {**SETTINGS, "limits": {"similarity": 3.0}}
    assert promote(INVENTORY, *visit(), strict)["verified"] is False
    poor = visit(aposteriori=metrics("aposteriori", similarity=2.0))
    result = promote(INVENTORY, *poor, lenient)
    assert result["winner"] == "aposteriori"
    assert "was 1.0" in result["candidates"][2]["checks"][0]["note"]


def test_a_misspelt_limit_is_refused():
    with pytest.raises(SnakedrizError, match=r"simlarity.*similarity"):
        promote(INVENTORY, *visit(), {**SETTINGS, "limits": {"simlarity": 2.0}})


def test_choose_overrides_and_is_recorded():
    result = promote(INVENTORY, *visit(), {**SETTINGS, "choose": "default"})
    assert result["winner"] == "default"
    assert result["override"] == {"chosen": "default", "policy_would_promote": "aposteriori"}
    assert "promotion.choose" in result["reason"]


def test_choosing_what_is_not_there_is_an_error_that_names_the_alternatives():
    solutions, measured = visit()
    solutions[1] |= {"outcome": "not_applicable", "reason": "no offsets"}
    with pytest.raises(SnakedrizError, match=r"no offsets.*default, aposteriori"):
        promote(INVENTORY, solutions, measured, {**SETTINGS, "choose": "apriori"})


def test_not_applicable_candidates_are_rows_with_their_reason():
    solutions, measured = visit()
    for index, name in ((1, "apriori"), (2, "aposteriori")):
        solutions[index] |= {"outcome": "not_applicable", "reason": f"no {name}", "fits": []}
        measured[index] = {"candidate": name, "outcome": "not_applicable", "reason": f"no {name}", "checks": []}
    result = promote(INVENTORY, solutions, measured, SETTINGS)
    assert result["winner"] == "default"
    assert result["verified"] is True
    assert result["candidates"][2]["reason"] == "no aposteriori"


def test_an_association_that_is_not_processed_has_no_winner():
    result = promote({**INVENTORY, "outcome": "not_applicable", "reason": "DRIZCORR=OMIT"}, [], [], SETTINGS)
    assert result["winner"] is None
    assert "OMIT" in result["reason"]


def test_inputs_are_not_changed():
    solutions, measured = visit()
    before = copy.deepcopy((solutions, measured))
    promote(INVENTORY, solutions, measured, {**SETTINGS, "limits": {"similarity": 0.1}})
    assert (solutions, measured) == before


def with_alternatives(**changes):
    """A visit with two solutions asked for by name."""
    solutions, measured = visit(**changes)
    for name in ("hsc30", "svm"):
        solutions.append({**solution("apriori"), "candidate": name, "wcsname": f"IDC_x-{name}"})
        measured.append(changes.get(name, metrics(name)))
    return solutions, measured


def test_solutions_win_only_where_they_are_ranked():
    found = promote(INVENTORY, *with_alternatives(), SETTINGS)
    assert found["winner"] == "aposteriori"
    assert "hsc30 is not ranked (promotion.rank); svm is not ranked" in found["reason"]
    assert [row["candidate"] for row in found["candidates"]][3:] == ["hsc30", "svm"]
    assert all(row["verified"] for row in found["candidates"])
    ranked = {**SETTINGS, "rank": ["svm", "aposteriori", "default"]}
    found = promote(INVENTORY, *with_alternatives(), ranked)
    assert (found["winner"], found["wcsname"]) == ("svm", "IDC_x-svm")
    assert "apriori is not ranked" in found["reason"]
    found = promote(INVENTORY, *with_alternatives(svm=metrics("svm", verified=False)), ranked)
    assert found["winner"] == "aposteriori"
    chosen = promote(INVENTORY, *with_alternatives(), {**SETTINGS, "choose": "hsc30"})
    assert (chosen["winner"], chosen["override"]["policy_would_promote"]) == ("hsc30", "aposteriori")


def test_no_harm_follows_the_rank():
    """0.3 px against limits of 0.01 + 3 sqrt(2) 0.005 = 0.03 px: held against those after it, and no others."""
    changes = {"default": metrics("default", shift=0.5), "svm": metrics("svm", shift=0.3)}

    def harm(rank):
        rows = promote(INVENTORY, *with_alternatives(**changes), {**SETTINGS, "rank": rank})["candidates"]
        return {row["candidate"]: [c["note"] for c in row["checks"] if c["name"] == "no_harm"] for row in rows}

    assert "apriori: 0.010 px" in harm(["svm", "apriori", "default"])["svm"][0]
    assert "default: 0.500 px" in harm(["apriori", "svm", "default"])["svm"][0]
    assert "default: 0.500 px" in harm(["apriori", "default"])["svm"][0]  # replaces nothing
    assert harm(["svm", "default", "apriori"])["default"] != []
