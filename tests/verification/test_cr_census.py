"""Counts of flagged pixels against the others, the exposure time and the default candidate."""

import pytest
from helpers.drizzled import Scene, numbers, read
from snakedriz.verification import cr_census

SETTINGS = numbers()


def test_rates_are_those_of_the_flags(tmp_path):
    frames = read(Scene(exptimes=(500.0, 500.0, 250.0), stars=0, flags="true"), tmp_path)
    rows = cr_census.measure(frames, SETTINGS)
    for row, single in zip(rows, frames.singles, strict=True):
        assert row.flagged == single.flagged / single.pixels
        assert row.per_second == pytest.approx(row.flagged / single.exptime)
        assert row.expected == pytest.approx(SETTINGS["cr_rate"] * single.exptime)
        # 2e-6 hits per pixel and second of 1 to 6 px each, 1,000 times the pixels of one hit: 1 per cent of scatter
        assert row.ratio_to_others == pytest.approx(1.0, abs=0.25)
        assert row.ratio_to_default is None
    assert all(check.passed for check in cr_census.checks(rows, SETTINGS))
    assert all(check.policy == [] for check in cr_census.checks(rows, SETTINGS))


def test_eaten_stars_stand_out_from_the_others_the_time_and_the_default(tmp_path):
    good = read(Scene(stars=300, rays=1e-6), tmp_path)
    default = cr_census.measure(good, SETTINGS)
    bad = read(Scene(stars=300, rays=1e-6, displaced={2: (5.0, 0.0)}), tmp_path)
    rows = cr_census.measure(bad, SETTINGS, default)
    assert rows[2].ratio_to_others > 2
    assert rows[2].ratio_to_default > 2
    assert rows[0].ratio_to_default < 1.5
    first, second = cr_census.checks(rows, SETTINGS)
    assert (first.name, first.passed) == ("cr_census", False)
    assert "jtest03q" in first.note
    assert second.name == "cr_expected"


def test_one_exposure_has_only_its_time(tmp_path):
    frames = read(Scene(exptimes=(500.0,), flags="true"), tmp_path)
    first, second = cr_census.checks(cr_census.measure(frames, SETTINGS), SETTINGS)
    assert first.passed is None
    assert second.passed is True
