"""The extract of a reference catalogue for a field: which rows, at which epochs."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.shared_data import shared
from snakedriz.catalogs import field_catalog
from snakedriz.errors import SnakedrizError
from snakedriz.exposures.coverage import MARGIN_ARCSEC
from snakedriz.settings import detector_settings, load_detectors

CHIP = np.array([(10.0, 0.0), (10.02, 0.0), (10.02, 0.02), (10.0, 0.02)])
OPTIONS = {"epoch": None, "without_pm": "keep", "parallax": False}


@pytest.fixture
def file(tmp_path):
    """A star in the field, one outside, and a fast one that is in the field at the exposures' epoch only."""
    Table({
        "ra": [10.01, 10.01, 10.01], "dec": [0.01, 0.05, 0.03], "pmra": [200.0, 0.0, 0.0], "pmdec": [0.0, 0.0, 4000.0],
        "phot_g_mean_mag": [18.0, 17.0, 16.0], "ref_epoch": [2016.0] * 3, "source_id": ["in", "out", "fast"],
    }).write(tmp_path / "c.ecsv")  # fmt: skip
    return tmp_path / "c.ecsv"


def test_rows_of_the_field_at_the_epoch_of_each_exposure(file):
    epochs = {"ja": 2005.0, "jb": 2005.0 + 5.0}
    found = field_catalog.in_field(file, "G", OPTIONS, [CHIP], 1.0, epochs)
    assert "out" not in found["objID"]
    star = found[found["objID"] == "in"][0]
    assert (star["exposure_RA"][1] - star["exposure_RA"][0]) * 3.6e6 == pytest.approx(1000.0, abs=0.01)
    assert star["RA"] == pytest.approx(star["exposure_RA"].mean(), abs=1e-12)
    assert (found.meta["exposures"], found.meta["epochs"]) == (["ja", "jb"], [2005.0, 2010.0])
    assert found.meta["source"]["file"] == "c.ecsv"


def test_a_fast_star_is_found_where_it_was(file):
    """0.03 deg north in 2016, 4 arcsec a year: 2000 is 64 arcsec further south, in the field."""
    found = field_catalog.in_field(file, "G", OPTIONS, [CHIP], 0.0, {"ja": 2000.0})
    assert list(found["objID"]) == ["fast", "in"]
    assert "fast" not in field_catalog.in_field(file, "G", OPTIONS, [CHIP], 0.0, {"ja": 2016.0})["objID"]


def test_without_rows_or_without_exposures_the_table_is_empty_and_can_be_written(file, tmp_path):
    for polygons in ([], [CHIP + 5.0]):
        found = field_catalog.in_field(file, "G", OPTIONS, polygons, 0.0, {"ja": 2000.0})
        assert len(found) == 0
        found.write(tmp_path / "empty.ecsv", overwrite=True)
        assert len(Table.read(tmp_path / "empty.ecsv")) == 0


def test_a_catalogue_without_epoch_takes_the_configured_one(tmp_path):
    Table({"ra": [10.01], "dec": [0.01], "pmra": [100.0], "pmdec": [0.0]}).write(tmp_path / "c.csv")
    found = field_catalog.in_field(tmp_path / "c.csv", "G", {**OPTIONS, "epoch": 2000.0}, [CHIP], 0.0, {"ja": 2010.0})
    assert (found["RA"][0] - 10.01) * 3.6e6 == pytest.approx(1000.0, abs=0.01)


def test_a_fetched_catalogue_of_another_field_is_refused(file):
    table = Table.read(file)
    table.meta["field"] = [10.0, 1.0, 0.1]
    table.write(file, overwrite=True)
    with pytest.raises(SnakedrizError, match="does not cover"):
        field_catalog.in_field(file, "G", OPTIONS, [CHIP], 0.0, {"ja": 2000.0})


DETECTORS = load_detectors()
#: Arcsec per pixel, instrument handbooks; the largest of each detector.
PIXELS = {
    "ACS/WFC": 0.05,
    "ACS/HRC": 0.028,
    "ACS/SBC": 0.034,
    "WFC3/UVIS": 0.0396,
    "WFC3/IR": 0.1283,
    "WFPC2/PC": 0.0996,
}


