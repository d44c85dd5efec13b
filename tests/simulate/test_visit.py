"""Options of a visit, and what follows from them."""

import numpy as np
import pytest
from astropy.io import fits
from snakedriz.simulate import Visit, simulate_visit
from snakedriz.simulate.visit import REAL_DETECTOR


def test_default_reference_stars_are_not_saturated(tmp_path):
    visit = Visit(chip_shape=(256, 256), n_exposures=1, n_stars=100, n_galaxies=0, cr_rate=0, mag_range=(18.0, 22.0))
    truth = simulate_visit(visit, tmp_path)
    assert len(truth.reference_table) == 60
    with fits.open(truth.flt[0]) as hdus:
        for version in (1, 2):
            x, y = truth.wcs[0][version - 1].all_world2pix(truth.reference_table["RA"], truth.reference_table["DEC"], 1)
            inside = (x > 1) & (x < 256) & (y > 1) & (y < 256)
            dq = hdus["DQ", version].data[np.rint(y[inside]).astype(int) - 1, np.rint(x[inside]).astype(int) - 1]
            assert inside.sum() > 10
            assert not (dq & 256).any()


def test_default_dither_crosses_the_gap_and_samples_four_phases():
    steps = np.array(Visit(chip_shape=(2048, 4096)).dithers) / 0.05
    phases = {(round(x % 1, 2), round(y % 1, 2)) for x, y in steps}
    assert phases == {(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)}
    rows = np.sort(steps[:, 1])
    assert np.diff(rows).min() > 55  # no place on the sky falls into the gap of 50 pixels twice
    assert np.ptp(rows) < 0.1 * 4096


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"asn": "JDEMO1010"}, "lower-case"),
        ({"asn": "short"}, "nine"),
        ({"exptime": (1.0, 2.0)}, "exposure times"),
        ({"dither": ((0.0, 0.0),)}, "dither positions"),
        ({"exposure_errors": {4: (0.0, 0.0)}}, "names exposures"),
        ({"filter": "F999W"}, "cannot be simulated"),
        ({"chip_shape": (10, 1024)}, "at least 64"),
        ({"n_exposures": 0}, "n_exposures"),
    ],
)
def test_impossible_visits_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Visit(**options)


def test_rootnames_are_unique_and_nine_long():
    names = Visit(n_exposures=100).rootnames
    assert len(set(names)) == 100
    assert {len(n) for n in names} == {9}


def test_a_real_detector_has_hot_pixels_of_all_kinds_and_stars_of_different_widths(tmp_path):
    """1.5 per cent are hot, of which 2 per cent are not flagged; stars in the corners are wider than in the middle."""
    options = {"chip_shape": (256, 256), "n_exposures": 1, "n_stars": 60, "n_galaxies": 0, "mag_range": (19.0, 21.0)}
    quiet = {"noise": False, "cr_rate": 0.0, "warm_pixels": 0.0, "bad_columns": 0.0, "make_raw": False, "seed": 4}
    real = simulate_visit(Visit(**options, **quiet, **REAL_DETECTOR), tmp_path / "real")
    ideal = simulate_visit(Visit(**options, **quiet, hot_pixels=0.0), tmp_path / "ideal")
    peaks, hot = [], []
    for version in (1, 2):
        with fits.open(real.flc[0]) as made, fits.open(ideal.flc[0]) as plain:
            hot.append(made["DQ", version].data & 16 > 0)
            x, y = real.wcs[0][version - 1].all_world2pix(real.star_table["ra"], real.star_table["dec"], 1)
            inside = (x > 10) & (x < 247) & (y > 10) & (y < 247)
            for px, py in zip(np.rint(x[inside]).astype(int) - 1, np.rint(y[inside]).astype(int) - 1, strict=True):
                core = np.s_[py - 1 : py + 2, px - 1 : px + 2]
                if not hot[-1][core].any():
                    far = np.hypot(px / 128 - 1, (py + 256 * (version - 1)) / 256 - 1)
                    peaks.append((far, made["SCI", version].data[core].sum() / plain["SCI", version].data[core].sum()))
    assert np.mean(hot) == pytest.approx(0.015 * 0.98, rel=0.02)
    far, ratio = np.array(peaks).T
    assert np.corrcoef(far, ratio)[0, 1] < -0.7
