"""The stars of a visit, and their catalogue rows, found under every strategy; truth is known."""

import numpy as np
import pytest
from helpers.displaced_visit import catalogue as catalogue_of
from helpers.displaced_visit import synthetic
from helpers.plane_exposures import ERROR, FITTING, catalogue, expose, left
from snakedriz.alignment.pairing import GROUP, find_stars
from snakedriz.alignment.tangent_plane import PlacedRows, place

STRATEGIES = ("relative", "2dhist", "default")
OFF = (5.0, -6.0)  # px: within the tolerance of the strategy "default", too
CENTRES = ((-6000, -6000), (6000, -6000), (-6000, 6000), (6000, 6000))


def field(rng, n, half=9000):
    return rng.uniform(-half, half, (n, 2)), rng.uniform(18, 24, n)


def worst(exposures, found, stars):
    """Largest error (px) of the exposures."""
    return max(np.abs(left(e, t, stars)).max() for e, t in zip(exposures, found.transform, strict=True) if len(e.start))


def false_pairs(exposures, found, rows):
    """Numbers of sources given to a star of another number, and to a catalogue row that is not theirs."""
    number = np.full(len(found.row), -2)
    wrong, stray = 0, 0
    for exposure, star in zip(exposures, found.star, strict=True):
        for own, s in zip(exposure.row, star, strict=True):
            if s < 0:
                continue
            wrong += int(number[s] not in (-2, own))
            number[s] = own
            stray += int(found.row[s] >= 0 and rows[found.row[s]] != own)
    return wrong, stray


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_four_disjoint_pairs_with_one_exposure_displaced(strategy):
    """A mosaic of pairs that share nothing: each pair is tied, and each is found on the catalogue.

    One tree of exposures that grows from one of them left six of these eight untied.
    """
    rng = np.random.default_rng(1)
    stars, mag = field(rng, 1500)
    exposures = [
        expose(f"j{k}{i}", stars, mag, rng, centre, np.add(OFF, 3.0 if (k, i) == (2, 1) else 0.0), extra=10)
        for k, centre in enumerate(CENTRES)
        for i in range(2)
    ]
    if strategy == "default":  # the displaced one shall be within the tolerance of 10 px
        exposures[5].start[:] -= np.add(OFF, 3.0)
    rows = np.flatnonzero(mag < 21)
    found = find_stars(exposures, catalogue(stars, rng, rows), strategy, FITTING)
    assert found.component.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    # 30 catalogue stars each: 0.02 / sqrt(30) px; five times that
    assert worst(exposures, found, stars) < 0.02
    assert false_pairs(exposures, found, rows) == (0, 0)
    assert (found.row >= 0).sum() > 80
    assert (GROUP in found.matches) == (strategy == "relative")
    assert found.matches["j21"].significance > 5
    assert not found.reason


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_body_with_two_catalogue_stars_is_looked_for_where_the_others_are(strategy):
    """Two stars are no match in a search over the field, and one where the visit's other exposures say to look."""
    rng = np.random.default_rng(2)
    stars, mag = field(rng, 1500)
    exposures = [expose(f"j{k}", stars, mag, rng, centre, OFF) for k, centre in enumerate(CENTRES)]
    rows = np.flatnonzero(mag < 20)
    # Of the last pointing two stars only are in the catalogue.
    there = np.intersect1d(rows, exposures[3].row)
    rows = np.setdiff1d(rows, there[2:])
    found = find_stars(exposures, catalogue(stars, rng, rows), strategy, FITTING)
    seen = found.star[3]
    assert (found.row[seen] >= 0).sum() == 2
    assert false_pairs(exposures, found, rows) == (0, 0)
    assert np.abs(left(exposures[3], found.transform[3], stars)).max() < 0.2
    assert len(found.matches["j3"]) == 2
    assert found.matches["j3"].false_alarm < 0.01
    if strategy != "default":  # within so small a tolerance two that agree are no chance by themselves
        assert any("j3" in note for note in found.notes)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_exposures_without_sources_or_catalogue_stars_start_where_the_others_are(strategy):
    rng = np.random.default_rng(3)
    stars, mag = field(rng, 1500)
    exposures = [expose(f"j{k}", stars, mag, rng, centre, OFF) for k, centre in enumerate(CENTRES)]
    exposures.append(expose("none", stars, mag, rng, CENTRES[0], OFF, which=[]))
    rows = np.setdiff1d(np.flatnonzero(mag < 20), exposures[3].row)
    found = find_stars(exposures, catalogue(stars, rng, rows), strategy, FITTING)
    assert [len(star) for star in found.star] == [len(e.start) for e in exposures]
    assert np.abs(left(exposures[3], found.transform[3], stars)).max() < 0.1
    assert (found.row[found.star[3]] == -1).all()
    assert "starts where the others are" in found.matches["j3"].reason
    # The exposure without sources moves with the visit.
    assert found.transform[4][0] @ np.array(CENTRES[0]) + found.transform[4][1] - CENTRES[0] == pytest.approx(
        -np.array(OFF), abs=0.1
    )
    assert "no sources" in found.matches["none"].reason


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_wrong_catalogue_gives_no_match(strategy, seed):
    """Exposures are tied to each other all the same."""
    rng = np.random.default_rng(seed)
    stars, mag = field(rng, 1500)
    exposures = [expose(f"j{k}{i}", stars, mag, rng, c, OFF) for k, c in enumerate(CENTRES[:2]) for i in range(2)]
    found = find_stars(exposures, catalogue(field(rng, 800)[0], rng), strategy, FITTING)
    assert not found.matched
    assert (found.row == -1).all()
    assert found.reason
    assert found.component.tolist() == [0, 0, 1, 1]
    # Nothing has moved but to the other of the pair.
    assert max(np.abs(matrix @ np.zeros(2) + shift).max() for matrix, shift in found.transform) < 0.05


