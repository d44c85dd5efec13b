"""Errors of a candidate in promotion.json and in headers: relative and absolute apart."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from astropy.io import fits
from snakedriz.artefacts.astrometry import Astrometry
from snakedriz.artefacts.promotion import LargestShift, Promotion
from snakedriz.promotion import error_summary

NOTHING = dict.fromkeys(("registration", "astrometry", "expected_error", "verdict"))
EXAMPLES = Path(__file__).parents[1] / "artefacts" / "examples"


@pytest.fixture
def row():
    row = Promotion.read(EXAMPLES / "promotion.json").candidates[0]
    return row.model_copy(update={"registration": LargestShift(worst_px=0.05, error_px=0.01, of="x")})


def test_each_exposures_errors_are_left_out():
    astrometry = Astrometry.read(EXAMPLES / "astrometry.json")
    relative = astrometry.relative.to_json()
    del relative["exposures"]
    assert error_summary.summary(astrometry).to_json()["relative"] == relative
    assert error_summary.summary(astrometry).absolute == astrometry.absolute
    assert error_summary.summary(None) is None


def test_header_cards_keep_relative_and_absolute_apart(row):
    cards = {keyword: value for keyword, value, _ in error_summary.header_cards(row)}
    assert all(len(keyword) <= 8 and keyword.startswith("SD") for keyword in cards)
    assert cards["SDRELMAS"] == row.astrometry.relative.scatter_mas
    assert cards["SDABSERR"] == row.astrometry.absolute.error_mas
    assert cards["SDREGPX"] == 0.05
    assert (cards["SDVERDCT"], cards["SDEXPERR"]) == ("verified", row.expected_error.value_mas)
    assert cards["SDEXPBAS"].startswith("offset from GAIAeDR3, 48 stars")
    assert "SDHELDRM" not in cards  # the default candidate was not fitted
    header = fits.Header()
    for keyword, value, comment in error_summary.header_cards(row):
        header[keyword] = (value, comment)
    assert header.tostring().isascii()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no comment is too long for its card
        str(header)


def test_what_was_not_measured_has_no_card(row):
    assert error_summary.header_cards(row.model_copy(update=NOTHING)) == []
    unmeasured = row.astrometry.absolute.model_copy(update={"offset_mas": None, "error_mas": None})
    errors = row.astrometry.model_copy(update={"absolute": unmeasured})
    cards = {keyword for keyword, _, _ in error_summary.header_cards(row.model_copy(update={"astrometry": errors}))}
    assert not cards & {"SDABSRA", "SDABSDEC", "SDABSERR"}
    assert "SDABSCAT" in cards
