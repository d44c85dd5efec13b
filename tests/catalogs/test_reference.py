"""Reference catalogues: formats, proper motions, footprints."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.shared_data import shared
from snakedriz.catalogs.reference import (
    DEFAULT_ERROR_MAS,
    PM_SCATTER_MAS_YR,
    at_epoch,
    cut_to_footprint,
    load_catalog,
    normalise,
)
from snakedriz.errors import SnakedrizError


def gaia(**columns):
    base = {
        "ra": [10.0, 10.01, 10.02],
        "dec": [-60.0, -60.01, -60.02],
        "ra_error": [1.0, 2.0, 3.0],
        "dec_error": [1.0, 2.0, 3.0],
        "pmra": [100.0, 0.0, np.nan],
        "pmdec": [-50.0, 0.0, np.nan],
        "pmra_error": [0.1, 0.2, np.nan],
        "pmdec_error": [0.1, 0.2, np.nan],
        "ref_epoch": [2016.0] * 3,
        "phot_g_mean_mag": [19.0, 17.0, 18.0],
        "source_id": [4611686018427387905, 2, 3],
    }
    return Table({**base, **columns})


@pytest.mark.parametrize(
    ("suffix", "form"), [(".ecsv", "ascii.ecsv"), (".fits", "fits"), (".csv", "ascii.csv"), (".xml", "votable")]
)
@pytest.mark.parametrize("upper", [True, False])
def test_formats_and_case(tmp_path, suffix, form, upper):
    table = gaia()
    if upper:
        table.rename_columns(["ra", "dec"], ["RA", "DEC"])
    path = tmp_path / f"cat{suffix}"
    table.write(path, format=form)
    out = load_catalog(path, "GAIAeDR3")
    assert list(out["RA"]) == pytest.approx([10.0, 10.01, 10.02], abs=1e-12)
    assert list(out["mag"]) == [19, 17, 18]
    assert list(out["epoch"]) == [2016.0] * 3
    assert out["objID"][0] == "4611686018427387905"  # 64 bits survive
    assert out.meta["name"] == "GAIAeDR3"


def test_optional_columns_are_nan(tmp_path):
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / "c.csv")
    out = load_catalog(tmp_path / "c.csv", "x")
    assert np.isnan(out["mag"][0])
    assert at_epoch(out, 2020.0)["sigma"][0] == pytest.approx(DEFAULT_ERROR_MAS)  # no epoch: nothing to move by


def test_units_are_converted(tmp_path):
    table = gaia()
    table["ra_error"] = table["ra_error"] / 3600e3
    table["ra_error"].unit = "deg"
    table.write(tmp_path / "c.ecsv")
    assert list(load_catalog(tmp_path / "c.ecsv", "x")["ra_error"]) == pytest.approx([1, 2, 3])


def test_errors_name_file_found_and_wanted(tmp_path):
    path = tmp_path / "c.csv"
    Table({"alpha": [1.0], "delta": [2.0]}).write(path)
    with pytest.raises(SnakedrizError, match=r"c\.csv.*RA.*alpha, delta.*wanted one of ra"):
        load_catalog(path, "x")
    with pytest.raises(SnakedrizError, match="not there"):
        load_catalog(tmp_path / "none.csv", "x")
    with pytest.raises(SnakedrizError, match="unknown type"):
        load_catalog(tmp_path / "c.txt", "x")
    (tmp_path / "bad.fits").write_bytes(b"no fits")
    with pytest.raises(SnakedrizError, match="cannot be read"):
        load_catalog(tmp_path / "bad.fits", "x")
    Table({"ra": ["a"], "dec": [1.0]}).write(tmp_path / "t.csv")
    with pytest.raises(SnakedrizError, match="does not hold numbers"):
        load_catalog(tmp_path / "t.csv", "x")


def test_proper_motion(tmp_path):
    gaia().write(tmp_path / "c.ecsv")
    out = at_epoch(load_catalog(tmp_path / "c.ecsv", "x"), 2006.0)
    # -10 years: dRA cos(dec) = -1000 mas, dDec = +500 mas; curvature over 1 arcsec is below 1e-3 mas.
    assert (out["RA"][0] - 10.0) * np.cos(np.radians(60)) * 3.6e6 == pytest.approx(-1000, abs=0.02)
    assert (out["DEC"][0] + 60.0) * 3.6e6 == pytest.approx(500, abs=0.02)
    assert out["RA"][1] == pytest.approx(10.01, abs=1e-13)
    assert out["sigma"][0] == pytest.approx(np.hypot(1.0, 1.0))  # 1 mas and 0.1 mas/yr times 10 yr
    assert out["sigma"][2] == pytest.approx(np.hypot(3.0, 10 * PM_SCATTER_MAS_YR))
    assert out.meta["without_pm"] == 1
    dropped = at_epoch(load_catalog(tmp_path / "c.ecsv", "x"), 2006.0, pm_policy="drop")
    assert len(dropped) == 2
    with pytest.raises(SnakedrizError, match="keep"):
        at_epoch(out, 2006.0, pm_policy="guess")


MOTIONS = {"ra": [10.0, 10.01, 10.02], "dec": [1.0] * 3, "pmra": [50.0, -50.0, 30.0], "pmdec": [10.0, 0.0, 0.0]}
MOTIONS |= {name: [0.1] * 3 for name in ("ra_error", "dec_error", "pmra_error", "pmdec_error")}


@pytest.mark.parametrize("given", ["name", "table", "configuration", "column"])
def test_motions_are_applied_however_the_epoch_is_known(tmp_path, given):
    """Before, without a column they were not, and the result said that it held at the observation's epoch."""
    table = Table(MOTIONS)
    if given == "table":
        table.meta["REF_EPOCH"] = "J2016.0"
    if given == "column":
        table["ref_epoch"] = [2016.0] * 3
    table.write(tmp_path / "user.ecsv")
    name = "GAIAeDR3" if given == "name" else "mine"
    found = load_catalog(tmp_path / "user.ecsv", name, epoch=2016.0 if given == "configuration" else None)
    assert found.meta.get("epoch_from") == (None if given == "column" else given)
    out = at_epoch(found, 2003.0)
    moved = (np.asarray(out["RA"]) - found["RA"]) * 3.6e6 * np.cos(np.radians(1.0))
    assert list(moved) == pytest.approx([-650.0, 650.0, -390.0], abs=0.01)
    assert list(out["sigma"]) == pytest.approx([np.hypot(0.1, 1.3)] * 3)
    assert list(out["epoch"]) == [2003.0] * 3


