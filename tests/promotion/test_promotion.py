"""Promotion reads artefacts only, so its tests do too: one good visit, and one thing wrong at a time."""

from __future__ import annotations

import pytest
from helpers.candidates import INVENTORY, check, geometry, metrics, registration, settings, single, solution, unmeasured
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
    assert found.verdict == found.candidates[2].verdict == "verified"
    assert [row.candidate for row in found.candidates] == list(NAMES)
    row = found.candidates[2]
    assert (row.fit_quality, row.fit.nmatches, row.registration.of) == (1, 60, "a")
    names = set(checks_of(found, "aposteriori"))
    assert {"similarity", "no_harm", "no_harm_width", "held_out", "fit_nmatches"} <= names
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
    assert (found.winner, found.verified, found.verdict) == ("default", False, "not verified")
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


@pytest.mark.parametrize(
    ("held_out", "others", "word", "said"),
    [
        (False, [], "not verified", "held_out 0.0 against 1.0"),
        (None, [], "absolute solution unmeasured", "aposteriori is not verified (absolute solution unmeasured)"),
        (True, [check("magnitudes", False, -0.9)], "not verified", "magnitudes -0.9 against 1.0"),
        (True, [check("second_catalog", False)], "not verified", "second_catalog 0.0"),
    ],
)
@pytest.mark.parametrize("kind", [metrics, single])
def test_a_fit_that_unseen_stars_do_not_confirm_is_not_promoted(kind, held_out, others, word, said):
    """Its offset from the catalogue is small by construction; for one exposure that was the only check."""
    given = kind("aposteriori", held_out=held_out)
    astrometry = given.astrometry.model_copy(update={"checks": [*given.astrometry.checks, *others]})
    given = given.model_copy(update={"astrometry": astrometry})
    found = outcome(default=kind("default"), apriori=kind("apriori"), aposteriori=given)
    assert (found.winner, found.candidates[2].verdict, found.candidates[2].verified) == ("apriori", word, False)
    assert said in found.reason


def test_limits_can_be_set_on_the_checks_of_the_absolute_solution():
    strict = outcome(options={"limits": {"held_out": -1.0}})
    assert strict.winner == "apriori"
    assert checks_of(strict, "aposteriori")["held_out"].limit == -1.0
    unknown = outcome(options={"limits": {"held_out": 5.0}}, aposteriori=metrics("aposteriori", held_out=None))
    assert unknown.candidates[2].verdict == "absolute solution unmeasured"


def test_one_exposure_has_its_own_word():
    found = outcome(**{name: single(name) for name in NAMES})
    assert (found.winner, found.verified, found.verdict) == ("aposteriori", True, "single exposure")
    assert found.reason.startswith("aposteriori is verified as one exposure, which has nothing to compare and its fit")


def sparse(options=None, **changed):
    """Promote a visit in which nothing can be measured: no fit, and the a priori moves all exposures alike."""
    no_fit = solution("aposteriori", outcome="not_applicable", reason="2 stars", fits=[])
    none = metrics("aposteriori").model_copy(update={"outcome": "not_applicable", "checks": [], "astrometry": None})
    alike = {"apriori": unmeasured("apriori", relative_geometry=geometry(0.001))}
    given = {"default": unmeasured("default"), "aposteriori": none, **alike, **changed}
    return outcome({"aposteriori": no_fit}, {"policy": "measured", **(options or {})}, **given)


def test_what_cannot_be_measured_and_is_not_changed_is_no_reason_against_a_better_position():
    """The pointing as observed, guide stars of GSC 2.3, is known to 0.3 arcsec, and corrected guide stars to 0.2."""
    found = sparse()
    assert (found.winner, found.verified, found.verdict) == ("apriori", False, "unmeasured, changes nothing")
    assert [row.expected_error and row.expected_error.value_mas for row in found.candidates] == [300.0, 200.0, None]
    assert found.reason == (
        "apriori could not be measured and leaves the exposures among themselves as the default has them; its expected "
        "error is 200 mas, the default's 300 mas; aposteriori is not applicable (2 stars)"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"relative_geometry": geometry(0.3)}, "it moves exposures among themselves by 0.3 px"),
     ({"relative_geometry": None}, "it may move exposures among themselves")],
)  # fmt: skip
def test_what_cannot_be_measured_and_is_changed_is_not_promoted(changed, said):
    found = sparse(apriori=unmeasured("apriori", **changed))
    assert (found.winner, found.verified, found.verdict) == ("default", False, "unmeasured")
    assert f"apriori is not verified (nothing could be measured, and {said}" in found.reason


