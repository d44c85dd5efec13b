"""Ties of exposures by the stars they share: displacements are seen, with honest errors."""

import numpy as np
import pytest
from helpers.displaced_visit import DISPLACED, SCALE, WFC, catalogue, synthetic
from snakedriz.alignment.exposure_ties import tie_of, together
from snakedriz.alignment.joint_alignment import JointAlignment, KnownPointing
from snakedriz.alignment.tangent_plane import place


def tied(visit, seed, **world):
    rng = np.random.default_rng(seed)
    start = synthetic(visit, rng, **world)
    plane, placed = place(start)
    work = JointAlignment(
        plane, placed, catalogue(visit, rng), "rscale", WFC["fitting"], KnownPointing.of(start, plane, WFC)
    )
    work.solve("relative")
    return work


def test_a_displaced_exposure_is_seen_against_the_median_of_all(visit):
    work = tied(visit, 0)
    ties = [tie_of(work, index) for index in range(4)]
    # 100 stars of 0.02 px: 0.002 px, five times that
    expected = np.array(DISPLACED[2]) / SCALE * [1, -1]
    assert np.abs(np.array(ties[2].shift_px) - expected).max() < 0.015
    assert np.abs([ties[i].shift_px for i in (0, 1, 3)]).max() < 0.015
    assert np.abs([tie.offset_px for tie in ties]).max() < 0.02  # repaired
    for tie in ties:
        # against the mean of four, sqrt(3/4) of 0.002 px and of what roll and scale add; the floor is estimated
        assert 0.001 < tie.error_px < 0.004
        assert tie.error95_px == pytest.approx(1.96 * tie.error_px, rel=0.1)
        assert 0.02 < tie.rms_px < 0.06


def test_quoted_errors_of_a_tie_cover_the_truth(visit):
    """Four exposures about their mean, 68 per cent of 2 x 4 x 12 coordinates (standard deviation 0.05)."""
    inside = []
    truth = [np.array(DISPLACED.get(i, (0.0, 0.0))) / SCALE * [1, -1] for i in range(4)]
    for seed in range(12):
        work = tied(visit, [seed, 1], n=40, contaminants=5)
        moved = np.array([e.moved for e in work.exposures]) - truth
        for index, off in enumerate(moved - moved.mean(axis=0)):
            inside += list(np.abs(off) < tie_of(work, index).error_px)
    assert np.mean(inside) == pytest.approx(0.6827, abs=0.15)


def test_what_shares_no_star_is_tied_to_nothing(visit):
    rng = np.random.default_rng(2)
    start = synthetic(visit, rng)
    start[1].sources["x"] = rng.uniform(5, 1000, len(start[1].sources))
    plane, placed = place(start)
    work = JointAlignment(plane, placed, None, "shift", WFC["fitting"], KnownPointing.of(start, plane, WFC))
    work.solve("relative")
    assert together(work, 1) == [1]
    assert 1 not in together(work, 0)
    assert tie_of(work, 1).nmatches < 6  # what lies within 0.5 px of a star by chance
