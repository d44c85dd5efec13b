"""Which files a result was made with, in promotion.json and in headers."""

from __future__ import annotations

import pytest
from helpers.candidates import EXAMPLES, metrics
from snakedriz.artefacts.promotion import PromotedFit, Promotion
from snakedriz.artefacts.solution import Solution
from snakedriz.promotion import data_used


@pytest.fixture
def promotion():
    found = Promotion.read(EXAMPLES / "promotion.json")
    fit = PromotedFit(file="f.json", catalog="GAIAeDR3", method="relative", nmatches=60, total_rms_mas=3.0)
    absolute = found.candidates[0].astrometry.absolute.model_copy(update={"catalog": "GSC242"})
    errors = found.candidates[0].astrometry.model_copy(update={"absolute": absolute})
    winner = found.candidates[0].model_copy(update={"candidate": found.winner, "fit": fit, "astrometry": errors})
    return found.model_copy(update={"candidates": [found.candidates[0], winner]})


def _cards(promotion):
    return {keyword: value for keyword, value, _ in data_used.header_cards(promotion)}


def test_catalogs_are_listed_once_with_their_files():
    measured = [metrics("default", offset=1.0), metrics("apriori"), metrics("aposteriori", offset=1.0)]
    source = measured[0].astrometry.catalogs[0].source
    (found,) = data_used.catalogs(measured)
    assert (found.name, found.file, found.sha256) == ("GAIAeDR3", source.file, source.sha256)
    assert data_used.catalogs([metrics("default")]) == []


def test_the_catalogue_of_the_promoted_fit_is_named(promotion):
    used = promotion.catalogs[0]
    other = used.model_copy(update={"name": "GSC242", "file": "gsc.ecsv"})
    for catalogs in ([used, other], [other, used]):
        cards = _cards(promotion.model_copy(update={"catalogs": catalogs}))
        assert (cards["SDCATNAM"], cards["SDCATFIL"], cards["SDCATSHA"]) == ("GAIAeDR3", used.file, used.sha256)
        assert "SDCATSVC" not in cards  # a file of the user's
    assert _cards(promotion.model_copy(update={"catalogs": []})) == {}


def test_without_a_fit_it_is_the_one_held_against(promotion):
    found = promotion.model_copy(update={"winner": "default"})
    assert found.candidates[0].fit is None
    assert _cards(found)["SDCATNAM"] == "GAIAeDR3"


def test_files_of_a_precomputed_solution_are_numbered_and_ascii(promotion):
    source = Solution.read(EXAMPLES / "solution_apriori.json").sources[0]
    odd = source.model_copy(update={"file": "Lösung.fits"})
    winner = promotion.candidates[1].model_copy(update={"sources": [source, odd]})
    cards = _cards(promotion.model_copy(update={"candidates": [winner]}))
    assert (cards["SDSOLF1"], cards["SDSOLH1"]) == (source.file, source.sha256)
    assert cards["SDSOLF2"] == "L?sung.fits"
