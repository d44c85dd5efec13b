"""What a result says of a fit: keywords that carry the correction, residuals about zero."""

import copy

import numpy as np
import pytest
from helpers.displaced_visit import WFC, catalogue, corrected, grid, synthetic
from snakedriz.alignment.fit_result import Residuals, corrected_chips
from snakedriz.alignment.fitting import fit
from snakedriz.alignment.tangent_plane import place
from stwcs.wcsutil import HSTWCS


def test_keywords_reproduce_the_fit_on_both_chips(visit):
    """CRVAL and CD alone carry the correction, with SIP, D2IM and NPOL in place: better than 1e-6 arcsec."""
    rng = np.random.default_rng(16)
    exposures = synthetic(visit, rng)
    result = fit(exposures, catalogue(visit, rng), "relative", "rscale", WFC, "GAIAeDR3")
    plane, placed = place(exposures)
    for member, exposure, one in zip(placed, exposures, result.exposures, strict=True):
        header = exposure.skeleton["SCI", 1].header
        assert header["CTYPE1"].endswith("-SIP")
        assert {"CPDIS1", "D2IMDIS1"} <= set(header) or {"CPDIS1", "D2IM1"} <= {k.split(".")[0] for k in header}
        for chip in corrected_chips(plane, copy.deepcopy(member)):  # identity: nothing may change
            before = member.correctors[chip.extver].original_wcs.wcs.crval
            assert np.allclose(chip.crval, before, atol=1e-12, rtol=0)
        new = corrected(exposure, one.chips)
        for chip in one.chips:
            target = copy.deepcopy(member.correctors[chip.extver])
            target.wcs.wcs.crval, target.wcs.wcs.cd = chip.crval, chip.cd
            target.wcs.wcs.set()
            wcs = HSTWCS(new, ext=("SCI", chip.extver))
            pixels = grid(wcs, 9)
            a, b = np.array(wcs.all_pix2world(*pixels, 0)), np.array(target.det_to_world(*pixels))
            assert np.abs(a - b).max() * 3600 < 1e-6


def test_b6_rms_is_about_zero(fitted):
    """B6: a common offset of 30 mas shows; a standard deviation of separations would be 0."""
    assert Residuals.of(np.tile([30.0, 0.0], (20, 1))).rms_mas == pytest.approx(30.0)
    assert Residuals.of(np.empty((0, 2))) == Residuals()
    one = fitted.fit.exposures[0]
    assert one.rms_mas == pytest.approx(np.hypot(one.rms_ra_mas, one.rms_dec_mas))
    assert one.rms_ra_mas == pytest.approx(np.sqrt(np.mean(np.square(one.matches.d_ra_mas))), abs=1e-3)


def test_share_and_matches_are_of_distinct_stars(fitted):
    """40 rows in the field of three exposures: sightings add up, stars do not."""
    share = fitted.fit.share
    assert share.matches == fitted.fit.nmatches <= share.rows == 40
    assert share.sources >= share.matches
    assert sum(e.nmatches for e in fitted.fit.exposures) > 2 * fitted.fit.nmatches
    assert set(fitted.fit.match) == {"group"}