def test_what_is_said_of_a_row_goes_before_what_is_said_of_all():
    table = Table({**MOTIONS, "epoch": [2010.0, np.nan, 2012.0]}, meta={"ref_epoch": 2014.0})
    assert list(normalise(table, "GAIADR3", "x")["epoch"]) == [2010.0, 2014.0, 2012.0]
    assert list(normalise(table, "GAIADR3", "x", 2011.0)["epoch"]) == [2010.0, 2011.0, 2012.0]
    table.meta["ref_epoch"] = "the usual"
    assert list(normalise(table, "GAIADR3", "x")["epoch"]) == [2010.0, 2016.0, 2012.0]


def test_motions_without_an_epoch_are_an_error(tmp_path):
    Table(MOTIONS, meta={"EPOCH": 2000.0}).write(tmp_path / "user.fits")  # that is the equinox, in old files
    found = load_catalog(tmp_path / "user.fits", "mine")
    with pytest.raises(SnakedrizError, match=r"user\.fits: 3 of 3 rows have a proper motion but no epoch") as error:
        at_epoch(found, 2003.0)
    assert "name: mine, ..., epoch: 2016.0" in str(error.value.remedy)
    assert "ref_epoch" in str(error.value.remedy)
    # VizieR computes RAJ2000 for Gaia at 2000.0, others give 2016.0 under that name: nobody knows
    j2000 = Table({"RAJ2000": [10.0], "DEJ2000": [1.0], "pmRA": [5.0], "pmDE": [5.0]})
    with pytest.raises(SnakedrizError, match="no epoch"):
        at_epoch(normalise(j2000, "GAIADR3", "x"), 2003.0)
    assert at_epoch(normalise(j2000, "UCAC4", "x"), 2003.0).meta["moved"] == 1  # J2000.0 in every sense


def test_with_neither_motions_nor_an_epoch_rows_stay():
    """As a catalogue made from the observation itself: nothing tells how much to add."""
    table = normalise(Table({"ra": [10.0], "dec": [1.0], "ra_error": [2.0], "dec_error": [2.0]}), "mine", "x")
    out = at_epoch(table, 2003.0)
    assert (out["RA"][0], out["sigma"][0], out.meta["without_epoch"]) == (10.0, 2.0, 1)
    known = normalise(Table({"ra": [10.0], "dec": [1.0], "ra_error": [2.0], "dec_error": [2.0]}), "GAIADR2", "x")
    assert at_epoch(known, 2005.5)["sigma"][0] == pytest.approx(np.hypot(2.0, 10 * PM_SCATTER_MAS_YR))


def test_footprint_across_zero_and_order():
    ra = np.array([359.99, 0.0, 0.01, 0.05, 180.0])
    table = Table({"RA": ra, "DEC": np.zeros(5), "mag": [20.0, np.nan, 18.0, 17.0, 16.0]})
    square = np.array([[359.98, -0.01], [0.02, 0.01], [359.98, 0.01], [0.02, -0.01]])
    out = cut_to_footprint(table, [square])
    assert list(out["RA"]) == [0.01, 359.99, 0.0]  # brightest first, without magnitude last; 180 deg away is out
    # 0.05 deg lies 0.03 deg = 108 arcsec outside.
    assert len(cut_to_footprint(table, [square], margin_arcsec=107)) == 3
    assert len(cut_to_footprint(table, [square], margin_arcsec=109)) == 4
    each = np.array([107.0, 0.0, 0.0, 109.0, 0.0])  # a margin for each row
    assert list(cut_to_footprint(table, [square], margin_arcsec=each)["RA"]) == [0.05, 0.01, 359.99, 0.0]
    with pytest.raises(SnakedrizError, match="three corners"):
        cut_to_footprint(table, [square[:2]])
    with pytest.raises(SnakedrizError, match="no outline"):
        cut_to_footprint(table, [])


def test_real_gaia_rows():
    folder = shared("gaia_47tuc")
    rows = load_catalog(folder / "gaia_only_47tuc_2472.csv", "GAIAeDR3")
    assert len(rows) == 2472
    assert rows["objID"][0] == "20102011294157"
    full = load_catalog(folder / "1712337806100O-result.ecsv", "GAIAeDR3")
    assert len(full) == 5
    assert full["epoch"][0] == 2016.0
    assert np.isfinite(full["mag"]).all()
    moved = at_epoch(full, 2002.28)
    assert np.isfinite(moved["sigma"]).all()
    # The third row has pm (-30.1, 7.3) mas/yr over -13.72 yr.
    cos = np.cos(np.radians(full["DEC"][2]))
    assert (moved["RA"][2] - full["RA"][2]) * cos * 3.6e6 == pytest.approx(30.1195 * 13.72, abs=0.1)
