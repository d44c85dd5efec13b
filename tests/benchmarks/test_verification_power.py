"""The injection study's own parts: intervals, seeds, scenes through the drizzle kernel, bookkeeping."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from helpers.drizzled import Scene, _expose, _nebula, _Placing, _sky, _star, write
from scipy.stats import binom
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import Verification

from benchmarks import power_cases, power_real, power_report, power_verdicts, verification_power


def _moments(image):
    """Centroid (x, y) and variance (x, y) of a star on nothing, px and px2."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    centre = np.array([(image * x).sum(), (image * y).sum()]) / image.sum()
    variance = np.array([(image * (x - centre[0]) ** 2).sum(), (image * (y - centre[1]) ** 2).sum()]) / image.sum()
    return centre, variance


def test_interval_has_the_published_values():
    # Closed forms at the ends: 1 - (0.025)^(1/n); 50 of 100 from tables of Clopper and Pearson's limits
    assert power_report.interval(0, 100) == pytest.approx((0.0, 1 - 0.025**0.01))
    assert power_report.interval(100, 100) == pytest.approx((0.025**0.01, 1.0))
    assert power_report.interval(50, 100) == pytest.approx((0.3983, 0.6017), abs=1e-4)
    with pytest.raises(ValueError, match="3 of 2"):
        power_report.interval(3, 2)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.99])
def test_interval_covers_as_often_as_it_says(p):
    """Summed over all outcomes of 60 trials, exactly."""
    limits = np.array([power_report.interval(k, 60) for k in range(61)])
    covered = binom.pmf(np.arange(61), 60, p)[(limits[:, 0] <= p) & (p <= limits[:, 1])].sum()
    assert 0.95 <= covered < 1.0


def test_a_trial_depends_on_its_name_only():
    wanted = ("medium-4", "shift", 0.2, 7, "small")
    first = power_cases.make(*wanted)
    np.random.default_rng(0).normal(size=10)
    power_cases.make("ir-2", "rotation", 0.05, 3, "small")
    again = power_cases.make(*wanted)
    assert (first.scene, first.exposure, first.edge) == (again.scene, again.exposure, again.edge)
    seeds = {
        power_cases.make(case, kind, amount, trial, "small").scene.seed
        for case in ("medium-4", "medium-3")
        for kind, amount in (("shift", 0.0), ("shift", 0.2), ("rotation", 0.002), ("rotation", 0.05))
        for trial in range(5)
    }
    assert len(seeds) == 2 * 4 * 5


@pytest.mark.parametrize("case", power_cases.CASES)
def test_one_exposure_is_displaced_and_all_jitter(case):
    low, high = power_cases.JITTER
    made = power_cases.make(case, "shift", 5.0, 1, "small")
    scene, chip = made.scene, power_cases.CASES[case].chip
    lengths = [np.hypot(*scene.displaced[i]) for i in range(len(scene.exptimes))]
    moved = lengths.pop(made.exposure)
    assert all(low <= length <= high for length in lengths)
    if chip:
        assert low <= moved <= high
        assert np.hypot(*scene.chip_displaced[made.exposure]) == pytest.approx(5.0)
    else:
        assert abs(moved - 5.0) <= high
        # The jitter of the exposure and of the median of the others
        assert np.hypot(*made.error) == pytest.approx(5.0, abs=2 * np.sqrt(2) * high)
    still = power_cases.make(case, "shift", 0.0, 1, "small").scene
    assert max(np.hypot(*shift) for shift in still.displaced.values()) <= high


def test_rotation_is_quoted_at_the_corner():
    made = power_cases.make("medium-4", "rotation", 0.05, 0, "small")
    # 0.05 deg at 283 px from the middle
    assert made.edge == pytest.approx(np.radians(0.05) * np.hypot(200, 200))
    assert [abs(angle) for angle in made.scene.rotation_deg.values()] == [0.05]
    assert max(np.hypot(*shift) for shift in made.scene.displaced.values()) <= power_cases.JITTER[1]


def test_drizzle_kernel_keeps_light_and_place_and_widens_by_the_phase():
    """A pixel shared between two in parts f and 1 - f adds a variance of f (1 - f) px2."""
    placing = _Placing(np.array([20.0, 20.0]), np.ones(2), np.array([0.3, -0.2]))
    detector = np.zeros((40, 40))
    _star(detector, placing.detector(np.array(19.3), 0), placing.detector(np.array(22.1), 1), 1000.0)
    single = placing.drizzle(detector)
    before, after = _moments(detector), _moments(single)
    assert single.sum() == pytest.approx(1000.0, rel=1e-6)
    assert after[0] == pytest.approx([19.3, 22.1], abs=1e-6)
    assert after[1] - before[1] == pytest.approx([0.3 * 0.7, 0.2 * 0.8], abs=1e-6)


