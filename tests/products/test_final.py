"""The final exposure and its headerlet."""

import numpy as np
from astropy.io import fits
from helpers.sky import MICROARCSEC, corners
from snakedriz.candidates import apriori, default
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.products import final
from snakedriz.wcs import headerlets


def test_final_exposure_and_headerlet(small_visit, default_skeletons, tmp_path):
    """The final exposure carries the WCS, its headerlet reproduces both chips, and pixels are the input's."""
    from snakedriz.drizzle import engine

    apriori.make(default_skeletons, None, [str(small_visit.offsets)])
    owner = ExposureKey.parse(small_visit.flc[0])
    expected = corners(default_skeletons[owner])
    flags = {chip: np.zeros(small_visit.visit.chip_shape, bool) for chip in (1, 2)}
    flags[2][10, 20] = True
    engine.write_crmask(tmp_path / "cr.fits", {owner.rootname: flags})
    inventory = {"exposures": [{"rootname": owner.rootname, "used": True}]}
    out, hlet = tmp_path / f"{owner}.fits", tmp_path / f"{owner}_hlet.fits"
    row = {"candidate": "apriori", "registration": {"worst_px": 0.02, "error_px": 0.005, "of": "x"}, "astrometry": None}
    skeleton.write_bundle(tmp_path / "wcs.fits", default_skeletons, {})
    final.write_exposure(
        owner, tmp_path / "wcs.fits", small_visit.flc[0], tmp_path / "cr.fits", inventory,
        {"winner": "apriori", "candidates": [row], "catalogs": []}, out, hlet,
    )  # fmt: skip
    with fits.open(out) as made, fits.open(small_visit.flc[0]) as given:
        np.testing.assert_allclose(corners(made), expected, rtol=0, atol=MICROARCSEC)
        np.testing.assert_array_equal(made["SCI", 2].data, given["SCI", 2].data)
        assert made["DQ", 2].data[10, 20] & 4096
        assert np.count_nonzero(made["DQ", 2].data & 4096) == 1
        assert made[0].header["DRIZCORR"] == "COMPLETE"
        assert (made[0].header["SDREGPX"], made[0].header["SDREGERR"]) == (0.02, 0.005)
        assert made["SCI", 1].header["S_REGION"].startswith("POLYGON ICRS ")
        assert "a priori" in made["SCI", 1].header["WCSTYPE"]
        names_attached = [h.header["WCSNAME"] for h in made if h.name == "HDRLET"]
        assert names_attached == ["IDC_9d1snakej", "IDC_9d1snakej-GSC240"]
    fresh = {owner: skeleton.from_exposure(small_visit.flc[0])}
    default.make(fresh, {"jref": str(small_visit.ref)})
    headerlets.apply(fresh[owner], headerlets.load(hlet))
    np.testing.assert_allclose(corners(fresh[owner]), expected, rtol=0, atol=MICROARCSEC)