def test_a_turned_visit_and_a_turned_exposure():
    """Roll errors of guide stars: 0.05 deg of all, another 0.02 deg of one exposure."""
    rng = np.random.default_rng(4)
    stars, mag = field(rng, 500, 2200)
    exposures = [expose(f"j{i}", stars, mag, rng, (0, 0), OFF, 0.05 + (0.02 if i == 2 else 0.0)) for i in range(4)]
    rows = np.flatnonzero(mag < 20)
    for strategy in ("relative", "2dhist"):
        found = find_stars(exposures, catalogue(stars, rng, rows), strategy, FITTING)
        angles = [np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])) for matrix, _ in found.transform]
        # 100 stars of 0.02 px over 1200 px (rms): 0.0001 deg, and the prior of 0.03 deg takes less from that
        assert angles == pytest.approx([-0.05, -0.05, -0.07, -0.05], abs=5e-4)
        assert false_pairs(exposures, found, rows) == (0, 0)
        assert (found.component == 0).all()


def test_all_together_where_no_body_has_enough():
    """Three catalogue stars in each of four exposures that share nothing: together they are twelve."""
    rng = np.random.default_rng(5)
    stars, mag = field(rng, 1500)
    exposures = [expose(f"j{k}", stars, mag, rng, centre, OFF) for k, centre in enumerate(CENTRES)]
    rows = np.sort(np.concatenate([e.row[rng.permutation(len(e.row))[:3]] for e in exposures]))
    found = find_stars(exposures, catalogue(stars, rng, rows), "relative", FITTING)
    assert worst(exposures, found, stars) < 0.2
    assert (found.row >= 0).sum() == 12
    assert false_pairs(exposures, found, rows) == (0, 0)


