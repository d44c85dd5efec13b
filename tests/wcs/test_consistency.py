"""Names of visits and solutions."""

from astropy.io import fits
from snakedriz.wcs import consistency


def test_visits_and_generic_names():
    header = fits.Header({"PROPOSID": 16801, "LINENUM": "14.002"})
    assert consistency.visit_of(header, "iepw14g4q") == "16801_14"
    assert consistency.visit_of(fits.Header(), "iepw14g4q") == "epw_14"
    assert consistency.pattern("IDC-HSC30") == "IDC_*-HSC30"
    assert consistency.pattern("OPUS") == "OPUS"
