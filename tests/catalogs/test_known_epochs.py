"""Epochs of well-known catalogues."""

import pytest
from snakedriz.catalogs.known_epochs import known_epoch


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("GAIAeDR3", 2016.0),
        ("GAIADR3", 2016.0),
        ("gaia_dr2", 2015.5),
        ("GAIADR1", 2015.0),
        ("GAIAeDR3_bright", 2016.0),
        ("Hipparcos", 1991.25),
        ("TYCHO_2", 2000.0),
        ("UCAC4", 2000.0),
        ("GAIADR31", None),
        ("GAIADR4", None),
        ("GAIA", None),
        ("GSC242", None),
        ("shipping", None),
        ("", None),
    ],
)
def test_by_name(name, epoch):
    assert known_epoch(name) == epoch
