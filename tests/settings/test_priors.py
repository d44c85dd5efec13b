"""Widths of what is known before a star is measured."""

import copy

import pytest
from snakedriz.errors import SnakedrizError
from snakedriz.settings import detector_settings, load_detectors
from snakedriz.settings.priors import Priors, Width, priors_at

DETECTORS = load_detectors()
NAMES = sorted(set(DETECTORS) - {"default"})


def numbers(name="ACS/WFC"):
    return detector_settings(DETECTORS, *name.split("/"))


@pytest.mark.parametrize("name", NAMES)
def test_every_detector_at_every_time(name):
    """The levels nest: what a visit may be off is more than a lock, and a lock more than an exposure."""
    found = [priors_at(numbers(name), epoch) for epoch in (1993.9, 2003.0, 2006.3, 2010.0, 2017.9, 2026.0)]
    for one in found:
        assert one.visit.shift_mas > one.lock.shift_mas > one.exposure.shift_mas
        assert one.visit.roll_deg > one.lock.roll_deg > one.exposure.roll_deg
        assert one.visit.scale >= one.lock.scale >= one.exposure.scale
        assert one.one_guide_star.shift_mas > one.exposure.shift_mas
        # 0.02 deg of roll, which visits do have, is within two sigma; a width of a degree would be no knowledge
        assert 0.01 <= one.visit.roll_deg < 0.1
        # with an error of 0.001 to 0.2 px beside photon noise, all that has been published of HST
        assert one.floor_px / one.floor_factor > 0.001 and one.floor_px * one.floor_factor < 0.2
        assert 0.005 <= one.distortion_rms_px <= 0.1
    shifts = [one.visit.shift_mas for one in found]
    assert shifts == sorted(shifts, reverse=True)  # each guide-star catalogue is better than the one before


def test_the_era_of_the_guide_stars_decides():
    first, before, after = (priors_at(numbers(), epoch) for epoch in (1990.5, 2006.199, 2006.2))
    assert first.visit == before.visit == Width(1000, 0.01, 5e-5)
    assert after.visit == Width(300, 0.01, 5e-5)
    assert priors_at(numbers(), 2020.0).visit.shift_mas == 200
    assert (first.lock, first.exposure, first.floor_px) == (after.lock, after.exposure, after.floor_px)
    assert isinstance(first, Priors)


def test_a_detector_says_its_own_numbers():
    wfpc2 = priors_at(numbers("WFPC2/PC"), 1997.0)
    assert (wfpc2.distortion_rms_px, wfpc2.floor_px) == (0.03, 0.02)
    assert wfpc2.lock == priors_at(numbers(), 1997.0).lock


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("lock", "shift"), 3, r"lock: unknown key `shift`, did you mean `shift_mas`\?"),
        (("lock", "roll_deg"), None, r"lock\.roll_deg: expected a number, found nothing: None"),
        (("lock", "roll_deg"), 0, r"lock\.roll_deg: found the number 0; expected a number above 0"),
        (("visit", "gsc2", "until"), 2001.0, "`until` must rise"),
        (("visit", "gaia", "until"), 2030.0, "null for the last alone"),
        (("floor_factor",), 0.5, r"floor_factor: found the number 0\.5; expected a number from 1"),
    ],
)
def test_wrong_numbers_are_refused(path, value, message):
    wrong = copy.deepcopy(numbers())
    place = wrong["priors"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(SnakedrizError, match=message):
        priors_at(wrong, 2010.0)


def test_a_missing_number_is_refused():
    wrong = copy.deepcopy(numbers())
    del wrong["priors"]["skew"]
    with pytest.raises(SnakedrizError, match="the key skew must be given"):
        priors_at(wrong, 2010.0)
    with pytest.raises(SnakedrizError, match=r"detectors\.yaml, priors"):
        priors_at({}, 2010.0)
    with pytest.raises(SnakedrizError, match="Julian year"):
        priors_at(numbers(), float("nan"))


def test_a_number_that_is_no_prior_is_refused_when_the_file_is_read(tmp_path):
    (tmp_path / "d.yaml").write_text("default: {priors: {skew: 1}}\nACS/WFC: {priors: {skw: 1}}\n")
    with pytest.raises(SnakedrizError, match=r"ACS/WFC: priors\.skw: there is no such number"):
        load_detectors(tmp_path / "d.yaml")
