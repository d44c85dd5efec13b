"""The power study's own parts: intervals, seeds, frames through the drizzle kernel, bookkeeping."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from itertools import islice

import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import binom
from snakedriz.artefacts.common import Check
from snakedriz.artefacts.verification import Verification

from benchmarks import power_cases, power_frames, power_report, power_trials, verification_power
from benchmarks.power_detectors import HRC, WFC, Detector
from benchmarks.power_fields import Field, Sources
from benchmarks.power_frames import Placed, Visit
from benchmarks.power_trials import Row, Task

#: A detector without any vice, with as many pixels on the frame as there are.
PLAIN = replace(
    HRC, chip=(80, 90), factor=(1.0, 1.0), hot=0.0, warm=0.0, columns=0.0, rays=0.0, cte=0.0, spikes=0.0, psf_field=0.0,
    breathing=0.0, coma=0.0,
)  # fmt: skip
NO_STARS = Sources(np.empty((0, 3)), np.empty((0, 6)))


def visit(
    detector: Detector = PLAIN, exposures: int = 2, shape: tuple[int, int] = (88, 98), **changes: object
) -> Visit:
    """Exposures of one place with nothing wrong, of one origin."""
    placed = tuple(Placed(500.0, (4.0, 4.0)) for _ in range(exposures))
    made = Visit(detector, Field((0, 0)), shape, ((0.0, 0.0, 90.0, 80.0),), placed, 3)
    return replace(made, **changes)  # type: ignore[arg-type]


def centre(image: np.ndarray) -> np.ndarray:
    """Centroid (x, y) of a star on nothing, px."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(image * x).sum(), (image * y).sum()]) / image.sum()


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
    first = power_cases.make("hrc-medium-dither", "shift", 0.2, 7)
    np.random.default_rng(0).normal(size=10)
    power_cases.make("ir-medium-pair", "rotation", 0.05, 3)
    assert first == power_cases.make("hrc-medium-dither", "shift", 0.2, 7)
    seeds = {
        power_cases.make(case, kind, amount, power_trials.SEEDS[seeds] + trial).visit.seed
        for case in ("hrc-medium-dither", "hrc-medium-pair")
        for kind, amount in (("none", 0.0), ("shift", 0.2), ("rotation", 0.005))
        for trial in range(5)
        for seeds in power_trials.SEEDS
    }
    assert len(seeds) == 2 * 3 * 5 * 2


