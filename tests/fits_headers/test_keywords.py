"""Headers of the archive have blank, broken and NaN cards: none of them stops a run."""

import pytest
from astropy.io import fits
from snakedriz.fits_headers import keywords


@pytest.fixture
def header():
    cards = ["RMS_RA  =                  NaN", "BROKEN  = 'no end", "CRDER1  =          0.0125", "WCSNAME = 'TWEAK   '"]
    return fits.Header.fromstring("".join(card.ljust(80) for card in [*cards, "BLANKED =", "NMATCHES= '12      '"]))


def test_values_that_can_be_used(header):
    assert keywords.value(header, "CRDER1") == keywords.number(header, "CRDER1") == 0.0125
    assert keywords.text(header, "WCSNAME") == "TWEAK"
    assert keywords.number(header, "NMATCHES") == 12.0


@pytest.mark.parametrize("keyword", ["RMS_RA", "BLANKED", "ABSENT"])
def test_values_that_cannot_are_none(header, keyword):
    assert keywords.value(header, keyword) is None
    assert keywords.text(header, keyword) == ""
    assert keywords.number(header, keyword) is None


def test_switches_and_words_are_no_numbers(header):
    header["SUBARRAY"] = True
    assert keywords.number(header, "SUBARRAY") is None
    assert keywords.number(header, "WCSNAME") is None


def test_broken_cards_are_found_and_taken_out(header):
    assert "RMS_RA" in keywords.broken_cards(header)
    assert "CRDER1" not in keywords.broken_cards(header)
    hdul = keywords.without_broken_cards(fits.HDUList([fits.PrimaryHDU(header=header)]))
    assert keywords.broken_cards(hdul[0].header) == []
    assert hdul[0].header["CRDER1"] == 0.0125
