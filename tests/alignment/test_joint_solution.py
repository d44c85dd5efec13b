"""The joint solution recovers known corrections: with outliers, few stars, displaced exposures, and nothing shared."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.joint_worlds import World, draw
from snakedriz.alignment.joint_errors import Errors
from snakedriz.alignment.joint_layout import Layout, prior_widths
from snakedriz.alignment.joint_solution import solve
from snakedriz.alignment.joint_system import Known, Measured


def away(drawn, found, index, point):
    """How far a point of an exposure ends from the truth, px."""
    row = drawn.layout.rows(index, np.array([point]))[0]
    return row @ (found.unknowns - drawn.truth)


def solved(drawn, **changed):
    given = {"measured": drawn.measured, "known": drawn.known, **changed}
    return solve(drawn.layout, given["measured"], given["known"], drawn.priors, drawn.start)


@pytest.mark.parametrize("n", [4, 5, 8, 10, 12, 15])
def test_an_outlier_among_few_stars_has_no_weight(n):
    """A catalogue star 5 px off among n: a mean would be drawn by 5 px / n, and clip nothing below ten."""
    drawn = draw(World(stars=n, geometry="shift", outliers=0.0), n)
    wrong = drawn.known.uv.copy()
    wrong[0] += [5.0, 0.0]
    found = solved(drawn, known=replace(drawn.known, uv=wrong))
    assert found.good_rows[0] < 0.01 or found.good[0] < 0.01
    # The others have 0.05 px at worst; four of them in quadrature: 0.03 px
    assert np.abs(away(drawn, found, 0, (0.0, 0.0))).max() < 0.1


@pytest.mark.parametrize("geometry", ["shift", "rscale", "general"])
def test_corrections_are_found_with_outliers(geometry):
    drawn = draw(World(stars=300, exposures=3, geometry=geometry), 1)
    found = solved(drawn)
    for index in range(3):
        # distortion of 0.01 px over 64 independent patches: 0.0013 px; with roll at the corner three times that
        assert np.abs(away(drawn, found, index, (0.0, 0.0))).max() < 0.008
        assert np.abs(away(drawn, found, index, (1900.0, 1900.0))).max() < 0.03
    assert found.floor == pytest.approx([0.01] * 3, rel=0.25)


def test_a_displaced_exposure_draws_no_other():
    """3 px off where the prior says 0.1: the tail of the prior lets it go; 200 shared stars bring it back."""
    drawn = draw(World(stars=200, exposures=4, outliers=0.0, in_catalog=30), 2)
    uv = drawn.measured.uv.copy()
    uv[drawn.measured.exposure == 2] += [3.0, 0.0]
    start = list(drawn.start)
    start[2] = (start[2][0], start[2][1] - start[2][0] @ [3.0, 0.0])
    found = solve(drawn.layout, replace(drawn.measured, uv=uv), drawn.known, drawn.priors, start)
    middle = np.zeros(2)
    where = [drawn.layout.correction(found.unknowns, i) for i in range(4)]
    truth = [drawn.layout.correction(drawn.truth, i) for i in range(4)]
    for i in range(4):
        point = middle + ([3.0, 0.0] if i == 2 else [0.0, 0.0])
        off = where[i][0] @ point + where[i][1] - truth[i][1]
        # 30 catalogue stars: distortion 0.01 / sqrt(30) and their own 0.005: 0.003 px, five times that
        assert np.abs(off).max() < 0.015


def test_exposures_that_share_nothing_are_held_by_catalogue_and_prior():
    """Two exposures far apart, one with 40 catalogue stars, one with two: the visit's roll is that of the first."""
    rng = np.random.default_rng(3)
    drawn = draw(World(stars=40, exposures=2, outliers=0.0), 3)
    layout = Layout(np.array([[0.0, 0.0], [20000.0, 0.0]]), np.zeros(2, int), "rscale")
    truth = prior_widths(layout, drawn.priors) * rng.standard_normal(layout.size)
    stars = [rng.uniform(-2000, 2000, (n, 2)) + centre for n, centre in zip((40, 2), layout.centres, strict=True)]
    measured, n = [], 0
    for index, own in enumerate(stars):
        matrix, shift = layout.correction(truth, index)
        uv = np.linalg.solve(matrix, (own - shift).T).T + rng.normal(0, 0.01, own.shape)
        measured.append((np.full(len(own), index), np.arange(n, n + len(own)), uv, np.full(len(own), 0.01)))
        n += len(own)
    every = Measured(*(np.concatenate(part) for part in zip(*measured, strict=True)))
    known = Known(np.arange(n), np.vstack(stars), np.tile(0.005**2 * np.eye(2), (n, 1, 1)))
    found = solve(layout, every, known, drawn.priors, [layout.correction(truth, i) for i in range(2)])
    errors = Errors(found)
    for index in range(2):
        row = layout.rows(index, layout.centres[[index]] + [1500.0, 1500.0])[0]
        off = row @ (found.unknowns - truth)
        _, two = errors.of_exposure(index, layout.centres[index] + [1500.0, 1500.0])
        assert np.abs(off).max() < 1.5 * two
        assert two < 0.2  # the prior of an exposure's own roll is 0.001 deg: 0.04 px at the corner
    assert errors.of_exposure(1, layout.centres[1])[0] > errors.of_exposure(0, layout.centres[0])[0]


def test_without_a_catalogue_the_frame_is_the_priors():
    drawn = draw(World(stars=100, exposures=3, outliers=0.0), 4)
    nothing = Known(np.empty(0, np.intp), np.empty((0, 2)), np.empty((0, 2, 2)))
    found = solved(drawn, known=nothing)
    errors = Errors(found)
    assert errors.of_frame()[0] == pytest.approx(drawn.priors.visit.shift, rel=0.1)
    assert errors.relative(0, [0, 1, 2])[0] < 0.005


def test_the_order_of_the_data_does_not_matter():
    drawn = draw(World(stars=50, exposures=3), 5)
    order = np.random.default_rng(0).permutation(len(drawn.measured.star))
    shuffled = Measured(*(getattr(drawn.measured, name)[order] for name in ("exposure", "star", "uv", "error")))
    assert solved(drawn, measured=shuffled).unknowns == pytest.approx(solved(drawn).unknowns, abs=1e-7)
