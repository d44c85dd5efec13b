"""Held-out catalogue stars: true matches are found where the others put them, chance pairs are not."""

import numpy as np
import pytest
from helpers.displaced_visit import WFC, catalogue, synthetic
from snakedriz.alignment import held_out
from snakedriz.alignment.fitting import fit
from snakedriz.alignment.held_out import folds
from snakedriz.alignment.joint_alignment import JointAlignment, KnownPointing
from snakedriz.alignment.tangent_plane import place


def test_folds_do_not_depend_on_order():
    names = [str(i) for i in range(23)]
    one = dict(zip(names, folds(names, 10), strict=True))
    back = dict(zip(names[::-1], folds(names[::-1], 10), strict=True))
    assert one == back
    assert sorted(np.bincount(list(one.values()))) == [2] * 7 + [3] * 3


@pytest.mark.parametrize("stars", [5, 8, 40])
def test_true_matches_are_found_by_the_others(visit, stars):
    rng = np.random.default_rng(stars)
    found = fit(synthetic(visit, rng), catalogue(visit, rng, n=stars), "relative", "rscale", WFC, "GAIAeDR3")
    held = found.held_out
    # 3 expected errors hold 99 per cent of the stars
    assert held.stars - held.found <= 1 + 0.02 * held.stars
    assert held.chance < 0.01
    assert held.rms_mas > held.in_sample_rms_mas
    assert {check.name: check.passed for check in found.absolute}["held_out"] is True


def test_pairs_of_unrelated_stars_are_not(visit):
    """A match forced on a catalogue of other stars: pairs within 2 px by chance, residuals all over the tolerance."""
    rng = np.random.default_rng(3)
    start = synthetic(visit, rng)
    wrong = catalogue(visit, rng, n=80)
    plane, placed = place(start)
    work = JointAlignment(plane, placed, wrong, "rscale", WFC["fitting"], KnownPointing.of(start, plane, WFC))
    work.solve("relative")
    pairing = work.pairing
    rows = np.flatnonzero(pairing.row >= 0)
    # Every matched star is given to a row that lies 0.3 to 2 px off: what a match by chance looks like.
    angle, size = rng.uniform(0, 2 * np.pi, len(rows)), rng.uniform(0.3, 2.0, len(rows))
    work.ref.uv[pairing.row[rows]] += np.column_stack([size * np.cos(angle), size * np.sin(angle)])
    for match in pairing.matches.values():
        object.__setattr__(match, "tolerance", 2.0)
    again = JointAlignment(plane, placed, wrong, "rscale", WFC["fitting"], KnownPointing.of(start, plane, WFC))
    again.ref = work.ref
    again.solve("relative", pairing)
    held = held_out.measure(again)
    assert held.found < 0.5 * held.stars
    assert held.chance > 0.01


def test_too_few_to_predict_one(visit):
    rng = np.random.default_rng(4)
    found = fit(synthetic(visit, rng), catalogue(visit, rng, n=2), "relative", "rscale", WFC, "GAIAeDR3")
    assert found.held_out is None or found.held_out.chance is None