@pytest.mark.parametrize("strategy", ["relative", "2dhist"])
def test_an_exposure_with_few_stars_is_tied_to_those_that_are_placed(strategy):
    """Five stars, none in the catalogue, 0.8 px from where the others are: no match over 125 px, and one near by."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        stars, mag = field(rng, 300, 2200)
        exposures = [expose(f"j{i}", stars, mag, rng, (0, 0), OFF, extra=100) for i in range(3)]
        faint = rng.permutation(np.flatnonzero((mag > 21) & (np.abs(stars) < 2000).all(axis=1)))[:5]
        exposures.append(expose("few", stars, mag, rng, (0, 0), np.add(OFF, 0.8), which=faint, extra=60))
        found = find_stars(exposures, catalogue(stars, rng, np.flatnonzero(mag < 20)), strategy, FITTING)
        assert worst(exposures, found, stars) < 0.05
        assert (found.component == 0).all()


def test_sources_that_repeat_without_a_dither_do_not_hold_exposures_together():
    """Two exposures without a dither, one displaced by 3 px: 150 hot pixels repeat at zero, 80 stars 3 px off.

    The link is that of the hot pixels; the catalogue stars of either exposure say that it is wrong.
    """
    for seed in range(5):
        rng = np.random.default_rng(seed)
        stars, mag = field(rng, 90, 2200)
        hot = rng.uniform(-2000, 2000, (150, 2))
        exposures = [expose(f"j{i}", stars, mag, rng, (0, 0), np.add(OFF, 3.0 * i)) for i in range(2)]
        for e in exposures:
            e.start = np.vstack([e.start, hot + rng.normal(0, 0.02, hot.shape)])
            n = len(e.start)
            e.error, e.mag, e.row = np.full(n, 0.02), np.full(n, 20.0), np.r_[e.row, np.full(150, -1)]
        rows = np.flatnonzero(mag < 20)
        found = find_stars(exposures, catalogue(stars, rng, rows), "relative", FITTING)
        assert worst(exposures, found, stars) < 0.05
        assert any("contradict" in note for note in found.notes)
        assert (found.row >= 0).sum() >= len(rows) - 5
        both = np.intersect1d(*(star[e.row >= 0] for star, e in zip(found.star, exposures, strict=True)))
        assert len(both) > 70


@pytest.mark.parametrize("strategy", ["relative", "2dhist"])
def test_a_visit_seen_through_its_wcs(visit, strategy):
    """Distortion, chips, contaminants; 10.6 px off, the third exposure another 5 px."""
    rng = np.random.default_rng(7)
    plane, exposures = place(synthetic(visit, rng))
    rows = PlacedRows.of(plane, *(catalogue_of(visit, rng)[name] for name in ("RA", "DEC", "sigma")))
    found = find_stars(exposures, rows, strategy, FITTING)
    assert (found.component == 0).all()
    shifts = np.array([m @ e.centre + s - e.centre for e, (m, s) in zip(exposures, found.transform, strict=True)])
    assert np.hypot(*(shifts[2] - shifts[0])) == pytest.approx(5.0, abs=0.05)
    # Of 80 rows those are found that lie on the chips: not fewer than three in four, and hardly any contaminant.
    assert 60 <= (found.row >= 0).sum() <= 80
    assert found.matches[GROUP if strategy == "relative" else exposures[2].rootname].expected_false < 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_to_match(strategy):
    rng = np.random.default_rng(8)
    stars, mag = field(rng, 300, 2200)
    nothing = expose("j0", stars, mag, rng, which=[])
    some = expose("j1", stars, mag, rng)
    assert not find_stars([nothing, nothing], catalogue(stars, rng), strategy, FITTING).matched
    assert not find_stars([some], catalogue(stars, rng, []), strategy, FITTING).matched
    alone = find_stars([some], catalogue(stars, rng), strategy, FITTING)
    assert (alone.row[alone.star[0]] >= 0).all()


def test_inputs_are_not_changed_and_the_result_repeats():
    rng = np.random.default_rng(6)
    stars, mag = field(rng, 300, 2200)
    exposures = [expose(f"j{i}", stars, mag, rng, (0, 0), OFF) for i in range(3)]
    exposures[1].correct(np.eye(2), np.array([1e3, 0.0]))  # corrections of an earlier attempt are not looked at
    before = [(e.start.copy(), e.matrix.copy(), e.shift.copy()) for e in exposures]
    one, two = (find_stars(exposures, catalogue(stars, np.random.default_rng(1)), "relative", FITTING) for _ in "ab")
    for e, (start, matrix, shift) in zip(exposures, before, strict=True):
        assert np.array_equal(e.start, start)
        assert np.array_equal(e.matrix, matrix)
        assert np.array_equal(e.shift, shift)
    assert np.array_equal(one.row, two.row)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(one.transform, two.transform, strict=True))
    assert worst(exposures, one, stars) < ERROR
