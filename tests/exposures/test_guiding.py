"""Which exposures share a guide-star lock."""

import pytest
from snakedriz.exposures.guiding import Guiding, different_lock, donor


def guided(root, start, minutes=8.0, lock="FINE", roll=240.0, detector="WFC", control=""):
    header = {"INSTRUME": "ACS", "DETECTOR": detector, "FGSLOCK": lock, "T_SGSTAR": control, "PA_V3": roll,
              "EXPSTART": 56000.0 + start / 1440.0, "EXPEND": 56000.0 + (start + minutes) / 1440.0}  # fmt: skip
    return Guiding.of(root, header)


FIRST = guided("jdemo1a1q", 0.0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (guided("jdemo1a2q", 10.0), ""),
        (guided("jdemo1a2q", 10.0, roll=240.004), ""),
        (guided("jdemo2a2q", 10.0), "another visit"),
        (guided("jdemo1a2q", 10.0, detector="HRC"), "another detector (ACS/HRC)"),
        (guided("jdemo1a2q", 10.0, lock="GYROS"), "FGSLOCK of jdemo1a2q is GYROS"),
        (guided("jdemo1a2q", 10.0, lock=""), "FGSLOCK of jdemo1a2q is not set"),
        (guided("jdemo1a2q", 10.0, control="P"), "T_SGSTAR of jdemo1a1q is blank, of jdemo1a2q P"),
        (guided("jdemo1a2q", 10.0, roll=240.5), "PA_V3 of jdemo1a1q is 240.0000, of jdemo1a2q 240.5000"),
        (guided("jdemo1a2q", 10.0, roll=None), "PA_V3"),
        (Guiding.of("jdemo1a2q", {"INSTRUME": "ACS", "DETECTOR": "WFC", "FGSLOCK": "FINE", "PA_V3": 240}), "EXPSTART"),
    ],
)
def test_what_tells_two_locks_apart(other, reason):
    found = different_lock(FIRST, other, [FIRST, other])
    assert reason in found
    assert bool(found) == bool(reason)


def test_a_lock_lost_in_between_is_another_lock():
    lost, last = guided("jdemo1a2q", 10.0, lock="COARSE"), guided("jdemo1a3q", 20.0)
    assert "fine lock was lost between them (jdemo1a2q)" in different_lock(FIRST, last, [FIRST, lost, last])


def test_the_nearest_in_time_on_the_same_lock_gives_its_solution():
    heir = guided("jdemo1a4q", 30.0)
    solved = [FIRST, guided("jdemo1a2q", 10.0), guided("jdemo1a3q", 20.0, roll=250.0)]
    name, why = donor(heir, solved, [*solved, heir])
    assert name == "jdemo1a2q"
    assert "FGSLOCK FINE" in why
    assert "12 min apart" in why
    name, why = donor(heir, solved[2:], [*solved, heir])
    assert name is None
    assert "PA_V3" in why
