"""Where and when exposures were taken: outlines with distortion, mid-times."""

from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from snakedriz.artefacts.inventory import Inventory
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import coverage, field
from snakedriz.fits_headers.rootnames import ExposureKey

EXAMPLE = Path(__file__).parents[1] / "artefacts/examples/inventory.json"


def test_outlines_are_those_of_the_linear_wcs_but_for_distortion(small_visit, default_skeletons):
    found = field.outlines(default_skeletons)
    linear = coverage.outlines(sorted([*small_visit.flc, *small_visit.flt]))
    assert len(found) == len(linear) == 8  # two chips of two exposures, FLC and FLT
    for one, other in zip(found, linear, strict=True):
        assert one.shape == (4, 2)
        away = SkyCoord(one, unit="deg").separation(SkyCoord(other, unit="deg")).arcsec
        assert 0 < away.max() < 20
    own = field.chip_outline(default_skeletons[ExposureKey.parse(small_visit.flc[0])], 1)
    np.testing.assert_array_equal(own, found[0])


def test_mid_times_of_the_exposures_in_use():
    inventory = Inventory.read(EXAMPLE)
    found = field.epochs([inventory])
    assert list(found) == sorted(e.rootname for e in inventory.used)
    first = inventory.used[0]
    assert found[first.rootname] == pytest.approx(
        Time((first.expstart + first.expend) / 2, format="mjd").jyear, abs=1e-9
    )
    with pytest.raises(SnakedrizError, match="EXPSTART or EXPEND"):
        field.epoch(first.model_copy(update={"expend": None}))
