"""The AstroDrizzle parameters that a user may set."""

from typing import get_type_hints

import pytest
from snakedriz.exposures import mdriztab
from snakedriz.settings.astrodrizzle_parameters import AstroDrizzleParameters, check_parameters


def test_drizzle_keys_are_astrodrizzles():
    keys = set(get_type_hints(AstroDrizzleParameters))
    assert keys <= mdriztab.ACCEPTED
    assert not keys & mdriztab.WORKFLOW
    own = {name for name in mdriztab.ACCEPTED if name.startswith(("driz_sep_rot", "driz_sep_scale", "driz_sep_wcs"))}
    assert not keys & own  # the single drizzles follow the product


def test_parameters_from_elsewhere_are_checked():
    check_parameters({"final_kernel": "square", "final_scale": 0.05}, "row 1")
    with pytest.raises(ValueError, match=r"row 1: .*final_kernel.*final_scal"):
        check_parameters({"final_kernel": "squar", "final_scal": 0.05}, "row 1")
