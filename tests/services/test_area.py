"""The field of a visit."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from snakedriz.services import area


def test_cone_covers_every_corner_with_its_margin(small_visit):
    cone = area.cone(small_visit.flc)
    corners = []
    for path in small_visit.flc:
        with fits.open(path) as hdul:
            chips = [hdu for hdu in hdul[1:] if hdu.name == "SCI"]
            corners += [WCS(hdu.header, hdul).calc_footprint() for hdu in chips]  # with distortion, unlike ours
    sky = SkyCoord(np.vstack(corners), unit="deg")
    far = sky.separation(SkyCoord(cone.ra, cone.dec, unit="deg")).deg.max()
    assert far + 50 / 3600 < cone.radius < far + 70 / 3600  # the margin is 60 arcsec, less what distortion takes
    assert cone.covers(corners)
    assert area.cone(reversed(small_visit.flc)) == cone


def test_across_zero_hours_and_at_the_pole(tmp_path):
    for name, ra, dec in (("a", 359.999, 20.0), ("b", 0.001, 20.0), ("c", 123.0, 89.999)):
        hdu = fits.ImageHDU(np.zeros((100, 100), "f4"), name="SCI")
        hdu.header.update(CRVAL1=ra, CRVAL2=dec, CRPIX1=50.5, CRPIX2=50.5, CD1_1=-1e-5, CD1_2=0.0, CD2_1=0.0,
                          CD2_2=1e-5)  # fmt: skip
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / f"{name}.fits")
    both = area.cone([tmp_path / "a.fits", tmp_path / "b.fits"])
    assert both.radius < 0.02
    assert min(both.ra, 360 - both.ra) < 1e-4
    pole = area.cone([tmp_path / "c.fits"])
    assert pole.radius < 0.02
    assert pole.dec == pytest.approx(89.999, abs=1e-4)
    with pytest.raises(ValueError, match="not one field"):
        area.cone([tmp_path / "a.fits", tmp_path / "c.fits"])


def test_a_field_too_small_is_refused():
    table = Table(meta={"field": [10.0, -60.0, 0.05]})
    inside = np.array([(10.0, -60.0), (10.01, -60.0), (10.0, -60.01)])
    area.check_covers(table, "c.ecsv", [inside])
    with pytest.raises(ValueError, match="does not cover"):
        area.check_covers(table, "c.ecsv", [inside + np.array([0, 0.1])])