@pytest.mark.parametrize("name", power_cases.CASES)
def test_what_is_wrong_is_what_was_asked_for(name):
    """Jitter is 1.15 mas per axis: five sigma of two axes are 8 mas."""
    case = power_cases.CASES[name]
    jitter = 8.0 / (1000 * case.camera.scale)
    for kind, amount in case.defects():
        made = power_cases.make(name, kind, amount, 1)
        exposures = made.visit.exposures
        length = np.array([np.hypot(*placed.shift) for placed in exposures])
        wrong = np.zeros(len(exposures), bool)
        wrong[list(made.wrong)] = True
        assert wrong.any() == (kind not in power_cases.GOOD)
        if kind in ("shift", "visit"):
            assert np.abs(length[wrong] - amount).max() < jitter
            assert wrong.sum() == (1 if kind == "shift" else len(exposures) // 2)
        if kind != "reacquired":
            assert length[~wrong].max() < jitter
        turned = np.array([abs(placed.turn) for placed in exposures]) > 0.0028  # jitter: 0.0006
        assert list(turned) == (list(wrong) if kind == "rotation" else [False] * len(exposures))
        assert max(np.hypot(*placed.upper) for placed in exposures) == pytest.approx(amount if kind == "chip" else 0.0)


def test_exposures_without_a_dither_lie_on_each_other_unless_the_telescope_drifted():
    def apart(kind: power_cases.Defect, amount: float) -> float:
        first, second = power_cases.make("ir-medium-split", kind, amount, 2).visit.exposures
        return float(np.hypot(*np.subtract(first.origin, second.origin)))

    assert apart("none", 0.0) == 0.0
    assert apart("shift", 3.0) == 0.0
    assert apart("drift", 3.0) == pytest.approx(3.0)


def test_a_mosaic_is_of_disjoint_pairs(tmp_path):
    made = power_cases.make("hrc-medium-mosaic", "none", 0.0, 0).visit
    small = replace(made.detector, chip=(60, 70))
    origins = [(4.0, 4.0 + 80.0 * (i // 2)) for i in range(8)]
    placed = tuple(Placed(500.0, origin) for origin in origins)
    _, singles = power_frames.write(replace(made, detector=small, shape=(320, 90), exposures=placed), tmp_path)
    with fits.open(singles) as bundle:
        covered = np.array([(bundle["MASK", i + 1].data & 1 > 0).ravel() for i in range(8)], dtype=int)
    overlap = covered @ covered.T
    assert {tuple(np.flatnonzero(row)) for row in overlap} == {(0, 1), (2, 3), (4, 5), (6, 7)}


def test_the_kernel_keeps_light_and_place_whatever_the_phase():
    """A star of 1e6 electrons on noise-free pixels; the kernel is right to 0.01 px where pixels differ by 1 per cent.

    It takes a pixel that lies within one of the frame's to be in its middle.
    """
    star = Sources(np.array([[47.3, 41.7, 2e3]]), np.empty((0, 6)))
    for origin, factor in (((4.3, 3.8), (1.0, 1.0)), ((4.0, 4.49), (1.01, 0.99))):
        made = visit(replace(PLAIN, factor=factor), exposures=1)
        made = replace(made, exposures=(Placed(500.0, origin),))
        image = power_frames._signal(made, 0, star) / 500.0
        grid = power_frames.grid_of(made, 0)
        found = centre(grid.drizzle(image)) + np.array([grid.window[1].start, grid.window[0].start])
        # The distortion that is left has an amplitude of two times 0.01 px.
        assert found == pytest.approx([47.3, 41.7], abs=0.035)
        # Rates are per pixel: those of the frame are as many times larger as their pixels.
        assert grid.drizzle(image).sum() == pytest.approx(2e3 / np.prod(factor), rel=2e-3)


def test_stars_lie_off_by_the_shift_the_turn_and_that_of_their_chip():
    camera = replace(PLAIN, chips=2, chip=(40, 90), gap=8)
    wrong = Placed(500.0, (4.0, 4.0), (1.0, -2.0), 1.0, (0.5, 0.25))
    made = replace(visit(camera), exposures=(Placed(500.0, (4.0, 4.0)), wrong))
    places = np.array([[20.0, 20.0], [80.0, 75.0]])
    off = power_frames.on_detector(made, 1, places) - power_frames.on_detector(made, 0, places)
    u, v = (places - [4 + 45, 4 + 44]).T
    turn = np.radians(1.0)
    expected = np.column_stack([1.0 - turn * v, -2.0 + turn * u])
    expected[1] += (0.5, 0.25)
    # cos(1 deg) - 1 is 1.5e-4, on 55 px 0.008
    np.testing.assert_allclose(off, expected, atol=0.01)


def test_two_exposures_have_the_hot_pixels_in_common_and_nothing_else():
    made = visit(replace(PLAIN, hot=0.02, new=0.5, warm=0.01))
    dark = power_frames._dark(made)
    first, second = (power_frames.expose(made, i, NO_STARS, dark) for i in range(2))
    assert np.array_equal(first.fixed, second.fixed)
    assert first.fixed.sum() == pytest.approx(0.5 * 0.02 * 7200 + 0.01 * 7200, abs=30)
    new = np.zeros(7200, bool)
    new[dark.at[~dark.flagged]] = True
    hot = new.reshape(first.rate.shape)
    # At least 0.14 e-/s of 500 s on a noise of 7 e-: ten sigma.
    assert (first.rate[hot] > 0.08).all()
    rest = ~hot & ~first.fixed
    # 7,000 pairs of independent noise: the correlation's standard error is 0.012.
    assert abs(np.corrcoef(first.rate[rest], second.rate[rest])[0, 1]) < 0.06


def test_cosmic_rays_are_flagged_and_stars_are_not():
    made = visit(replace(PLAIN, rays=1.2), exposures=4, shape=(88, 98))
    stars = Sources(np.array([[30.0, 30.0, 100.0], [60.0, 50.0, 20.0]]), np.empty((0, 6)))
    dark = power_frames._dark(made)
    exposed = [power_frames.expose(made, i, stars, dark) for i in range(4)]
    grids = [power_frames.grid_of(made, i) for i in range(4)]
    covered = [np.asarray(grid.under(one.good), bool) for grid, one in zip(grids, exposed, strict=True)]
    images = [grid.drizzle(one.rate) for grid, one in zip(grids, exposed, strict=True)]
    combined = power_frames.combine(made, images, covered, grids)
    clean = [power_frames.expose(replace(made, detector=PLAIN), i, stars, dark) for i in range(4)]
    for index in range(4):
        flagged = np.zeros(exposed[index].rate.shape, bool)
        flagged[power_frames.flags_of(made, index, exposed[index], grids[index], combined)] = True
        ray = exposed[index].rate - clean[index].rate > 0.3  # 150 e-: twenty sigma of the noise
        near = np.hypot(*(np.indices(ray.shape) - np.array([26, 26])[:, None, None])) < 3
        assert ray.sum() > 30
        assert flagged[ray].mean() > 0.9
        assert not flagged[near & ~ray].any()


@pytest.mark.parametrize("displaced", [False, True])
def test_displaced_stars_are_flagged(displaced):
    """Where one exposure lacks a star, minmed takes that one's sky for the truth: the star is flagged in all."""
    stars = Sources(np.array([[30.0, 30.0, 100.0], [60.0, 50.0, 100.0]]), np.empty((0, 6)))
    made = visit(exposures=4)
    made = replace(made, exposures=(*made.exposures[:3], Placed(500.0, (4.0, 4.0), (3.0 * displaced, 0.0))))
    dark = power_frames._dark(made)
    exposed = [power_frames.expose(made, i, stars, dark) for i in range(4)]
    grids = [power_frames.grid_of(made, i) for i in range(4)]
    images = [grid.drizzle(one.rate) for grid, one in zip(grids, exposed, strict=True)]
    covered = [np.ones(image.shape, bool) for image in images]
    combined = power_frames.combine(made, images, covered, grids)
    numbers = [len(power_frames.flags_of(made, i, exposed[i], grids[i], combined)[0]) for i in range(4)]
    # Twenty pixels of each star are far above the noise; 7,200 pixels of noise have a few beyond 3.5 sigma.
    assert min(numbers) > 20 if displaced else max(numbers) < 15


def test_the_bundle_is_laid_out_as_the_drizzle_stage_does(tmp_path):
    camera = replace(PLAIN, chips=2, chip=(40, 90), gap=8, columns=0.03)
    product, singles = power_frames.write(visit(camera), tmp_path, NO_STARS)
    with fits.open(singles) as bundle, fits.open(product) as drizzled:
        names = ["SCI", "MASK", "DETECTOR"] if power_frames.NODES else ["SCI", "MASK"]
        assert [h.name for h in bundle[1:]] == names * 2
        if power_frames.NODES:
            # Two chips; the upper one's last pixel, on a grid as fine as the detector, four px from the corner
            nodes = bundle["DETECTOR", 2].data
            assert nodes.shape == (2, 2, power_frames.NODES, power_frames.NODES)
            assert nodes[1, :, -1, -1] == pytest.approx([4 + 89, 4 + 87])
            assert (bundle["DETECTOR", 2].header["CHIP1"], bundle["DETECTOR", 2].header["CHIP2"]) == (1, 2)
        header, mask = bundle["SCI", 2].header, bundle["MASK", 2].data
        assert (header["ROOTNAME"], header["EXPTIME"], header["BUNIT"]) == ("jtest02q", 500.0, "ELECTRONS/S")
        assert set(np.unique(mask[10:40, 10:90] >> 2 & 31)) == {1}
        assert set(np.unique(mask[56:90, 10:90] >> 2 & 31)) == {2}
        assert not (mask[45:51] & 1).any()
        assert not bundle["SCI", 2].data[45:51].any()
        assert not (mask[:3] & 1).any()
        assert np.isnan(drizzled["SCI"].data[drizzled["WHT"].data == 0]).all()
        # Two exposures of 500 s, where nothing was flagged
        assert np.median(drizzled["WHT"].data[10:40, 10:80]) == pytest.approx(1000.0)


def test_common_stars_are_those_seen_twice():
    made = visit()
    made = replace(made, exposures=(made.exposures[0], Placed(500.0, (40.0, 4.0))))
    stars = Sources(np.array([[30.0, 40, 1e2], [70, 40, 1e2], [72, 60, 1e-2], [70, 20, 1e6]]), np.empty((0, 6)))
    # The second exposure begins right of the first star; the third is too faint and the fourth saturated.
    assert power_frames.common_stars(made, stars) == 1


def found(measured: bool, *passed: bool | None, note: str = "") -> Verification:
    """A verification with such checks."""
    checks = [
        Check(name="registration", value=None, limit=None, unit="", passed=p, policy=["measured"], note=note)
        for p in passed
    ]
    verified = {"measured": measured, "documented": False, "drizzlepac": False}
    return Verification(
        candidate="default", outcome="ok", reason="", wcsname="", flags_trusted=False, verified=verified, checks=checks
    )


def test_a_visit_is_verified_refused_or_unmeasured():
    assert power_trials.state_of(found(True, True)) == "verified"
    assert power_trials.state_of(found(False, True, False)) == "refused"
    assert power_trials.state_of(found(False, None)) == "unmeasured"


def row(trial: int = 0, state: str = "refused", **changes: object) -> Row:
    made = Row(
        "c", "hrc-medium-dither", "shift", 0.4, trial, state, False, True, 80, (0.01, 0.0, 0.01, 0.01), (1.0, 2.0)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_tables_count_what_was_noticed_and_what_was_not_measured():
    rows = [row(0), row(1), row(2, "verified"), row(3, "unmeasured"), row(4, "verified", common=5)]
    rows += [row(i, "verified", kind="none", amount=0.0) for i in range(3)]
    rows.append(row(3, kind="none", amount=0.0))
    text = power_report.markdown(rows, "c", "report")
    low, high = (f"{100 * v:.0f}" for v in power_report.interval(2, 4))
    line = next(line for line in text.splitlines() if line.startswith("| ACS/HRC "))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[1:5] == ["1/4 (1–81 %)", "open", "0/4 (0–60 %)", "0.4 px"]
    assert cells[5:] == [f"2/4 ({low}–{high} %)", "no", "1/4 (1–81 %)", "1/4 (1–81 %)"]
    shifts = next(line for line in text.splitlines() if line.startswith("| hrc-medium-dither") and "2/5" in line)
    assert "1 unmeasured" in shifts
    assert "not done" in text
    assert power_report.NOT_DONE in next(line for line in text.splitlines() if line.startswith("| WFC3/IR "))


def test_a_goal_is_met_where_the_whole_interval_is_beyond_it():
    rows = [row(i) for i in range(400)]
    assert power_report._met(rows, lambda r: r.noticed, 0.99, True) == "yes"
    assert power_report._met(rows[:100], lambda r: r.noticed, 0.99, True) == "open"
    assert power_report._met(rows, lambda r: r.noticed, 0.01, False) == "no"


def test_trials_are_appended_and_read_back_and_a_cut_line_is_left_out(tmp_path):
    path = tmp_path / "trials.jsonl"
    assert power_trials.read(path) == []
    power_trials.append(path, row(0))
    with path.open("a") as file:
        file.write(json.dumps(asdict(row(1)))[:40])
    power_trials.append(path, row(2))
    assert power_trials.read(path) == [row(0), row(2)]


def test_every_case_is_tried_early_and_no_trial_twice():
    names = ["hrc-medium-dither", "wfc-medium-dither"]
    some = list(islice(power_trials.tasks(names, "report"), 600))
    assert len(set(some)) == 600
    # A round: three of the small case for each of the large one, and of each a good one, one displaced, one other
    assert [task.case for task in some[:12]] == [names[0]] * 9 + [names[1]] * 3
    assert {(t.kind, t.amount) for t in some if t.case == names[0]} == set(power_cases.CASES[names[0]].defects())
    assert all(task.trial >= power_trials.SEEDS["report"] for task in some)
    assert (some[0].kind, some[1].kind) == ("none", "shift")
    assert some[1].amount == HRC.goal_px == 0.4
    assert WFC.goal_px == 0.2


def test_an_interrupted_study_resumes(tmp_path, monkeypatch, capsys):
    """What is in the file is not run again; rows of other code count for nothing."""
    path = tmp_path / "trials.jsonl"
    code = power_trials.fingerprint()
    first, second, third = islice(power_trials.tasks(["hrc-medium-dither"], "report"), 3)
    for task, own in ((first, code), (second, "other")):
        power_trials.append(path, replace(row(), code=own, **asdict(task)))
    asked = []

    def run(wanted, path, jobs, end):
        asked.extend(islice(wanted, 2))

    monkeypatch.setattr(verification_power, "run", run)
    arguments = ["x", "--results", str(path), "--hours", "1", "--cases", "hrc-medium-dither"]
    monkeypatch.setattr("sys.argv", arguments)
    verification_power.main()
    assert asked == [second, third]
    assert "hrc-medium-dither" in capsys.readouterr().out


def test_a_trial_from_end_to_end(tmp_path, capsys):
    """0.5 px in a pair of undersampled frames: refused, and the shift right to 0.1 px with eighty stars.

    A trial that ends with an error stops no other.
    """
    task = Task("ir-medium-pair", "shift", 0.5, power_trials.SEEDS["limits"])
    path = tmp_path / "trials.jsonl"
    started = time.monotonic()
    assert verification_power.run(iter([replace(task, case="unknown"), task]), path, 1, started + 300) == 1
    assert "KeyError('unknown')" in capsys.readouterr().err
    (made,) = power_trials.read(path)
    assert made.task == task
    assert made.state == "refused"
    assert made.common >= 40
    assert np.hypot(*made.shift[:2]) < 0.1


@pytest.mark.parametrize("case", ["wfc-medium-mosaic", "ir-sparse-split"])
def test_what_is_wrong_in_a_mosaic_and_what_hot_pixels_contradict_is_not_verified(case):
    """3 px: one exposure of four disjoint pairs, and one of two without a dither, whose hot pixels agree."""
    found = power_trials.run(Task(case, "shift", 3.0, power_trials.SEEDS["limits"]))
    assert found.state != "verified"
    assert found.common >= 5
