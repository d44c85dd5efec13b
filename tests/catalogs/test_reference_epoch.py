"""Proper motion and parallax against an independent computation: straight lines in space, in plain vectors."""

import numpy as np
import pytest
from astropy.table import Table
from snakedriz.catalogs import reference

MAS = np.radians(1 / 3.6e6)


def unit(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def moved(ra, dec, pmra, pmdec, years):
    """Direction after some years of the tangential motion along a straight line (no radial velocity)."""
    a, d = np.radians(ra), np.radians(dec)
    east = np.array([-np.sin(a), np.cos(a), np.zeros_like(a)])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    there = unit(ra, dec) + (pmra * east + pmdec * north) * MAS * years
    return there / np.linalg.norm(there, axis=0)


def separation_mas(ra, dec, direction):
    # the chord is exact enough where the arc is of the order of mas
    return np.linalg.norm(unit(ra, dec) - direction, axis=0) / MAS


@pytest.mark.parametrize("dec", [-85.0, -30.0, 0.0, 72.0])
@pytest.mark.parametrize("ra", [0.00001, 150.0])
def test_200_mas_a_year_over_11_years(ra, dec):
    rng = np.random.default_rng(5)
    n = 300
    angle, size = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 200, n)
    table = Table({
        "ra": (ra + rng.uniform(-0.05, 0.05, n)) % 360, "dec": dec + rng.uniform(-0.05, 0.05, n),
        "pmra": size * np.cos(angle), "pmdec": size * np.sin(angle), "ref_epoch": np.full(n, 2016.0),
    })  # fmt: skip
    out = reference.at_epoch(reference.normalise(table, "g", "made here"), 2005.0)
    truth = moved(table["ra"], table["dec"], table["pmra"], table["pmdec"], -11.0)
    # 0.01 mas: a hundredth of what Gaia's own errors amount to over 11 years
    assert np.max(separation_mas(out["RA"], out["DEC"], truth)) < 0.01
    still = separation_mas(np.asarray(table["ra"]), np.asarray(table["dec"]), truth)
    assert np.max(still) > 1500


@pytest.mark.parametrize(("rho", "expected"), [(0.0, np.hypot(0.5, 1.1)), (1.0, 0.6), (-1.0, 1.6)])
def test_errors_with_correlation(rho, expected):
    # 0.5 mas and 0.1 mas/yr over -11 years: with rho = 1 the two cancel, |0.5 - 1.1|; with -1 they add
    table = reference.normalise(
        Table({"ra": [10.0], "dec": [0.0], "ra_error": [0.5], "dec_error": [0.5], "pmra": [1.0], "pmdec": [1.0],
               "pmra_error": [0.1], "pmdec_error": [0.1], "ref_epoch": [2016.0], "ra_pmra_corr": [rho]}),
        "g", "made here",
    )  # fmt: skip
    out = reference.at_epoch(table, 2005.0)
    assert out["ra_error"][0] == pytest.approx(expected)
    assert out["dec_error"][0] == pytest.approx(np.hypot(0.5, 1.1))


def test_parallax_traces_its_ellipse():
    """At the pole of the ecliptic the parallactic path is a circle of its radius (Earth: 0.983 to 1.017 au)."""
    table = reference.normalise(
        Table({"ra": [270.0, 270.0], "dec": [66.56, 66.56], "pmra": [0.0, 0.0], "pmdec": [0.0, 0.0],
               "ref_epoch": [2016.0] * 2, "parallax": [100.0, 1.0], "parallax_error": [0.1, 0.5]}),
        "g", "made here",
    )  # fmt: skip
    truth = unit(270.0, 66.56)
    places = []
    for epoch in (2016.0, 2016.25, 2016.5, 2016.75):
        out = reference.at_epoch(table, epoch, parallax=True)
        assert out.meta["with_parallax"] == 1  # the other's parallax is twice its error only
        assert 96.5 < separation_mas(out["RA"][0], out["DEC"][0], truth) < 102.5  # 0.98-1.02 au and the barycentre
        assert out["RA"][1] == 270.0
        places.append(unit(out["RA"][0], out["DEC"][0]))
    assert np.linalg.norm(places[0] - places[2]) / MAS == pytest.approx(200, abs=2)  # half a year: the other side
    # at the northern equinox (about 0.22 of the year) the Earth is at -x: the star appears shifted towards +x
    spring = reference.at_epoch(table, 2016.22, parallax=True)
    assert (unit(spring["RA"][0], spring["DEC"][0]) - truth)[0] / MAS == pytest.approx(100, abs=3)
