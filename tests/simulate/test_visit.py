"""Options of a visit, and what follows from them."""

import numpy as np
import pytest
from astropy.io import fits
from snakedriz.simulate import Visit, simulate_visit


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
