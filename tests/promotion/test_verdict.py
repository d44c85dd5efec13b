"""The verdict in words."""

from __future__ import annotations

import itertools

import pytest
from helpers.candidates import check, geometry
from snakedriz.artefacts.promotion import CandidateRow, ExpectedError, PromotedFit
from snakedriz.promotion import verdict

FIT = PromotedFit(file="f.json", catalog="GAIAeDR3", method="relative", nmatches=60, total_rms_mas=3.0)


def evidence(**changed):
    good = {"of_policy": True, "checks": [check("registration", True)], "harm": [check("no_harm", True)],
            "confirmed": True, "relative": "measured"}  # fmt: skip
    return verdict.Evidence(**good | changed)


@pytest.mark.parametrize(
    ("changed", "word"),
    [({}, "verified"), ({"relative": None}, "verified"), ({"relative": "single exposure"}, "single exposure"),
     ({"relative": "no overlap"}, "no overlap"),
     ({"of_policy": False, "checks": [check("registration", False)]}, "not verified"),
     ({"harm": [check("no_harm_width", False)]}, "not verified"), ({"confirmed": False}, "not verified"),
     ({"confirmed": None}, "absolute solution unmeasured"),
     ({"of_policy": False, "checks": [check("registration", None)], "relative": "unmeasured"}, "unmeasured"),
     ({"harm": [check("no_harm", None)]}, "unmeasured"),
     ({"confirmed": False, "relative": "single exposure"}, "not verified")],
)  # fmt: skip
def test_the_word_follows_from_the_evidence(changed, word):
    assert verdict.of(evidence(**changed)) == word


def test_what_is_open_anywhere_is_never_verified():
    """Every combination of three outcomes of the policy's check, of doing no harm and of the fit."""
    for own, harm, confirmed in itertools.product((True, False, None), repeat=3):
        found = verdict.of(
            evidence(of_policy=own is True, checks=[check("registration", own)], harm=[check("no_harm", harm)],
                     confirmed=confirmed)
        )  # fmt: skip
        assert (found in verdict.VERIFIED) == (own is harm is confirmed is True)
        assert (found == "not verified") == (False in (own, harm, confirmed))


def row(name="apriori", word="unmeasured", error=200.0, largest_px=0.001, checks=(), **changed):
    content = {
        "candidate": name, "outcome": "ok", "reason": "", "wcsname": "IDC_x", "verified": word == "verified",
        "verdict": word, "expected_error": ExpectedError(value_mas=error, rests_on=""), "relative": "unmeasured",
        "relative_geometry": None if largest_px is None else geometry(largest_px), "verdicts": {}, "fit_quality": None,
        "registration": None, "astrometry": None, "sources": (), "checks": checks, "fit": None,
    }  # fmt: skip
    return CandidateRow(**content | changed)


def beside(candidate, **default):
    base = row(**{"name": "default", "error": 1000.0, "largest_px": None, **default})
    return verdict.beside(candidate, base, "measured")


FAILED = [check("registration", False)]


def test_what_is_unmeasured_and_unchanged_may_be_better_on_the_sky():
    assert beside(row()) == "unmeasured, changes nothing"
    assert beside(row(fit=FIT)) == "unmeasured, changes nothing"
    assert beside(row(), word="verified", relative="measured") == "unmeasured, changes nothing"


@pytest.mark.parametrize(
    ("changed", "default", "why"),
    [({"largest_px": 0.3}, {}, "moves exposures among themselves by 0.3 px"),
     ({"largest_px": None}, {}, "may move exposures"),
     ({"error": 1000.0}, {}, "expected error of 1e+03 mas is not below"), ({"error": None}, {}, "is not known"),
     ({}, {"error": None}, "is not below"), ({}, {"error": 150.0}, "expected error of 200 mas is not below")],
)  # fmt: skip
def test_what_moves_exposures_or_is_no_better_stays_unmeasured(changed, default, why):
    assert beside(row(**changed), **default) == "unmeasured"
    base = row(**{"name": "default", "error": 1000.0, "largest_px": None, **default})
    assert why in verdict.why_not_promoted(row(**changed), base)


def test_what_would_replace_better_ones_stays_unmeasured():
    assert beside(row(checks=[check("no_harm", None)])) == "unmeasured"


@pytest.mark.parametrize("word", ["verified", "single exposure", "absolute solution unmeasured"])
def test_other_verdicts_stay(word):
    assert beside(row(word=word)) == word


def test_a_failed_default_does_not_become_better_by_inheritance():
    """The same relative geometry fails alike; it is not verified, and only its place on the sky is better."""
    failed = {"word": "not verified", "relative": "failed", "checks": FAILED}
    for candidate in (row(), row(word="not verified", checks=FAILED)):
        assert beside(candidate, **failed) == "not verified, changes nothing"
    assert "not verified, changes nothing" not in verdict.VERIFIED
    more = [*FAILED, check("psf_width", False)]
    assert beside(row(word="not verified", checks=more), **failed) == "not verified"
    assert beside(row(word="not verified", checks=FAILED), word="verified") == "not verified"
    assert beside(row(word="not verified", checks=FAILED, fit=FIT), **failed) == "not verified"
