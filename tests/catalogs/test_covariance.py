"""Errors at the epoch of an observation, against random stars that move through space."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Distance, SkyCoord, get_body_barycentric
from astropy.table import Table
from astropy.time import Time
from helpers.shared_data import shared
from snakedriz.catalogs import covariance, reference

ERRORS = {"ra_error": 0.5, "dec_error": 0.4, "parallax_error": 0.6, "pmra_error": 0.15, "pmdec_error": 0.1}
#: A correlation matrix that exists (it is checked to be positive), with every element of its own.
CORRELATIONS = {
    "ra_dec_corr": 0.35, "ra_parallax_corr": -0.3, "ra_pmra_corr": -0.4, "ra_pmdec_corr": 0.2,
    "dec_parallax_corr": 0.25, "dec_pmra_corr": 0.1, "dec_pmdec_corr": -0.5, "parallax_pmra_corr": 0.3,
    "parallax_pmdec_corr": -0.2, "pmra_pmdec_corr": 0.15,
}  # fmt: skip
NAMES = ("ra", "dec", "parallax", "pmra", "pmdec")


def star(name="g", **columns):
    row = {"ra": 80.0, "dec": -68.0, "parallax": 20.0, "pmra": 150.0, "pmdec": -90.0, "ref_epoch": 2016.0}
    return reference.normalise(Table({k: [v] for k, v in {**row, **ERRORS, **columns}.items()}), name, "made here")


def matrix(errors, correlations):
    """Return the covariance (5, 5) of the parameters in the order of `NAMES`, put together element by element."""
    sigma = [errors[f"{name}_error"] for name in NAMES]
    found = np.diag(np.square(sigma))
    for i in range(5):
        for j in range(i + 1, 5):
            found[i, j] = found[j, i] = correlations.get(f"{NAMES[i]}_{NAMES[j]}_corr", 0.0) * sigma[i] * sigma[j]
    return found


def seen(ra, dec, parallax, pmra, pmdec, years_from, to):
    """Return unit vectors from the Earth to stars: they move along straight lines in space, and are somewhere."""
    distance = Distance(parallax=parallax * u.mas)
    there = SkyCoord(
        ra * u.deg, dec * u.deg, distance, pm_ra_cosdec=pmra * u.mas / u.yr, pm_dec=pmdec * u.mas / u.yr,
        radial_velocity=np.zeros(len(ra)) * u.km / u.s, obstime=Time(years_from, format="jyear", scale="tcb"),
    ).apply_space_motion(new_obstime=Time(to, format="jyear", scale="tcb"))  # fmt: skip
    earth = get_body_barycentric("earth", Time(to, format="jyear", scale="tdb"), ephemeris="builtin")
    away = (there.cartesian.xyz.to_value("au").T - earth.xyz.to_value("au")).T
    return away / np.linalg.norm(away, axis=0)


def east_and_north(vectors, ra, dec):
    """Return offsets (mas), shape (2, n), from a place (deg)."""
    a, d = np.radians(ra), np.radians(dec)
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    return np.degrees([east @ vectors, north @ vectors]) * 3.6e6


def scatter(row, wanted, to, n=20000):
    """Return the offsets (2, n) from a propagated row of stars drawn from the covariance of its catalogue's row."""
    rng = np.random.default_rng(12)
    drawn = rng.multivariate_normal(np.zeros(5), wanted, n).T
    cos = np.cos(np.radians(row["DEC"]))
    return seen(
        row["RA"] + drawn[0] / 3.6e6 / cos, row["DEC"] + drawn[1] / 3.6e6, row["parallax"] + drawn[2],
        row["pmra"] + drawn[3], row["pmdec"] + drawn[4], row["epoch"], to,
    )  # fmt: skip


@pytest.mark.parametrize("epoch", [1994.3, 2003.05, 2024.6])
def test_full_covariance_against_stars_drawn_from_it(epoch):
    """20,000 draws know an error to 0.5 per cent and a correlation to 0.007: 4 sigma are 2 per cent and 0.03."""
    wanted = matrix(ERRORS, CORRELATIONS)
    assert np.linalg.eigvalsh(wanted)[0] > 0
    table = star(**CORRELATIONS)
    moved = reference.at_epoch(table, epoch, parallax=True)[0]
    away = east_and_north(scatter(table[0], wanted, epoch), moved["RA"], moved["DEC"])
    assert away.std(axis=1) == pytest.approx([moved["ra_error"], moved["dec_error"]], rel=0.02)
    assert np.corrcoef(away)[0, 1] == pytest.approx(moved["ra_dec_corr"], abs=0.03)
    assert np.abs(away.mean(axis=1)).max() < 4 * moved["sigma"] / np.sqrt(away.shape[1]) + 0.01
    assert moved["sigma"] == pytest.approx(np.hypot(moved["ra_error"], moved["dec_error"]) / np.sqrt(2))