def test_blot_undoes_the_placing():
    placing = _Placing(np.array([50.0, 50.0]), np.array([1.02, 0.99]), np.array([0.4, 0.1]))
    y, x = np.mgrid[:100, :100].astype(float)
    found = placing.blot(0.5 * x - 2 * y)
    # A plane; what the spline makes of the edges dies away by 0.27 a pixel: 2e-6 of a pixel's step after 10
    expected = 0.5 * placing.grid(x, 0) - 2 * placing.grid(y, 1)
    np.testing.assert_allclose(found[10:-10, 10:-10], expected[10:-10, 10:-10], atol=1e-5)


def test_phases_move_no_star():
    """Stars of exposures with different phases and sampling lie where those of the others do."""
    quiet = {"rays": 0.0, "sky": 0.0, "read_noise": 0.0, "jitter": 0.0, "stars": 1, "brightest": 3e7, "faintest": 2e7}
    for seed in range(8):
        scene = Scene(shape=(60, 60), seed=seed, phases=True, stretch=(0.02, -0.01), **quiet)
        found = [_moments(e.placing.drizzle(e.rate)) for e in _expose(scene)]
        centres = np.array([centre for centre, _ in found])
        if not np.all((centres > 12) & (centres < 48)):
            continue
        # The kernel takes a pixel that lies within one of the grid's to be in its middle, and pixels differ by 0.02 px:
        # each exposure is off by at most half of that. (2e7 photons fix a centroid to 2e-4 px.)
        assert np.ptp(centres, axis=0).max() < 0.02
        assert np.ptp([variance for _, variance in found], axis=0).max() > 0.02


def test_two_chips_with_a_gap(tmp_path):
    """The gap has no data, moves with the dither, and no star is in it; both sides have some."""
    _, singles = write(Scene(gap=20, dither=6.0, shape=(200, 200), phases=True, stretch=(0.02, 0.01)), tmp_path)
    with fits.open(singles) as bundle:
        for index in range(4):
            covered = bundle["MASK", index + 1].data & 1 > 0
            empty = np.flatnonzero(~covered.any(axis=1))
            inner = empty[(empty > 40) & (empty < 160)]
            assert list(inner) == list(range(90 + 6 * index, 110 + 6 * index))
            assert not bundle["SCI", index + 1].data[inner].any()
            assert covered[60].any()
            assert covered[140].any()


def test_one_chip_is_displaced_and_the_other_is_not():
    quiet = {"rays": 0.0, "sky": 0.0, "read_noise": 0.0, "jitter": 0.0, "stars": 1, "brightest": 3e7, "faintest": 2e7}
    sides = set()
    for seed in range(12):
        scene = Scene(shape=(80, 80), gap=4, seed=seed, chip_displaced={1: (0.0, 3.0)}, **quiet)
        exposures = _expose(scene)
        (x0, y0), (x1, y1) = (_moments(e.rate)[0] for e in exposures[:2])
        if not 12 < x0 < 68 or min(abs(y0 - edge) for edge in (0, 40, 80)) < 12:
            continue
        upper = bool(y0 > 40)
        sides.add(upper)
        assert (x1 - x0, y1 - y0) == pytest.approx((0.0, 3.0 if upper else 0.0), abs=0.01)
    assert sides == {True, False}


def test_nebula_is_displaced_as_a_whole_and_has_its_power_spectrum():
    scene = Scene(shape=(256, 256), stars=0, nebula=1.0, nebula_contrast=0.1)
    nebula, placing = _nebula(scene), _Placing(np.array([128.0, 128.0]), np.ones(2), np.zeros(2))
    here, there = (
        _sky(scene, np.empty((0, 4)), nebula, np.array(shift), 0.0, 1.0, placing) for shift in ((0.0, 0.0), (3.0, -2.0))
    )
    np.testing.assert_allclose(there[:-2, 3:], here[2:, :-3], atol=1e-9)
    window = np.hanning(256)[:, None] * np.hanning(256)
    power = np.abs(np.fft.fft2((here - here.mean()) * window)) ** 2
    k = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    use = (k > 0.02) & (k < 0.08)  # between the window and the PSF
    slope = np.polyfit(np.log(k[use]), np.log(power[use]), 1)[0]
    assert slope == pytest.approx(-3.0, abs=0.35)


def test_breathing_changes_the_widths():
    quiet = {"rays": 0.0, "sky": 0.0, "read_noise": 0.0, "jitter": 0.0, "stars": 1, "brightest": 3e7, "faintest": 2e7}
    scene = Scene(shape=(80, 80), seed=4, breathing=0.05, exptimes=(500.0,) * 8, **quiet)
    widths = np.sqrt([_moments(e.rate)[1].mean() - 1 / 12 for e in _expose(scene)]) / scene.psf_sigma
    # Eight draws of 5 per cent: the standard deviation is that within a factor of two (99 %)
    assert 0.025 < widths.std(ddof=1) < 0.1
    assert np.std([_moments(e.rate)[1] for e in _expose(Scene(**{**scene.__dict__, "breathing": 0.0}))]) < 1e-2


