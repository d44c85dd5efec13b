"""Exposures brought to a catalogue: as a group, one by one, with too few stars, and those that cannot be tied."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.displaced_visit import DISPLACED, WFC, against_truth, catalogue, synthetic, turned
from snakedriz.alignment.fitting import fit


@pytest.mark.parametrize("method", ["2dhist", "default"])
def test_exposures_one_by_one(visit, method):
    rng = np.random.default_rng(6)
    start = synthetic(visit, rng, contaminants=20)
    if method == "default":  # assumes the pointing to be within 10 px = 0.5 arcsec: bring it there
        for i in range(4):
            start = turned(start, i, ra=-0.33, dec=0.38)
    result = fit(start, catalogue(visit, rng), method, "rscale", WFC, "GAIAeDR3")
    assert result.wcs_kind == "IMG"
    assert result.outcome == "ok", result.reason
    offsets, _ = against_truth(visit, start, result)
    # 50 stars of 1 mas and 1 mas (0.02 px): 0.2 mas per axis; four times that.
    assert np.abs(offsets).max() < 0.8


@pytest.mark.parametrize("method", ["relative", "2dhist"])
def test_too_few_matches_share_one_shift_and_keep_relative_geometry(visit, method):
    """6 catalogue stars allow no rscale (12 needed): every exposure gets the same shift, and no turn or scale.

    Exposures 2 px and 5 px off are brought back by the sources in common (relative), not by the catalogue. The other
    method has nothing to bring them back by, so there they agree from the start, but for 0.2 px that nobody touches.
    """
    rng = np.random.default_rng(41)
    start = synthetic(visit, rng, contaminants=10)
    if method == "relative":
        moved = turned(start, 1, ra=0.1)
    else:
        moved = turned(turned(start, 2, ra=-DISPLACED[2][0], dec=-DISPLACED[2][1]), 1, ra=0.01)
    before, _ = against_truth(visit, moved)
    result = fit(moved, catalogue(visit, rng, n=8), method, "rscale", WFC, "x")
    assert (result.outcome, result.fitgeom_used) == ("ok", "shift"), result.reason
    assert "one common shift" in result.reason
    after, _ = against_truth(visit, moved, result)
    if method == "relative":
        # 100 shared stars, 0.02 px each: 0.1 mas per axis, in each exposure.
        assert np.abs(after - after.mean(axis=0)).max() < 0.6
        assert abs((before[1] - before[0])[0] - 100.0) < 1.0
    else:
        assert (after[1] - after[0])[0] == pytest.approx(10.0, abs=0.5)
        shifts = after - before
        assert np.abs(shifts - shifts[0]).max() < 1e-3  # the very same shift for all
        assert all(abs(e.rotation_deg) < 1e-9 and abs(e.scale - 1) < 1e-12 for e in result.exposures)
    # The mean of the exposures, by 5 to 8 stars of 1.4 mas: 0.6 mas per axis, four times that.
    assert np.abs(after.mean(axis=0)).max() < 2.5


def test_exposure_that_cannot_be_tied(visit):
    rng = np.random.default_rng(10)
    start = synthetic(visit, rng)
    ref = catalogue(visit, rng)
    empty = start[1].sources[:0]
    few = [replace(e, sources=empty) if i == 1 else e for i, e in enumerate(start)]
    result = fit(few, ref, "relative", "rscale", WFC, "GAIAeDR3")
    assert [e.status for e in result.exposures] == ["fitted", "kept", "fitted", "fitted"]
    assert few[1].rootname in result.reason
    offsets, _ = against_truth(visit, few, result)
    # It keeps its pointing relative to the undisplaced majority, which was right.
    assert np.abs(offsets[1] - offsets[0]).max() < 1.0
    alone = [replace(e, sources=empty) if i else e for i, e in enumerate(start)]
    result = fit(alone, ref, "relative", "rscale", WFC, "GAIAeDR3")
    assert result.outcome == "failed"
    assert "no two exposures" in result.reason


@pytest.mark.parametrize(("displaced", "status"), [(True, "fitted alone"), (False, "kept")])
def test_an_untied_exposure_is_checked_by_the_catalogue(visit, displaced, status):
    """It shares no source with the others, but has 40 catalogue stars of its own; they show a displacement of 5 px."""
    rng = np.random.default_rng(11)
    start = synthetic(visit, rng, contaminants=5)
    table = start[1].sources
    keep = np.arange(len(table)) % 2 == 0
    mine = set(np.round(table["mag"][keep], 9))
    others = [e.sources[[round(float(m), 9) not in mine for m in e.sources["mag"]]] for e in start]
    start = [replace(e, sources=table[keep] if i == 1 else others[i]) for i, e in enumerate(start)]
    if displaced:
        start = turned(start, 1, ra=0.15, dec=0.2)
    result = fit(start, catalogue(visit, rng, n=200), "relative", "rscale", WFC, "GAIAeDR3")
    assert result.exposures[1].status == status, result.reason
    assert ("catalogue stars confirm within 1 px" in result.reason) != displaced
    offsets, _ = against_truth(visit, start, result)
    assert np.abs(offsets).max() < 2.0  # 40 stars: 0.25 mas, plus 0.05 deg of roll error at most; the 250 mas are gone
