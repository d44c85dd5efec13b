"""Tables of guide-star offsets, and the shift that they mean."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.shared_data import shared
from helpers.sky import corners, offset_mas
from snakedriz.candidates import default
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import guide_star_offsets
from snakedriz.wcs.guide_star_offsets import GuideStarOffset


def test_guide_star_shift_equals_the_published_numbers_of_stwcs(tmp_path, monkeypatch):
    """stwcs's own test exposure and offsets (j94f05bgq): -26.195, -30.372 px (behaviour page, 3f)."""
    header = shared("headers/j94f05bgq_flt_header.fits")
    reference = shared("acs_wfc_reference/0461802ej_idc.fits").parent
    exposure = skeleton.from_exposure(header)
    for hdu in exposure[1:]:
        hdu.data = np.broadcast_to(np.zeros(1, np.uint8), (2048, 4096))
    for keyword, name in (("IDCTAB", "0461802ej_idc"), ("D2IMFILE", "02c1450oj_d2i"), ("NPOLFILE", "02c14514j_npl")):
        exposure[0].header[keyword] = f"jref${name}.fits"
    default.make({ExposureKey("j94f05bgq", "flt"): exposure}, {"jref": str(reference)})
    offsets = {
        "rootname": "j94f05bgq", "deltaRA": 0.00163279, "deltaDEC": -0.00024635, "deltaROLL": 0.05507061,
        "deltaSCALE": 0.99852027, "dGSinputRA": 4.870375, "dGSinputDEC": -72.181833,
        "dGSoutputRA": 4.87200779, "dGSoutputDEC": -72.18207935, "outputCatalog": "GSC240",
    }  # fmt: skip
    before = corners(exposure)
    shift = guide_star_offsets.apply_offset(exposure, GuideStarOffset.of(offsets), "IDC_0461802ej-GSC240")
    np.testing.assert_allclose(shift, (-26.195, -30.372), atol=5e-4)
    # The sky moves by the guide star's own displacement: 0.00163279 deg cos(dec) and -0.00024635 deg. The field is
    # 0.4 arcmin off the guide star's parallel in RA*cos(dec), which turns 1.8 arcsec by about 2 mas.
    moved = offset_mas(corners(exposure), before)
    expected = [0.00163279 * np.cos(np.radians(-72.18)) * 3.6e6, -0.00024635 * 3.6e6]
    np.testing.assert_allclose(np.median(moved, axis=0), expected, atol=5.0)


def test_missing_offset_columns_and_doubled_rows_are_named(tmp_path, small_visit):
    table = Table.read(small_visit.offsets)
    table.remove_column("dGSinputRA")
    table.write(tmp_path / "o.ecsv")
    with pytest.raises(SnakedrizError, match="lacks the columns dGSinputRA"):
        guide_star_offsets.read_offsets(tmp_path / "o.ecsv")
    with pytest.raises(SnakedrizError, match="does not exist"):
        guide_star_offsets.read_offsets(tmp_path / "absent.ecsv")
