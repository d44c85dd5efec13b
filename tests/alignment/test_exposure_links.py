"""Exposures linked by their common stars: the graph, its robust solution, and the bound on what is matched."""

from unittest import mock

import numpy as np
import pytest
from helpers.plane_exposures import FITTING, expose, left
from snakedriz.alignment import exposure_links, matching
from snakedriz.alignment.exposure_links import components, link


def everything(exposures):
    return [np.ones(len(e.start), dtype=bool) for e in exposures]


def errors(exposures, linked, stars):
    """Error (px) of each exposure less the median of all."""
    found = np.array([left(e, (t.matrix, t.offset), stars) for e, t in zip(exposures, linked.transform, strict=True)])
    return found - np.median(found, axis=0)


def test_displaced_and_turned_exposures_are_brought_to_the_majority():
    rng = np.random.default_rng(0)
    stars, mag = rng.uniform(-2500, 2500, (150, 2)), rng.uniform(18, 24, 150)
    exposures = [expose(f"j{i}", stars, mag, rng, roll=0.02 if i == 3 else 0.0) for i in range(4)]
    exposures[3].start[:] += [30.0, -20.0]
    linked = link(exposures, everything(exposures), FITTING)
    assert linked.component.tolist() == [0, 0, 0, 0]
    assert not linked.notes
    # 100 stars of 0.02 px in each
    assert np.abs(errors(exposures, linked, stars)).max() < 0.015
    assert np.degrees(np.angle(linked.transform[3].turn)) == pytest.approx(-0.02, abs=5e-4)
    # The frame is where the median of the exposures had it.
    assert np.abs([t.offset for t in linked.transform[:3]]).max() < 0.015


def test_a_strip_of_pointings_that_overlap_a_little_hangs_together():
    """Six pointings, each sharing a tenth of its field with the next: errors add up along the chain, no more."""
    rng = np.random.default_rng(1)
    stars = rng.uniform([-3000, -2200], [22000, 2200], (3000, 2))
    mag = rng.uniform(18, 24, 3000)
    exposures = [
        expose(f"j{i}", stars, mag, rng, (3780.0 * i, 0.0), rng.uniform(-20, 20, 2), rng.uniform(-0.005, 0.005))
        for i in range(6)
    ]
    linked = link(exposures, everything(exposures), FITTING)
    assert (linked.component == 0).all()
    # A link has 50 stars of 0.028 px in 420 x 4200 px, 1200 px (rms) from their middle: 3.3e-6 rad, of which each moves
    # all that is beyond it, by 0.013 px per field of 3780 px: 0.013 sqrt(1 + 4 + 9 + 16 + 25) = 0.09 px at the end of
    # the strip. Four times that; a search radius of 0.5 px finds the stars all the same.
    assert np.abs(errors(exposures, linked, stars)).max() < 0.36


def test_a_contradicting_link_is_dropped():
    """A thousand sources fixed to two detectors alike would tie them falsely; three other exposures say so."""
    rng = np.random.default_rng(2)
    stars, mag = rng.uniform(-2200, 2200, (200, 2)), rng.uniform(18, 24, 200)
    exposures = [expose(f"j{i}", stars, mag, rng) for i in range(5)]
    exposures[4].start[:] += [3.0, 0.0]
    fixed = rng.uniform(-2000, 2000, (1000, 2))
    for i in (3, 4):
        e = exposures[i]
        e.start = np.vstack([e.start, fixed + rng.normal(0, 0.02, fixed.shape)])
        e.error, e.mag = np.full(len(e.start), 0.02), np.r_[e.mag, np.full(1000, 17.0)]
        e.row = np.r_[e.row, np.full(1000, -1)]
    linked = link(exposures, everything(exposures), FITTING)
    assert linked.component.tolist() == [0] * 5
    assert len(linked.links) == 9
    assert len(linked.notes) == 1
    assert "j3 and j4" in linked.notes[0]
    assert "contradict" in linked.notes[0]
    assert np.abs(errors(exposures, linked, stars)).max() < 0.01


def test_many_exposures_need_few_matches():
    """30 exposures of two pointings that overlap by a tenth: 435 pairs, of which at most 5 per exposure are matched."""
    rng = np.random.default_rng(3)
    stars = rng.uniform([-2200, -2200], [6200, 2200], (600, 2))
    mag = rng.uniform(18, 24, 600)
    exposures = [
        expose(f"j{i:02d}", stars, mag, rng, (3780.0 * (i % 2), 0.0), rng.normal(0, 3.0, 2)) for i in range(30)
    ]
    with mock.patch.object(exposure_links.matching, "match", wraps=matching.match) as match:
        linked = link(exposures, everything(exposures), FITTING)
    assert match.call_count <= 5 * 30
    assert (linked.component == 0).all()
    assert np.abs(errors(exposures, linked, stars)).max() < 0.05


def test_pairs_not_tried_at_first_join_what_they_can():
    """Of 12 exposures one shares stars with a single other one, which is not among its best-overlapping ones."""
    rng = np.random.default_rng(4)
    stars, mag = rng.uniform(-2200, 2200, (300, 2)), rng.uniform(18, 24, 300)
    faint, bright = np.flatnonzero(mag > 22), np.flatnonzero(mag < 22)
    exposures = [expose(f"j{i:02d}", stars, mag, rng, which=bright) for i in range(11)]
    exposures.append(expose("j11", stars, mag, rng, which=faint))
    exposures[5] = expose("j05", stars, mag, rng, which=np.r_[bright[::3], faint[::2]])
    linked = link(exposures, everything(exposures), {**FITTING, "relative": {**FITTING["relative"], "most_pairs": 10}})
    assert (linked.component == 0).all()


def test_exposures_that_share_nothing_stay_as_they_are():
    rng = np.random.default_rng(5)
    stars, mag = rng.uniform(-9000, 9000, (1500, 2)), rng.uniform(18, 24, 1500)
    exposures = [expose(f"j{k}", stars, mag, rng, (6000.0 * k, 0.0)) for k in (-1, 1)]
    exposures.append(expose("none", stars, mag, rng, which=[]))
    linked = link(exposures, everything(exposures), FITTING)
    assert linked.component.tolist() == [0, 1, 2]
    assert not linked.links
    for transform in linked.transform:
        assert transform.turn == pytest.approx(1.0)
        assert transform.shift == pytest.approx(0.0, abs=1e-9)


def test_components_are_numbered_by_their_first_nodes():
    assert components(6, [(4, 2), (1, 5), (5, 2)]).tolist() == [0, 1, 1, 2, 1, 1]
    assert components(0, []).tolist() == []