def _metrics(measured, registration, focus, similarity):
    checks = {"registration": registration, "focus": focus, "similarity": similarity}
    policies = {"registration": ["measured"], "focus": ["documented"], "similarity": ["documented"]}
    rest = {"value": None, "limit": None, "unit": "", "note": ""}
    return Verification(
        candidate="default", outcome="ok", reason="", wcsname="", flags_trusted=False,
        verified={"measured": measured, "documented": False, "drizzlepac": False},
        checks=[Check(name=n, passed=p, policy=policies[n], **rest) for n, p in checks.items()],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "measured", "documented"),
    [
        (_metrics(True, True, True, True), "passed", "passed"),
        (_metrics(False, False, True, True), "failed", "passed"),
        (_metrics(False, None, None, True), "unmeasurable", "unmeasurable"),
        (_metrics(True, True, None, False), "passed", "failed"),
    ],
)
def test_verdicts_have_three_outcomes(found, measured, documented):
    assert power_verdicts.ours(found) == {"measured": measured, "documented": documented}


def _row(trial, state, amount="0.0"):
    return {
        "code": "c", "frames": "small", "case": "medium-4", "kind": "shift", "amount": amount, "trial": str(trial),
        "edge": "0.0", **dict.fromkeys(power_verdicts.VERDICTS, "passed"), "measured": state,
    }  # fmt: skip


def test_whatever_is_not_verified_counts_as_caught():
    states = ["failed", "unmeasurable", "passed", "passed"]
    table = power_report.summary([_row(i, state) for i, state in enumerate(states)])
    measured = table[table["verdict"] == "measured"][0]
    assert tuple(measured[["caught", "failed", "unmeasurable", "stopped", "trials"]]) == (2, 1, 1, 0, 4)
    assert set(table["caught"][table["verdict"] != "measured"]) == {0}
    text = power_report.markdown(table, list(power_cases.CASES))
    assert "| medium-4 | 4 | 50 (7-93) %: 1 failed, 1 unmeasurable |" in text


def test_an_interrupted_study_resumes(tmp_path, monkeypatch):
    path = tmp_path / "trials.csv"
    fields = list(verification_power.FIELDS)
    lines = [{**dict.fromkeys(fields, ""), **_row(i, "passed")} for i in range(3)]
    lines[1]["code"] = "other"
    text = ",".join(fields) + "\n" + "\n".join(",".join(line[f] for f in fields) for line in lines) + "\nc,small,med"
    path.write_text(text)
    rows = verification_power.read_rows(path, "c", "small")
    assert [verification_power.key(row)[-1] for row in rows] == [0, 2]
    assert verification_power.read_rows(path, "c", "wfc") == []

    class Pool:
        def __init__(self, jobs): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def imap_unordered(self, function, wanted):
            return ({k: v for k, v in _row(task[-1], "failed").items() if k != "code"} for task in wanted)

    monkeypatch.setattr(verification_power.multiprocessing, "get_context", lambda name: type("C", (), {"Pool": Pool}))
    verification_power.run([("small", "medium-4", "shift", 0.0, 1)], path, "c", 1)
    rows = verification_power.read_rows(path, "c", "small")
    assert [(row["trial"], row["measured"]) for row in rows] == [("0", "passed"), ("2", "passed"), ("1", "failed")]


def test_arguments():
    assert verification_power.arguments(["--work", "x"]).trials == 100
    assert verification_power.arguments(["--work", "x", "--quick"]).trials == 10
    assert verification_power.arguments(["--work", "x", "--real", "3"]).trials == 0
    options = verification_power.arguments(
        ["--work", "x", "--trials", "2", "--cases", "ir-2", "--amounts", "0", "0.05", "--real", "1"]
    )
    assert list(verification_power.tasks(options)) == [
        ("small", "ir-2", kind, amount, trial)
        for trial in range(2)
        for kind, amount in (("shift", 0.0), ("shift", 0.05), ("rotation", 0.05))
    ] + [("small", "astrodrizzle-4", "shift", amount, 0) for amount in power_real.AMOUNTS]


def test_real_visits_are_displaced_by_what_is_asked_for():
    for amount in power_real.AMOUNTS:
        visit, index, errors = power_real.visit(amount, 0)
        assert (visit, index) == power_real.visit(amount, 0)[:2]
        lengths = np.hypot(*errors.T) / power_real.PIXEL
        assert abs(lengths[index] - amount) <= power_cases.JITTER[1]
        assert np.delete(lengths, index).max() <= power_cases.JITTER[1]
        np.testing.assert_allclose([visit.exposure_errors[i] for i in range(4)], errors)


def test_a_trial_from_end_to_end():
    """5 px in an undersampled pair: measured, and not verified; drizzlepac has a verdict on it."""
    row = verification_power.trial(("small", "ir-2", "shift", 5.0, 0))
    assert set(row) == set(verification_power.FIELDS) - {"code"}
    assert row["measured"] == "failed"
    assert row["method"] == "sources"
    # 50 stars of 0.1 px or better
    assert np.hypot(row["off_x"], row["off_y"]) < 0.1
    assert row["drizzlepac"] in ("passed", "failed")