def test_a_position_that_is_no_better_is_not_promoted():
    """200 mas are published of corrected guide stars; the default was measured to be 20 mas off."""
    near = unmeasured("default", astrometry=metrics("default", offset=20.0).astrometry)
    found = sparse(default=near)
    assert found.winner == "default"
    assert "200 mas is not below the default's" in found.reason


@pytest.mark.parametrize("policy", ["measured", "documented", "drizzlepac"])
@pytest.mark.parametrize(
    "limit", [{"registration": 0.2}, {"psf_width": 1.2}, {"similarity": 0.9}, {"no_harm": 1.0}, {"held_out": 9.0}]
)
def test_limits_verify_nothing_that_was_not_measured(policy, limit):
    """With any limit set, every candidate was once verified that no check spoke against."""
    checks = [*unmeasured("x").checks, check("psf_width", True, 1.05, policy=["measured"]),
              check("cr_census", True, 1.0, policy=[])]  # fmt: skip
    blind = {name: unmeasured(name, checks=checks) for name in NAMES}
    found = outcome(options={"policy": policy, "limits": limit}, **blind)
    assert (found.winner, found.verified) == ("default", False)
    assert not any(row.verified or any(row.verdicts.values()) for row in found.candidates)


def test_a_fit_in_a_sparse_field_may_change_nothing_too():
    """It moves all exposures alike by a few stars, and stars held out of it confirm it."""
    fitted = unmeasured("aposteriori", relative_geometry=geometry(0.001))
    found = outcome(options={"policy": "measured"}, default=unmeasured("default"), apriori=unmeasured("apriori"),
                    aposteriori=fitted)  # fmt: skip
    assert (found.winner, found.verdict) == ("aposteriori", "unmeasured, changes nothing")
    unseen = unmeasured("aposteriori", relative_geometry=geometry(0.001), held_out=None)
    found = outcome(options={"policy": "measured"}, default=unmeasured("default"), apriori=unmeasured("apriori"),
                    aposteriori=unseen)  # fmt: skip
    assert (found.winner, found.verdict) == ("default", "unmeasured")


def failed(name, **changed):
    checks = [check("registration", False, 3.0, limit=0.1, policy=["measured"])]
    return metrics(name, verified=False, found=registration(3.0), **{"relative": "failed", "checks": checks, **changed})


def test_a_failed_default_does_not_become_better_by_inheritance():
    """The a priori moves all exposures alike: it fails as the default does, and only its place on the sky is better."""
    for apriori in (failed, unmeasured):
        found = sparse(default=failed("default"), apriori=apriori("apriori", relative_geometry=geometry(0.001)))
        assert (found.winner, found.verified, found.verdict) == ("apriori", False, "not verified, changes nothing")
    worse = failed("apriori", relative_geometry=geometry(0.001), registration=registration(6.0))
    found = sparse(default=failed("default"), apriori=worse)
    assert (found.winner, found.verdict) == ("default", "not verified")


def test_what_fails_as_the_default_does_gives_way_to_what_is_verified():
    both = {"default": failed("default"), "apriori": failed("apriori", relative_geometry=geometry(0.001))}
    found = outcome(options={"policy": "measured", "rank": ["apriori", "svm", "default"]}, svm=metrics("svm"), **both)
    assert (found.winner, found.verified) == ("svm", True)
    assert "apriori is not verified (registration 3.0 against 0.1" in found.reason


def test_what_was_measured_to_be_good_is_not_replaced_by_what_was_not_measured():
    """By the document's verdict the fit passes; but it moves exposures by 3 px, and that could not be measured."""
    good = {"relative": "measured"}
    blind = metrics("aposteriori", relative="unmeasured", registration=None, relative_geometry=geometry(3.0))
    found = outcome(default=metrics("default", **good), apriori=metrics("apriori", **good), aposteriori=blind)
    assert (found.winner, found.candidates[2].verified) == ("apriori", False)


def test_a_chosen_candidate_brings_its_own_verdict():
    found = sparse({"choose": "default"})
    assert (found.winner, found.verified, found.verdict) == ("default", False, "unmeasured")
    assert found.override.policy_would_promote == "apriori"
