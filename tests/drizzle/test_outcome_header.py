"""Outcome cards: a header without an image that says why."""

from astropy.io import fits
from snakedriz.artefacts.solution import Solution
from snakedriz.drizzle import outcome_header


def test_the_card_says_why_there_is_no_image(tmp_path):
    why = "no catalogue within 5\N{PRIME}"
    solution = Solution(candidate="aposteriori", outcome="not_applicable", reason=why, wcsname="", exposures=[])
    outcome_header.write_card(tmp_path / "x.fits", solution)
    with fits.open(tmp_path / "x.fits") as hdul:
        assert len(hdul) == 1
        assert hdul[0].data is None
        cards = [hdul[0].header[key] for key in ("OUTCOME", "CANDIDAT", "REASON")]
    assert cards == ["not_applicable", "aposteriori", "no catalogue within 5?"]  # FITS takes ASCII only
