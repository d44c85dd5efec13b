"""The extract of a reference catalogue for a field: which rows, at which epochs."""

import numpy as np
import pytest
from astropy.table import Table
from snakedriz.catalogs import field_catalog
from snakedriz.errors import SnakedrizError

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