def test_real_gaia_rows():
    """Rows as the Gaia archive gives them, with all correlations; one with a parallax of many times its error."""
    table = reference.load_catalog(shared("gaia_47tuc") / "1712337806100O-result.ecsv", "GAIADR3")
    raw = Table.read(shared("gaia_47tuc") / "1712337806100O-result.ecsv")
    whole = np.flatnonzero(np.isfinite(covariance.column(table, "pmra")))
    assert len(whole) >= 2
    moved = reference.at_epoch(table, 2002.28, parallax=True)
    for i in whole:
        errors = {f"{name}_error": float(raw[f"{name}_error"][i]) for name in NAMES}
        rho = {name: float(raw[name][i]) for name in CORRELATIONS}
        scale, noise = max(1.0, float(raw["ruwe"][i])), float(raw["astrometric_excess_noise"][i])
        noise *= float(raw["astrometric_excess_noise_sig"][i]) > 2
        wanted = matrix(errors, rho) * scale**2 + np.diag([noise**2, noise**2, 0, 0, 0])
        years = 2002.28 - 2016.0
        linear = np.array([[1, 0, 0, years, 0], [0, 1, 0, 0, years]])
        plain = linear @ wanted @ linear.T
        # the parallax adds at most its error (or, not applied, itself) in each axis
        most = 1.02 * max(float(raw["parallax"][i]), 0) + 1.02 * errors["parallax_error"] * scale
        found = float(moved["ra_error"][i]), float(moved["dec_error"][i])
        assert found == pytest.approx(np.sqrt(np.diag(plain)), abs=most)
        assert min(found) > 5 * 0.9 * min(errors["ra_error"], errors["dec_error"])  # 13.7 years of proper motion


def test_a_parallax_that_is_not_applied_is_in_the_error():
    """It shifts the star all the same: 20 mas times the factor of that day."""
    table = star()
    for epoch in (2003.0, 2003.25):
        applied, not_applied = (reference.at_epoch(table, epoch, parallax=switch)[0] for switch in (True, False))
        shift = np.array([(applied["RA"] - not_applied["RA"]) * np.cos(np.radians(-68.0)),
                          applied["DEC"] - not_applied["DEC"]]) * 3.6e6  # fmt: skip
        assert np.hypot(*shift) > 5
        more = np.array([not_applied[c] ** 2 - applied[c] ** 2 for c in ("ra_error", "dec_error")])
        assert np.sqrt(more) == pytest.approx(np.abs(shift), rel=0.01)
    assert (applied["ra_error"], applied["dec_error"]) < (2.5, 2.5)


def test_ruwe_and_excess_noise_widen_errors_and_drop_nobody():
    """Before, both were read or asked for, and errors stayed as quoted."""
    columns = {"ruwe": [1.0, 0.9, 2.5, np.nan, 1.0, 1.0, 1.0], "parallax": [0.0] * 7, "parallax_error": [0.0] * 7}
    noise = {"astrometric_excess_noise": [0.0, 0.0, 0.0, 0.0, 3.0, 3.0, np.nan],
             "astrometric_excess_noise_sig": [0.0, 0.0, 0.0, 0.0, 1.9, 12.0, np.nan]}  # fmt: skip
    base = {"ra": [10.0] * 7, "dec": [0.0] * 7, "pmra": [1.0] * 7, "pmdec": [1.0] * 7, "ref_epoch": [2016.0] * 7}
    base |= {name: [0.3] * 7 for name in ("ra_error", "dec_error")} | {
        n: [0.1] * 7 for n in ("pmra_error", "pmdec_error")
    }
    out = reference.at_epoch(reference.normalise(Table({**base, **columns, **noise}), "g", "x"), 2006.0)
    plain = np.hypot(0.3, 1.0)
    assert list(out["sigma"]) == pytest.approx([plain, plain, 2.5 * plain, plain, plain, np.hypot(plain, 3.0), plain])
    assert len(out) == 7
    assert out.meta["widened"] == 2
    no_significance = reference.normalise(Table({**base, "epsi": [3.0] * 7}), "g", "x")  # as VizieR calls it
    assert list(reference.at_epoch(no_significance, 2006.0)["sigma"]) == pytest.approx([np.hypot(plain, 3.0)] * 7)
    assert not {"ruwe", "excess_noise", "excess_noise_sig"} & set(out.colnames)  # they are in the errors


def test_without_a_motion_the_scatter_of_motions_is_the_error():
    table = star(pmra=np.nan, pmdec=np.nan, parallax=np.nan, parallax_error=np.nan, ra_dec_corr=0.5)
    row = reference.at_epoch(table, 2006.0)[0]
    drift = 10 * covariance.PM_SCATTER_MAS_YR
    assert (row["ra_error"], row["dec_error"]) == pytest.approx((np.hypot(0.5, drift), np.hypot(0.4, drift)))
    assert row["ra_dec_corr"] == pytest.approx(0.5 * 0.5 * 0.4 / (row["ra_error"] * row["dec_error"]))
    # a motion whose catalogue says no error is known no better
    bare = reference.at_epoch(star(pmra_error=np.nan, pmdec_error=np.nan), 2006.0, parallax=True)[0]
    assert bare["ra_error"] == pytest.approx(np.hypot(0.5, drift), rel=0.001)


def test_correlations_that_contradict_each_other_give_an_error():
    table = star(ra_dec_corr=1.0, ra_pmra_corr=1.0, dec_pmdec_corr=1.0, parallax=0.0, parallax_error=0.0)
    row = reference.at_epoch(table, 2016.0 - 0.5 / 0.15)[0]  # the error of RA cancels
    assert row["ra_error"] == pytest.approx(0.0, abs=1e-6)
    assert -1 <= row["ra_dec_corr"] <= 1
    assert np.isfinite([row["ra_error"], row["dec_error"], row["sigma"]]).all()
