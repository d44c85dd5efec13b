"""Registration: measured shifts against known ones, with honest errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import SCALE, Scene, numbers, read
from snakedriz.artefacts.verification import PairRegistration, Registration
from snakedriz.verification import frame_stars, registration
from snakedriz.verification import frames as frames_

SETTINGS = numbers()


def _of(frames):
    return registration.measure(frames, frame_stars.of_frames(frames, SETTINGS), SETTINGS)


def _measure(scene, directory):
    found = _of(read(scene, directory))
    return found.exposures, registration.check(found, SETTINGS)


@pytest.mark.parametrize("flags", ["drizcr", "true"])
@pytest.mark.parametrize("exposures", [2, 4])
@pytest.mark.parametrize("shift", [(0.1, 0.0), (0.0, -0.5), (0.6, 0.8), (3.0, -4.0), (-10.0, 2.0)])
def test_displacement_is_measured(tmp_path, shift, exposures, flags):
    scene = Scene(exptimes=(500.0,) * exposures, displaced={1: shift}, flags=flags, jitter=0.0)
    rows, _ = _measure(scene, tmp_path)
    found = rows[1]
    assert found.method == "sources"
    assert found.nmatches >= 30
    # 4 sigma on either axis
    assert found.dx == pytest.approx(shift[0], abs=4 * found.dx_err)
    assert found.dy == pytest.approx(shift[1], abs=4 * found.dy_err)
    assert max(found.dx_err, found.dy_err) < 0.03
    assert found.dx_mas == pytest.approx(found.dx * SCALE * 1e3)


def test_errors_are_honest(tmp_path):
    """Truth within 1 sigma in 68 % and within 2 in 95 % of axes; the 0.01 px of systematics make it more, not less."""
    pulls = []
    for seed in range(40):
        rows, _ = _measure(Scene(shape=(256, 256), stars=40, seed=seed, jitter=0.0), tmp_path)
        pulls += [rows[0].dx / rows[0].dx_err, rows[0].dy / rows[0].dy_err]
    inside = np.abs(pulls)
    # 80 values: 0.68 - 3 sqrt(0.68 x 0.32 / 80) = 0.52, 0.95 - 3 sqrt(0.95 x 0.05 / 80) = 0.88
    assert (inside < 1).mean() > 0.52
    assert (inside < 2).mean() > 0.88


def test_rotation_is_seen_although_the_mean_shift_is_zero(tmp_path):
    # 0.3 deg at 100 to 160 px, the rms radius of the stars used (outer ones are displaced and flagged): 0.5 to 0.85 px
    rows, check = _measure(Scene(rotation_deg={2: 0.3}), tmp_path)
    assert rows[2].rotation_deg == pytest.approx(0.3, abs=0.02)
    assert 0.5 < rows[2].field < 0.9
    assert check.passed is False
    assert "jtest03q" in check.note


def test_reference_has_no_part_of_the_exposure(tmp_path):
    """The displacement is whole, not (n - 1) / n of it, and the others do not take a share of it."""
    rows, _ = _measure(Scene(displaced={0: (5.0, 0.0)}), tmp_path)
    assert rows[0].dx == pytest.approx(5.0, abs=0.05)
    assert all(abs(row.dx) < 0.1 for row in rows[1:])


def test_unequal_exposures(tmp_path):
    rows, check = _measure(Scene(exptimes=(50.0, 500.0), jitter=0.0, displaced={0: (1.0, 0.0)}), tmp_path)
    assert rows[0].dx == pytest.approx(1.0, abs=0.1)
    assert rows[1].dx == pytest.approx(-1.0, abs=0.1)
    assert check.passed is False


def test_galaxies_only(tmp_path):
    rows, check = _measure(Scene(stars=0, galaxies=40, displaced={1: (1.0, 0.0)}), tmp_path)
    assert rows[1].method in ("sources", "correlation")
    assert rows[1].dx == pytest.approx(1.0, abs=4 * rows[1].dx_err)
    assert check.passed is False


def test_empty_field_is_unmeasurable_not_registered(tmp_path):
    rows, check = _measure(Scene(stars=0), tmp_path)
    assert {row.method for row in rows} == {"unmeasurable"}
    assert check.passed is None
    assert check.value is None


def test_blank_frames_are_unmeasurable(tmp_path):
    frames = read(Scene(stars=0, rays=0.0), tmp_path)
    for single in frames.singles:
        single.image[:] = 0
        single.others = single.image.copy()
    found = _of(frames)
    assert {row.method for row in found.exposures} == {"unmeasurable"}


def test_a_chip_that_is_off_by_itself_is_named(tmp_path):
    """B5: a stale WCS of one chip. Half of exposure 3 is that of a visit in which the exposure is displaced."""
    frames = read(Scene(stars=160, flags="true"), tmp_path)
    moved = read(Scene(stars=160, flags="true", displaced={2: (0.4, 0.0)}), tmp_path)
    frames.singles[2].image[200:] = moved.singles[2].image[200:]
    for single in frames.singles:
        single.chips = np.where(np.arange(400)[:, None] < 200, 1, 2).astype(np.uint8) * np.ones((1, 400), np.uint8)
    found = _of(frames_.prepare(frames, SETTINGS["log_sigma_px"]))
    rows = found.exposures
    assert [[chip.extver for chip in row.chips] for row in rows] == [[1, 2]] * 4
    first, second = rows[2].chips
    assert first.dx == pytest.approx(0.0, abs=0.05)
    assert second.dx == pytest.approx(0.4, abs=0.05)
    assert second.dx_mas == pytest.approx(second.dx * SCALE * 1e3)
    check = registration.check(found, SETTINGS)
    assert check.passed is False
    assert "jtest03q chip 2" in check.note


def test_partial_overlap_and_borders(tmp_path):
    rows, check = _measure(Scene(dither=40, stars=150, displaced={3: (0.0, 2.0)}), tmp_path)
    assert rows[3].dy == pytest.approx(2.0, abs=0.05)
    assert check.passed is False
    assert _measure(Scene(dither=40, stars=150), tmp_path)[1].passed is True


def test_pairs_of_exposures_in_a_mosaic_are_measured(tmp_path):
    """Where only one other exposure covers, it is the reference."""
    frames = read(Scene(stars=300), tmp_path)
    for index, single in enumerate(frames.singles):
        half = np.zeros(single.covered.shape, bool)
        half[:, : 200 if index < 2 else 400] = True
        if index >= 2:
            half[:, :200] = False
        single.covered &= half
        single.image[~half] = 0
    frames = frames_.prepare(frames, SETTINGS["log_sigma_px"])
    found = _of(frames)
    assert {row.method for row in found.exposures} == {"sources"}
    assert registration.check(found, SETTINGS).passed is True


def test_exposure_apart_does_not_count(tmp_path):
    frames = read(Scene(), tmp_path)
    frames.singles[3].covered[:] = False
    frames.singles[3].covered[:3] = True  # 1 % would be 4 rows
    for single in frames.singles[:3]:
        single.covered[:3] = False
    found = _of(frames)
    assert found.exposures[3].method == "no overlap"
    check = registration.check(found, SETTINGS)
    assert check.passed is True
    assert "overlaps no other exposure: jtest04q" in check.note


def _row(dx, error, freedom=1e6):
    row = registration._unmeasured("x", "unmeasurable")
    shift = {"dx": dx, "dy": 0.0, "dx_err": error, "dy_err": 0.0, "freedom": freedom}
    return row.model_copy(update={"method": "sources", **shift})


def _passed(*rows):
    return registration.check(Registration(exposures=rows, scale_arcsec=SCALE), SETTINGS).passed


def test_limit_allows_two_sigma_and_no_more():
    options = SETTINGS["registration"]
    limit, error = options["limit_px"], 0.02
    for shift, passed in ((limit + 0.039, True), (limit + 0.041, False)):
        assert _passed(_row(shift, error)) is passed


def test_a_shift_that_is_hardly_known_verifies_nothing():
    error = 1.1 * SETTINGS["registration"]["max_error_px"]
    assert _passed(_row(0.0, error)) is None
    assert _passed(_row(10.0, error)) is False
    assert _passed(_row(0.0, 0.01), _row(0.0, error)) is None


def test_error_of_few_stars_counts_as_two_sigma_of_student():
    # 4.527 standard errors hold as much as 2 sigma with 2 degrees of freedom, 1.321 as much as 1
    assert registration.displacement(_row(0.0, 1.321, 2))[1] == pytest.approx(4.527 / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("instrument", "detector", "scale", "limit"),
    [
        ("ACS", "WFC", 0.05, 0.1), ("WFC3", "IR", 0.1283, 0.1), ("WFC3", "UVIS", 0.0396, 5 / 39.6),
        ("ACS", "HRC", 0.025, 0.2), ("ACS", "SBC", 0.025, 0.2), ("WFPC2", "PC", 0.0456, 5 / 45.6),
    ],
)  # fmt: skip
def test_limit_is_no_less_than_what_the_telescope_repeats_to(instrument, detector, scale, limit):
    """0.1 px of HRC are 2.5 mas: good visits of two orbits were refused. What gave the limit is in the note."""
    settings = numbers(instrument, detector)
    found, why = registration.limit_px(scale, settings["registration"])
    assert found == pytest.approx(limit)
    assert ("the telescope repeats to 5 mas" in why) == (limit > 0.1)

    def judged(mas):
        return registration.check(Registration(exposures=[_row(mas / scale / 1e3, 1e-4)], scale_arcsec=scale), settings)

    largest = max(5.0, 100 * scale)  # mas
    assert judged(0.98 * largest).passed is True
    assert judged(1.02 * largest).passed is False
    assert judged(2.0 * largest).passed is False
    assert why in judged(0.0).note


def _pair(names, dx, error):
    return PairRegistration(
        exposures=names, overlap=1.0, measured=True, method="sources", nmatches=50, significance=9.0, field=0.0,
        field_err=0.0, reason="", dx=dx, dy=0.0, dx_err=error, dy_err=0.0, dx_err95=error, dy_err95=0.0, freedom=1e6,
    )  # fmt: skip


def test_pairs_may_differ_by_twice_the_limit_and_their_common_error():
    """Of one pair 2 sigma, of 45 together 3.26 sigma are exceeded by chance in 4.55 %."""
    limit, error = SETTINGS["registration"]["limit_px"], 0.02
    for number, sigmas in ((1, 2.0), (45, 3.26)):
        for dx, passed in ((2 * limit + (sigmas - 0.05) * error, True), (2 * limit + (sigmas + 0.05) * error, False)):
            pairs = [_pair(["a", "b"], dx, error)] + [_pair(["a", f"c{i}"], 0.0, error) for i in range(number - 1)]
            rows = [_row(0.0, 0.01).model_copy(update={"rootname": name}) for name in "ab"]
            found = registration.check(Registration(exposures=rows, pairs=pairs, scale_arcsec=SCALE), SETTINGS)
            assert found.passed is passed
            assert passed or "worst: a and b" in found.note


def test_groups_not_measured_against_each_other_leave_the_verdict_open():
    within = [_pair(["a", "b"], 0.0, 0.01), _pair(["c", "d"], 0.0, 0.01)]
    link = _pair(["b", "c"], 0.0, 0.01).model_copy(update={"measured": False, "dx": None})
    rows = [_row(0.0, 0.01).model_copy(update={"rootname": name}) for name in "abcd"]
    found = registration.check(Registration(exposures=rows, pairs=[*within, link], scale_arcsec=SCALE), SETTINGS)
    assert found.passed is None
    assert "overlap but were not measured against each other: a+b, c+d" in found.note
