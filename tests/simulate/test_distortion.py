"""Chip layout and distortion numbers."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.simulated import CLEAN
from snakedriz.simulate import Visit, simulate_visit
from snakedriz.simulate.distortion import FILTERS, TDD, chip_v2v3
from snakedriz.simulate.pointing import separation


def test_gap_between_the_chips_is_the_real_one(clean, tmp_path):
    def gap(truth):
        rows, columns = truth.visit.chip_shape
        lower, upper = truth.wcs[0]
        start = lower.all_pix2world([[columns / 2, rows + 0.5]], 1)[0]
        end = upper.all_pix2world([[columns / 2, 0.5]], 1)[0]
        return np.hypot(*separation(tuple(start), tuple(end)))

    full = Visit(chip_shape=(2048, 4096), n_exposures=1, n_stars=0, make_flc=False, make_raw=False, **CLEAN)
    full_truth = simulate_visit(full, tmp_path)
    small_gap, full_gap = gap(clean), gap(full_truth)
    for small_wcs, full_wcs in zip(clean.wcs[0], full_truth.wcs[0], strict=True):
        np.testing.assert_allclose(small_wcs.sip.a, full_wcs.sip.a, rtol=1e-12)
        np.testing.assert_allclose(small_wcs.sip.b, full_wcs.sip.b, rtol=1e-12)
    # Time-dependent terms (2e-7 a year per pixel row) and look-up tables act on rows the small frame does not have.
    assert small_gap == pytest.approx(full_gap, abs=0.01)
    assert 2.3 < full_gap < 2.8  # about 50 pixels of 0.05 arcsec


def test_full_frame_keeps_the_real_chip_positions():
    for model in FILTERS.values():
        for chip, position in chip_v2v3(model, (2048, 4096)).items():
            assert position == pytest.approx((model.chips[chip].v2, model.chips[chip].v3), abs=1e-12)


@pytest.mark.filterwarnings("ignore:.*did not parse as fits unit")
@pytest.mark.parametrize("name", sorted(FILTERS))
def test_polynomials_are_those_of_the_real_idctab(name):
    path = shared("acs_wfc_reference/0461802ej_idc.fits")
    model = FILTERS[name]
    with fits.open(path) as hdus:
        primary, rows = hdus[0].header, hdus[1].data
        for key, value in TDD.items():
            assert primary[key] == pytest.approx(value, rel=1e-12)
        for chip, numbers in model.chips.items():
            chosen = [
                r for r in rows if (r["DETCHIP"], r["FILTER1"], r["FILTER2"]) == (chip, model.filter1, model.filter2)
            ]
            assert len(chosen) == 1
            row = chosen[0]
            # The table's doubles carry a relative rounding of 1e-15; the literals have nine digits.
            assert (numbers.v2, numbers.v3) == pytest.approx((row["V2REF"], row["V3REF"]), rel=1e-8)
            for letter, triangle in (("X", numbers.cx), ("Y", numbers.cy)):
                for n, values in enumerate(triangle, start=1):
                    real = [row[f"C{letter}{n}{m}"] for m in range(n + 1)]
                    assert list(values) == pytest.approx(real, rel=1e-8, abs=0.0)
