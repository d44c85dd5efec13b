"""Headers without pixels, in bundles, and joined to pixels again."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.sky import corners
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey


def test_bundle_and_join_keep_wcs_headers_and_pixels(small_visit, default_skeletons, tmp_path):
    bundle = tmp_path / "wcs.fits"
    skeleton.write_bundle(bundle, default_skeletons, {"OUTCOME": "ok"})
    back = skeleton.read_bundle(bundle)
    assert list(back) == list(default_skeletons)
    source = small_visit.flc[0]
    out = tmp_path / source.name
    skeleton.join(back[ExposureKey.parse(source)], source, out)
    with fits.open(out) as made, fits.open(source) as given:
        np.testing.assert_array_equal(corners(made), corners(default_skeletons[ExposureKey.parse(source)]))
        for hdu in given[1:]:
            name = skeleton.extension_name(hdu)
            np.testing.assert_array_equal(made[name].data, hdu.data)
            assert made[name].data.dtype == hdu.data.dtype
        assert made[0].header["EXPTIME"] == given[0].header["EXPTIME"]
    with pytest.raises(SnakedrizError, match="has no exposure"):
        skeleton.read_bundle(bundle, [ExposureKey("nothing", "flc")])
