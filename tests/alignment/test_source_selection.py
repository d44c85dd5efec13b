"""Which sources a fit uses: stars that exposures of any exposure time share, from all over the chips."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.plane_exposures import FITTING, catalogue, left
from snakedriz.alignment.pairing import find_stars
from snakedriz.alignment.source_selection import choose
from snakedriz.alignment.tangent_plane import PlacedExposure

MOST = 250


def counts(rng, n, bright=13.0, faint=21.0, slope=0.3):
    """Magnitudes of stars whose number rises by `slope` dex per mag."""
    return (
        np.log10(10 ** (slope * bright) + rng.uniform(0, 1, n) * (10 ** (slope * faint) - 10 ** (slope * bright)))
        / slope
    )


def table(xy, mag, number, filt="F606W", most=MOST):
    """A table of two chips, side by side in y, of stars by brightness."""
    order = np.lexsort((number, mag))
    out = Table({"id": number, "x": xy[:, 0], "y": xy[:, 1] % 2000.0, "mag": mag})[order]
    out["chip"] = 1 + (xy[order, 1] >= 2000.0).astype(int)
    out["x_err"] = out["y_err"] = 0.02
    out["use"] = True
    out.meta = {"detector": "ACS/WFC", "filter": filt, "settings": {"max_per_chip": most}}
    return out


def exposures(rng, limits, n=8000, **options):
    """Stars, and the tables of exposures that have those between their limits of saturation and detection."""
    xy, mag = rng.uniform(0, 4000, (n, 2)), counts(rng, n)
    tables = []
    for bright, faint in limits:
        own = mag + rng.normal(0, 0.02, n)  # photometric errors put stars on the other side of every limit
        ok = np.flatnonzero((own > bright) & (own < faint))
        # The table is bounded, too: the brightest 3000 of each chip.
        kept = np.concatenate(
            [side[np.argsort(own[side])][:3000] for side in (ok[xy[ok, 1] < 2000], ok[xy[ok, 1] >= 2000])]
        )
        tables.append(table(xy[kept], own[kept], kept, **options))
    return xy, mag, tables


def used(tables):
    return [set(t["id"][t["use"]]) for t in tables]


def test_long_and_short_exposures_share_stars():
    """340 s show 18.3 mag and fainter, 10 s 14.5 to 22.3: the brightest sources of either are saturated or no choice.

    The brightest ones alone have no star in common.
    """
    rng = np.random.default_rng(5)
    _, _, tables = exposures(rng, [(18.3, 26), (18.3, 26), (14.5, 22.3), (14.5, 22.3)])
    chosen = choose(tables)
    long, short = used(chosen)[0], used(chosen)[2]
    assert all(len(one) == 2 * MOST for one in used(chosen))
    # Half of the short one's places are for the stars that the long ones have; at 0.02 mag nine in ten are the same.
    assert len(long & short) > 0.4 * 2 * MOST
    assert len(used(chosen)[0] & used(chosen)[1]) > 0.85 * 2 * MOST
    brightest = [set(t["id"][np.argsort(t["mag"])][: 2 * MOST]) for t in tables]
    assert not brightest[0] & brightest[2]


def test_a_chain_of_three_exposure_times():
    rng = np.random.default_rng(6)
    _, _, tables = exposures(rng, [(13.5, 19.5), (16.5, 21.0), (18.8, 26)])
    one, two, three = used(choose(tables))
    assert len(one & two) > 0.2 * 2 * MOST
    assert len(two & three) > 0.3 * 2 * MOST


def test_all_four_are_tied_and_placed():
    """Exposures of 500, 500, 10, 10 s, the short ones 0.8 px off: nothing of that is left after the pairs are found."""
    rng = np.random.default_rng(7)
    xy, mag, tables = exposures(rng, [(18.3, 26), (18.3, 26), (14.5, 22.3), (14.5, 22.3)])
    placed = []
    for k, t in enumerate(choose(tables)):
        number = np.asarray(t["id"])[t["use"]]
        start = xy[number] + rng.normal(0, 0.02, (len(number), 2)) + [0.8 * (k > 1), 0.0]
        corners = np.array([[0.0, 0.0], [4000.0, 0.0], [4000.0, 4000.0], [0.0, 4000.0]])
        n = len(number)
        placed.append(
            PlacedExposure(
                rootname=f"j{k}",
                correctors={},
                sources=Table(),
                exptime=1.0,
                start=start,
                error=np.full(n, 0.02),
                mag=np.asarray(t["mag"])[t["use"]],
                row=number,
                centre=np.full(2, 2000.0),
                outlines=[corners],
            )
        )
    found = find_stars(placed, catalogue(xy, rng, np.flatnonzero(mag < 20)), "relative", FITTING)
    assert found.component.tolist() == [0, 0, 0, 0]
    # 500 stars of 0.02 px: 0.001 px
    assert max(np.abs(left(e, t, xy)).max() for e, t in zip(placed, found.transform, strict=True)) < 0.005


def test_the_bound_is_kept_chip_by_chip_and_poor_fields_keep_all():
    rng = np.random.default_rng(8)
    _, _, tables = exposures(rng, [(14.5, 26), (18.3, 26)])
    for t in choose(tables):
        assert [int((t["use"] & (t["chip"] == chip)).sum()) for chip in (1, 2)] == [MOST, MOST]
    _, _, poor = exposures(rng, [(14.5, 26), (18.3, 26)], n=300)
    assert all(one is other for one, other in zip(choose(poor), poor, strict=True))
    assert int(tables[0]["use"].sum()) == 6000  # what is given is not changed


def test_a_cluster_does_not_take_all_places():
    """Nine of ten bright stars lie in a sixteenth of the chip: every cell of the chip has its brightest ones."""
    rng = np.random.default_rng(9)
    xy = np.vstack([rng.uniform(0, 500, (4000, 2)), rng.uniform(0, [4000, 2000], (1000, 2))])
    t = table(xy, np.r_[rng.uniform(18, 21, 4000), rng.uniform(19, 22, 1000)], np.arange(5000))
    (chosen,) = choose([t])
    own = chosen[chosen["use"]]
    assert len(own) == MOST
    cell = (np.asarray(own["x"]) // 1000).astype(int) * 4 + (np.asarray(own["y"]) // 500).astype(int)
    share = np.bincount(cell, minlength=16) / MOST
    # 4 x 4 cells of a sixteenth each
    assert share.min() > 0.03
    assert share.max() < 0.12
    # In the cluster the brightest are taken.
    assert np.median(own["mag"][(own["x"] < 500) & (own["y"] < 500)]) < 18.2


def test_other_filters_and_detectors_choose_among_themselves():
    """In a narrow band the same stars are 4 mag fainter: its windows say nothing of the broad band's."""
    rng = np.random.default_rng(10)
    xy, mag, tables = exposures(rng, [(14.5, 22.3)])
    narrow = table(xy, mag + 4.0, np.arange(len(xy)), filt="F658N")
    assert used(choose([tables[0], narrow]))[0] == used(choose([tables[0]]))[0]
    same = table(xy, mag + 4.0, np.arange(len(xy)))
    assert used(choose([tables[0], same]))[0] != used(choose([tables[0]]))[0]


@pytest.mark.parametrize("rows", [0, 5])
def test_tables_that_say_nothing_keep_all(rows):
    rng = np.random.default_rng(11)
    t = table(rng.uniform(0, 1000, (rows, 2)), rng.uniform(18, 20, rows), np.arange(rows))
    t["use"] = False
    bare = Table({"mag": [20.0, 21.0], "use": [True, True]})
    assert choose([t, bare, Table()])[1] is bare
    assert choose([t])[0] is t
