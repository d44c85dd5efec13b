"""Every two exposures that overlap are measured, or called unmeasured: mosaics with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import SOLUTION, check, numbers
from helpers.mosaics import Mosaic
from snakedriz.verification import frames, verification

NAMES = [f"jtest{i:02d}q" for i in range(1, 9)]
#: Four disjoint pointings of two exposures each, 4.6 Mpx: more than is looked at whole.
PAIRS = {"height": 800, "width": 1200, "step": 1000}


def _verify(mosaic, folder):
    return verification.verify(*mosaic.write(folder), SOLUTION, numbers())


def _all_pairs(found):
    return {tuple(row.exposures): row for row in found.registration.pairs}


def test_mosaic_of_disjoint_pairs_is_verified(tmp_path):
    """All pairs are measured; with tiles chosen by four of the eight exposures, half of them overlapped nothing."""
    found = _verify(Mosaic(**PAIRS), tmp_path)
    assert found.verified["measured"] is True
    assert (found.relative, found.flags_trusted) == ("measured", True)
    rows = _all_pairs(found)
    assert sorted(rows) == [tuple(NAMES[i : i + 2]) for i in (0, 2, 4, 6)]
    for row in rows.values():
        assert (row.measured, row.method) == (True, "sources")
        # 80 stars in each, some at edges, overlapping or too faint
        assert row.nmatches > 50
        assert row.overlap == pytest.approx(1.0)
        assert np.hypot(row.dx, row.dy) < 4 * np.hypot(row.dx_err, row.dy_err)
    assert {row.method for row in found.registration.exposures} == {"sources"}


@pytest.mark.parametrize("displaced", [0, 5, 7])
def test_displaced_exposure_of_a_mosaic_is_noticed_and_named(tmp_path, displaced):
    """Was verified: the pair had no pixels in the tiles, and "overlaps no other exposure" counts against nothing."""
    found = _verify(Mosaic(**PAIRS, displaced={displaced: (3.0, 0.0)}), tmp_path)
    assert found.verified["measured"] is False
    assert (found.relative, found.flags_trusted) == ("failed", False)
    # Of two that were compared with each other only, either may be the one.
    named = check(found, "registration").note.split(";")[0]
    assert all(name in named for name in (NAMES[displaced], NAMES[displaced ^ 1]))
    for names, row in _all_pairs(found).items():
        assert row.measured
        away = NAMES[displaced] in names
        # 4 sigma; the sign is that of the first less the second
        expected = (3.0 if names[0] == NAMES[displaced] else -3.0) if away else 0.0
        assert row.dx == pytest.approx(expected, abs=4 * row.dx_err)
        assert row.nmatches > 50


def test_group_of_exposures_displaced_against_another_is_noticed(tmp_path):
    """Two pointings of four exposures that share a fifth: each agrees with the three others of its own."""
    moved = dict.fromkeys(range(4, 8), (0.6, 0.0))
    mosaic = Mosaic(pointings=2, exposures=4, height=600, width=1200, step=480, stars=200, displaced=moved)
    found = _verify(mosaic, tmp_path)
    assert found.verified["measured"] is False
    rows = _all_pairs(found)
    assert len(rows) == 28
    across = rows[NAMES[0], NAMES[4]]
    assert across.dx == pytest.approx(-0.6, abs=4 * across.dx_err)
    assert across.overlap == pytest.approx(0.2, abs=0.01)


def test_exposure_that_overlaps_but_cannot_be_measured_is_unmeasurable(tmp_path):
    """The stars of one of two exposures lie 60 px off, beyond the search; the footprints say that they overlap."""
    found = _verify(Mosaic(**PAIRS, displaced={7: (60.0, 0.0)}), tmp_path)
    methods = {row.rootname: row.method for row in found.registration.exposures}
    assert methods == dict.fromkeys(NAMES[:6], "sources") | dict.fromkeys(NAMES[6:], "unmeasurable")
    assert found.verified["measured"] is False
    assert found.relative == "unmeasured"
    assert "unmeasurable: jtest07q, jtest08q" in check(found, "registration").note
    row = _all_pairs(found)[NAMES[6], NAMES[7]]
    assert (row.measured, row.method, row.dx) == (False, "unmeasurable", None)
    assert row.reason


def test_pairs_share_tiles_and_exposures_hold_their_own(tmp_path):
    """The work grows with the exposures: each has the tiles of its pointing and none of the others."""
    found = frames.read(*Mosaic(**PAIRS).write(tmp_path))
    # 800 x 1160 px touch 5 x 5 tiles of 240 px
    assert all(len(single.regions.corners) <= 25 for single in found.singles)
    assert found.singles[0].regions == found.singles[1].regions
    assert not set(found.singles[0].regions.corners) & set(found.singles[4].regions.corners)
    assert (found.overlaps() > 0).sum() == 8 + 8
