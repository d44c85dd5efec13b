"""Exposures brought to a catalogue and to each other in one solution: with few stars, or none in one of them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.displaced_visit import WFC, against_truth, catalogue, synthetic, turned
from snakedriz.alignment.fitting import fit
from snakedriz.alignment.joint_alignment import locks
from snakedriz.exposures.guiding import Guiding


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


@pytest.mark.parametrize("roll", [0.0, 0.02])
def test_few_stars_correct_a_roll(visit, roll):
    """Six catalogue stars do not switch the rotation off: the visit's roll error of 0.02 deg is found and corrected.

    0.02 deg are 9 mas at the corner, 26 arcsec from the middle; six stars of 1.4 mas at 15 arcsec give it to 0.002 deg,
    1 mas there. Exposures 2 px and 5 px off are brought back by the sources in common.
    """
    rng = np.random.default_rng(41)
    start = synthetic(visit, rng, contaminants=10)
    for i in range(4):
        start = turned(start, i, degrees=roll)
    start = turned(start, 1, ra=0.1)
    result = fit(start, catalogue(visit, rng, n=8), "relative", "rscale", WFC, "x")
    assert (result.outcome, result.fitgeom_used) == ("ok", "rscale"), result.reason
    offsets, _ = against_truth(visit, start, result)
    # 100 shared stars, 0.02 px each: 0.1 mas per axis, in each exposure.
    assert np.abs(offsets - offsets.mean(axis=0)).max() < 0.6
    # The mean of the exposures, by 5 to 8 stars of 1.4 mas: 0.6 mas per axis, four times that.
    assert np.abs(offsets.mean(axis=0)).max() < 2.5
    if roll:
        assert abs(np.mean([e.rotation_deg for e in result.exposures])) == pytest.approx(roll, abs=0.006)


def test_an_exposure_without_stars_is_carried_along(visit):
    rng = np.random.default_rng(10)
    start = synthetic(visit, rng)
    ref = catalogue(visit, rng)
    empty = start[1].sources[:0]
    few = [replace(e, sources=empty) if i == 1 else e for i, e in enumerate(start)]
    result = fit(few, ref, "relative", "rscale", WFC, "GAIAeDR3")
    assert [e.status for e in result.exposures] == ["fitted", "kept", "fitted", "fitted"]
    assert few[1].rootname in result.reason
    offsets, _ = against_truth(visit, few, result)
    # It has the correction of the undisplaced majority, which was right; the displaced one pulls by its prior's tail.
    assert np.abs(offsets[1] - offsets[0]).max() < 5.0
    # What is quoted for it is the prior's width: 5 mas and more, and not what the stars of the others know.
    assert result.exposures[1].zero_point_error_mas > 3.0
    assert result.exposures[0].zero_point_error_mas < 1.0
    alone = [replace(e, sources=empty) if i else e for i, e in enumerate(start)]
    result = fit(alone, ref, "relative", "rscale", WFC, "GAIAeDR3")
    assert result.outcome == "failed"
    assert "no two exposures" in result.reason


@pytest.mark.parametrize("displaced", [True, False])
def test_an_exposure_that_shares_no_source_is_fitted_by_the_catalogue(visit, displaced):
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
    assert result.exposures[1].status == "fitted", result.reason
    offsets, _ = against_truth(visit, start, result)
    assert np.abs(offsets).max() < 1.5  # 40 stars of 1.4 mas: 0.25 mas, six times that; the 250 mas are gone


def test_a_pair_tied_in_a_corner_is_held_by_its_catalogue_stars(visit):
    """Two exposures with 14 stars in common, all in one corner, and 40 catalogue stars each over the whole of both.

    Tying first and fitting one rigid body would leave the far corner to the roll that 14 stars in a corner give: 0.02
    px over 100 px is 0.003 deg, at 800 px from there 2 mas and more. Each exposure's catalogue stars know better: 0.3
    mas.
    """
    rng = np.random.default_rng(12)
    start = synthetic(visit, rng, n=300, contaminants=5)[:2]
    tables = [e.sources for e in start]
    corner = [(t["chip"] == 1) & (t["x"] < 250) & (t["y"] < 150) for t in tables]
    shared = [{round(float(m), 9) for m in t["mag"][c]} for t, c in zip(tables, corner, strict=True)]
    odd = [np.array([int(m * 1e6) % 2 for m in t["mag"]]) for t in tables]
    kept = [
        t[
            [
                round(float(m), 9) in (shared[0] & shared[1]) or parity == i
                for m, parity in zip(t["mag"], own, strict=True)
            ]
        ]
        for i, (t, own) in enumerate(zip(tables, odd, strict=True))
    ]
    start = [replace(e, sources=t) for e, t in zip(start, kept, strict=True)]
    two = (visit[0], visit[1])
    result = fit(start, catalogue(visit, rng, n=300), "relative", "rscale", WFC, "GAIAeDR3")
    assert result.outcome == "ok", result.reason
    offsets, _ = against_truth(two, start, result)
    assert np.abs(offsets).max() < 1.5


def test_locks_are_numbered_by_what_the_headers_say():
    def exposure(name, start, lock="FINE", roll=100.0):
        return Guiding(name, "ACS/WFC", lock, "", start, start + 0.005, roll)

    every = [exposure("jtest1a1q", 1.0), exposure("jtest1a2q", 1.01), exposure("jtest1a3q", 1.02, roll=100.5)]
    assert locks(every).tolist() == [0, 0, 1]
    lost = [exposure("jtest1a1q", 1.0), exposure("jtest1a2q", 1.01, lock="GYRO"), exposure("jtest1a3q", 1.02)]
    assert locks(lost).tolist() == [0, 1, 2]
