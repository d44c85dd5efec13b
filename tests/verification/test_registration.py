"""Registration: measured shifts against known ones, with honest errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.drizzled import SCALE, Scene, numbers, read
from snakedriz import statistics
from snakedriz.artefacts.verification import Registration
from snakedriz.verification import frame_stars, registration, trends
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


def test_few_stars_widen_the_error():
    rng = np.random.default_rng(1)
    positions, difference = rng.uniform(0, 100, (3, 2)), np.array([[0.0, 0.0], [0.02, 0.02], [0.04, 0.04]])
    found = trends.trend(positions, difference, False)
    assert found.error[0] == pytest.approx(0.02 / np.sqrt(3))
    # Student's t with 2 degrees of freedom: 1.32 at 68.27 %, 4.30 at 95 %, 19.2 at 99.73 %
    shift = trends.measured_shift(found.shift, found.error, found.freedom, 0.0)
    assert shift.dx_err == pytest.approx(1.321 * found.error[0], rel=1e-3)
    assert shift.dx_err95 == pytest.approx(4.303 * found.error[0], rel=1e-3)
    assert statistics.factor(2.0, 2) == pytest.approx(4.527, rel=1e-3)
    assert registration.displacement(_row(0.0, shift.dx_err, 2))[1] == pytest.approx(
        4.527 / 2 * found.error[0], rel=1e-3
    )
