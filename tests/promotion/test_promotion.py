"""Promotion reads artefacts only, so its tests do too: one good visit, and one thing wrong at a time."""

from __future__ import annotations

import pytest
from helpers.candidates import INVENTORY, metrics, registration, settings, solution
from snakedriz.errors import SnakedrizError
from snakedriz.promotion.promotion import promote

NAMES = ("default", "apriori", "aposteriori")


def outcome(solutions=(), options=None, **measured):
    """Promote a visit in which some candidates' solutions (by name) or metrics are others."""
    solutions = dict(solutions)
    names = [*NAMES, *(name for name in measured if name not in NAMES)]
    return promote(
        INVENTORY,
        [solutions.get(name) or solution(name) for name in names],
        [measured.get(name) or metrics(name) for name in names],
        settings(**options or {}),
    )


def checks_of(found, candidate):
    row = next(row for row in found.candidates if row.candidate == candidate)
    return {check.name: check for check in row.checks}


def test_a_posteriori_wins_when_valid_and_verified():
    found = outcome()
    assert (found.winner, found.wcsname, found.verified) == ("aposteriori", "IDC_x-FIT_REL_GAIAeDR3", True)
    assert [row.candidate for row in found.candidates] == list(NAMES)
    row = found.candidates[2]
    assert (row.fit_quality, row.fit.nmatches, row.registration.of) == (1, 60, "a")
    assert {"similarity", "no_harm", "no_harm_width", "fit_nmatches"} <= set(checks_of(found, "aposteriori"))
    assert found.reason == "aposteriori is verified and its fit to GAIAeDR3 (60 stars, quality 1) is valid"


@pytest.mark.parametrize("quality", [5, -1])
def test_an_invalid_fit_gives_way_to_a_priori(quality):
    found = outcome({"aposteriori": solution("aposteriori", quality)})
    assert found.winner == "apriori"
    assert "no valid fit" in found.reason
    assert outcome({"aposteriori": solution("aposteriori", fits=[])}).winner == "apriori"


@pytest.mark.parametrize("quality", [1, 2, 3, 4])
def test_every_valid_quality_can_win(quality):
    assert outcome({"aposteriori": solution("aposteriori", quality)}).winner == "aposteriori"


def test_similarity_above_one_is_not_promoted():
    """B3: today a similarity above 1 only adds to a quality number, and the WCS is promoted."""
    found = outcome(aposteriori=metrics("aposteriori", similarity=1.4))
    assert found.winner == "apriori"
    assert "similarity 1.4 against 1.0" in found.reason


def test_nothing_verified_leaves_the_default_and_says_so():
    found = outcome(**{name: metrics(name, similarity=2.0) for name in NAMES})
    assert (found.winner, found.verified) == ("default", False)
    assert found.reason.startswith("No candidate passed verification; using the default WCS: aposteriori is not")


@pytest.mark.parametrize(
    "harm", [{"found": registration(0.10)}, {"found": registration(chip_shift=0.4)}, {"width": 1.03}]
)
def test_a_verified_candidate_that_does_harm_never_wins(harm):
    found = outcome(aposteriori=metrics("aposteriori", **harm))
    assert found.winner == "apriori"
    assert "no_harm" in found.reason
    assert not found.candidates[2].verified


def test_better_than_a_bad_default_is_not_enough_where_a_priori_is_good():
    found = outcome(
        default=metrics("default", found=registration(0.5)), aposteriori=metrics("aposteriori", found=registration(0.3))
    )
    assert found.winner == "apriori"
    assert "apriori: 0.010 px" in checks_of(found, "aposteriori")["no_harm"].note


@pytest.mark.parametrize("policy", ["measured", "drizzlepac"])
def test_policy_decides_between_the_verdicts(policy):
    verdicts = {name: name == policy for name in ("documented", "measured", "drizzlepac")}
    alone = metrics("aposteriori").model_copy(update={"verified": verdicts})
    assert outcome(aposteriori=alone).winner == "apriori"
    assert outcome(options={"policy": policy}, aposteriori=alone).winner == "aposteriori"