def chip(scale):
    """Return headers of a chip, turned by 30 deg."""
    turn = np.radians(30.0)
    cd = scale / 3600 * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    header = fits.Header({f"CD{i + 1}_{j + 1}": cd[i, j] for i in range(2) for j in range(2)})
    return fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(header=header, name="SCI", ver=1)])


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"default"}))
def test_the_margin_holds_the_widest_search_of_every_detector(name):
    """A star that a search may find lies in the extract; before, 250 px of WFC3/IR (32 arcsec) exceeded its 25."""
    fitting = detector_settings(DETECTORS, *name.split("/"))["fitting"]
    margin = field_catalog.margin_arcsec(fitting, {("a", "x"): chip(PIXELS[name])})
    search = max(fitting["relative"]["searchrad_px"], fitting["histogram"]["searchrad_px"]) * PIXELS[name]
    assert search + 2 < margin < search + 10
    # what services are asked for is wider by more than stars of 0.9 arcsec a year move from 1990 to 2016
    assert margin + 0.9 * 26 < MARGIN_ARCSEC


def test_the_margin_of_exposures_of_several_scales_is_that_of_the_coarsest():
    fitting = detector_settings(DETECTORS, "ACS", "HRC")["fitting"]
    both = {("a", "x"): chip(0.025), ("a", "y"): chip(0.128)}
    assert field_catalog.margin_arcsec(fitting, both) == field_catalog.margin_arcsec(fitting, {("a", "y"): chip(0.128)})
    assert field_catalog.margin_arcsec(fitting, {}) < 10  # without exposures there is nothing to search


def test_the_margin_of_a_real_exposure():
    from stwcs.wcsutil import HSTWCS

    fitting = detector_settings(DETECTORS, "ACS", "WFC")["fitting"]
    with fits.open(shared("headers") / "sample_flc_header.fits") as exposure:
        margin = field_catalog.margin_arcsec(fitting, {("a", "x"): exposure})
        scale = max(HSTWCS(exposure, ext=("SCI", chip)).pscale for chip in (1, 2))
    assert margin >= fitting["histogram"]["searchrad_px"] * scale * 0.999


def test_the_extract_reaches_as_far_as_the_search_at_every_epoch(tmp_path):
    """A star 31.9 arcsec outside is within a search of 250 px of 0.128 arcsec; one is so at one exposure only."""
    step = 1 / 3600
    Table({
        "ra": [10.01] * 4, "dec": [-20 * step, -31.9 * step, -40 * step, -41 * step], "pmra": [0.0] * 4,
        "pmdec": [0.0, 0.0, 0.0, -1500.0], "ref_epoch": [2016.0] * 4, "source_id": ["near", "far", "out", "in_2005"],
    }).write(tmp_path / "c.ecsv")  # fmt: skip
    fitting = detector_settings(DETECTORS, "WFC3", "IR")["fitting"]
    margin = field_catalog.margin_arcsec(fitting, {("a", "x"): chip(0.128)})
    # 2010: 32 arcsec outside, within the margin of 35; at the mean epoch of the exposures 35.75, in 2015 39.5
    found = field_catalog.in_field(tmp_path / "c.ecsv", "G", OPTIONS, [CHIP], margin, {"ja": 2010.0, "jb": 2015.0})
    assert set(found["objID"]) == {"near", "far", "in_2005"}


def test_errors_of_both_axes_and_their_correlation_are_those_of_the_mean_epoch(tmp_path):
    Table({
        "ra": [10.01], "dec": [0.01], "pmra": [5.0], "pmdec": [0.0], "ra_error": [0.2], "dec_error": [0.1],
        "pmra_error": [0.3], "pmdec_error": [0.05], "pmra_pmdec_corr": [0.6], "source_id": [1],
    }).write(tmp_path / "c.ecsv")  # fmt: skip
    found = field_catalog.in_field(tmp_path / "c.ecsv", "GAIADR3", OPTIONS, [CHIP], 0.0, {"ja": 2004.0, "jb": 2008.0})[
        0
    ]
    east, north = np.hypot(0.2, 3.0), np.hypot(0.1, 0.5)
    assert (found["ra_error"], found["dec_error"]) == pytest.approx((east, north))
    assert found["ra_dec_corr"] == pytest.approx(0.6 * 3.0 * 0.5 / (east * north))
    assert found["exposure_sigma"][0] > found["sigma"] > found["exposure_sigma"][1]


def test_rows_without_an_epoch_are_told(tmp_path, caplog):
    Table({"ra": [10.01], "dec": [0.01]}).write(tmp_path / "c.csv")
    found = field_catalog.in_field(tmp_path / "c.csv", "G", OPTIONS, [CHIP], 0.0, {"ja": 2004.0})
    assert found.meta["without_epoch"] == 1
    assert "rows without an epoch are taken to hold when the exposures were taken" in caplog.text
