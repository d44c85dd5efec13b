"""The cone that a catalogue is asked for covers the exposures, wherever they lie."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import coverage


def test_cone_covers_every_corner_with_its_margin(small_visit):
    cone = coverage.cone(small_visit.flc)
    corners = []
    for path in small_visit.flc:
        with fits.open(path) as hdul:
            chips = [hdu for hdu in hdul[1:] if hdu.name == "SCI"]
            corners += [WCS(hdu.header, hdul).calc_footprint() for hdu in chips]  # with distortion, unlike ours
    sky = SkyCoord(np.vstack(corners), unit="deg")
    far = sky.separation(SkyCoord(cone.ra, cone.dec, unit="deg")).deg.max()
    assert far + 50 / 3600 < cone.radius < far + 70 / 3600  # the margin is 60 arcsec, less what distortion takes
    assert cone.covers(corners)
    assert coverage.cone(reversed(small_visit.flc)) == cone


def test_across_zero_hours_and_at_the_pole(tmp_path):
    for name, ra, dec in (("a", 359.999, 20.0), ("b", 0.001, 20.0), ("c", 123.0, 89.999)):
        hdu = fits.ImageHDU(np.zeros((100, 100), "f4"), name="SCI")
        hdu.header.update(CRVAL1=ra, CRVAL2=dec, CRPIX1=50.5, CRPIX2=50.5, CD1_1=-1e-5, CD1_2=0.0, CD2_1=0.0,
                          CD2_2=1e-5)  # fmt: skip
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / f"{name}.fits")
    both = coverage.cone([tmp_path / "a.fits", tmp_path / "b.fits"])
    assert both.radius < 0.02
    assert min(both.ra, 360 - both.ra) < 1e-4
    pole = coverage.cone([tmp_path / "c.fits"])
    assert pole.radius < 0.02
    assert pole.dec == pytest.approx(89.999, abs=1e-4)
    with pytest.raises(ValueError, match="not one field"):
        coverage.cone([tmp_path / "a.fits", tmp_path / "c.fits"])


def test_a_damaged_exposure_is_left_out_and_none_at_all_is_an_error(small_visit, tmp_path, caplog):
    (tmp_path / "ja_flc.fits").write_bytes(b"SIMPLE  =")
    assert coverage.cone([*small_visit.flc, tmp_path / "ja_flc.fits"]) == coverage.cone(small_visit.flc)
    assert "Left out of the field" in caplog.text
    with pytest.raises(SnakedrizError, match="no exposure to ask a catalogue for"):
        coverage.cone([tmp_path / "ja_flc.fits"])


def test_a_field_too_small_is_refused():
    inside = np.array([(10.0, -60.0), (10.01, -60.0), (10.0, -60.01)])
    table = Table(meta={"field": [10.0, -60.0, 0.05]})
    coverage.check_covers(table, "c.ecsv", [inside])
    coverage.check_covers(Table(), "c.ecsv", [inside + np.array([0, 0.1])])  # a user's: it says no field
    with pytest.raises(SnakedrizError, match="does not cover"):
        coverage.check_covers(table, "c.ecsv", [inside + np.array([0, 0.1])])