def test_a_changed_limit_changes_the_outcome_without_new_measurements():
    assert outcome(options={"limits": {"similarity": 0.1}}).verified is False
    poor = metrics("aposteriori", similarity=2.0)
    found = outcome(options={"limits": {"similarity": 3.0}}, aposteriori=poor)
    assert found.winner == "aposteriori"
    assert "was 1.0" in checks_of(found, "aposteriori")["similarity"].note
    assert poor.checks[0].passed is False
    within = outcome(options={"limits": {"similarity": [0.1, 0.3]}})
    assert checks_of(within, "default")["similarity"].passed is True


def test_a_misspelt_limit_is_refused():
    with pytest.raises(SnakedrizError, match=r"simlarity.*similarity"):
        outcome(options={"limits": {"simlarity": 2.0}})


def test_choose_overrides_and_is_recorded():
    found = outcome(options={"choose": "default"})
    assert found.winner == "default"
    assert (found.override.chosen, found.override.policy_would_promote) == ("default", "aposteriori")
    assert "promotion.choose" in found.reason


def test_choosing_what_is_not_there_is_an_error_that_names_the_alternatives():
    missing = {"apriori": solution("apriori", outcome="not_applicable", reason="no offsets")}
    with pytest.raises(SnakedrizError, match=r"no offsets.*default, aposteriori"):
        outcome(missing, {"choose": "apriori"})
    with pytest.raises(SnakedrizError, match="not among the candidates"):
        outcome(options={"choose": "hsc30"})


def test_not_applicable_candidates_are_rows_with_their_reason():
    missing = {"outcome": "not_applicable", "checks": []}
    found = outcome(
        {n: solution(n, outcome="not_applicable", reason=f"no {n}", fits=[]) for n in NAMES[1:]},
        **{n: metrics(n).model_copy(update=missing) for n in NAMES[1:]},
    )
    assert (found.winner, found.verified) == ("default", True)
    assert found.candidates[2].reason == "no aposteriori"
    assert "aposteriori is not applicable (no aposteriori)" in found.reason


def test_an_association_that_is_not_processed_has_no_winner():
    omitted = INVENTORY.model_copy(update={"outcome": "not_applicable", "reason": "DRIZCORR=OMIT"})
    found = promote(omitted, [], [], settings())
    assert found.winner is None
    assert "OMIT" in found.reason


def named(options=None, **changed):
    """Promote a visit with two solutions asked for by name."""
    return outcome(options=options, **{name: metrics(name) for name in ("hsc30", "svm")} | changed)


def test_solutions_win_only_where_they_are_ranked():
    found = named()
    assert found.winner == "aposteriori"
    assert "hsc30 is not ranked (promotion.rank); svm is not ranked" in found.reason
    assert [row.candidate for row in found.candidates][3:] == ["hsc30", "svm"]
    assert all(row.verified for row in found.candidates)
    ranked = {"rank": ["svm", "aposteriori", "default"]}
    found = named(ranked)
    assert (found.winner, found.wcsname) == ("svm", "IDC_x-svm")
    assert "apriori is not ranked" in found.reason
    assert named(ranked, svm=metrics("svm", verified=False)).winner == "aposteriori"
    found = named({"choose": "hsc30"})
    assert (found.winner, found.override.policy_would_promote) == ("hsc30", "aposteriori")


@pytest.mark.parametrize(
    ("rank", "candidate", "against"),
    [
        (["svm", "apriori", "default"], "svm", "apriori: 0.010 px"),
        (["apriori", "svm", "default"], "svm", "default: 0.500 px"),
        (["apriori", "default"], "svm", "default: 0.500 px"),  # replaces nothing
        (["svm", "default", "apriori"], "default", "apriori: 0.010 px"),
    ],
)
def test_no_harm_follows_the_rank(rank, candidate, against):
    """0.3 px against limits of 0.01 + 3 sqrt(2) 0.005 = 0.03 px: held against those after it, and no others."""
    poor = {"default": metrics("default", found=registration(0.5)), "svm": metrics("svm", found=registration(0.3))}
    assert against in checks_of(named({"rank": rank}, **poor), candidate)["no_harm"].note
