"""Exposures years apart: each is fitted to where the stars were then."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fit_simulator import SETTINGS, seen_on, sky_on, source_table, start_from_default
from snakedriz.alignment import astrometry, star_motions
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fitting import fit
from snakedriz.alignment.tangent_plane import place
from snakedriz.catalogs import field_catalog
from snakedriz.exposures import field
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.simulate import Visit, simulate_visit

EPOCHS = {"jdemo1a1q": 2004.0, "jdemo1a2q": 2008.0, "jdemo1a3q": 2012.0}
STARS, ERROR_PX = 120, 0.01


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """Exposures 0.35 and -0.40 arcsec off, of stars that move by 60 +- 40 mas a year and axis; the catalogue's file."""
    folder = tmp_path_factory.mktemp("moving")
    visit = Visit(chip_shape=(256, 512), n_exposures=3, n_stars=1, n_galaxies=0, noise=False, cr_rate=0.0,
                  make_raw=False)  # fmt: skip
    truth = simulate_visit(visit, folder)
    skeletons = start_from_default(truth)
    rng = np.random.default_rng(4)
    ra, dec = sky_on(truth.wcs[0], STARS // 2, 20, rng).T  # at 2016.0
    pmra, pmdec = rng.normal(60.0, 40.0, (2, STARS))
    exposures = []
    for path, chips in zip(truth.flc, truth.wcs, strict=True):
        root = path.name[:9]
        years = EPOCHS[root] - 2016.0
        then = ra + pmra * years / 3.6e6 / np.cos(np.radians(dec)), dec + pmdec * years / 3.6e6
        spots = seen_on(chips, *then)
        spots[:, 2:] += rng.normal(0, ERROR_PX, (len(spots), 2))
        table = source_table(spots, ERROR_PX)
        exposures.append(ExposureSources(root, skeletons[ExposureKey.parse(path)], table, 500.0, EPOCHS[root]))
    gaia = Table({
        "ra": ra, "dec": dec, "ra_error": np.full(STARS, 0.1), "dec_error": np.full(STARS, 0.1), "pmra": pmra,
        "pmdec": pmdec, "pmra_error": np.full(STARS, 0.02), "pmdec_error": np.full(STARS, 0.02),
        "mag": 18 + 0.01 * np.arange(STARS), "epoch": np.full(STARS, 2016.0), "objID": np.arange(STARS),
    })  # fmt: skip
    gaia.write(folder / "gaia.ecsv", overwrite=True)
    return exposures, folder / "gaia.ecsv", field.outlines(skeletons), truth


def catalogue(moving, years):
    _, path, outlines, _ = moving
    return field_catalog.in_field(path, "G", {}, outlines, 10.0, years)


def errors(result, truth):
    """How far each exposure's chips are from the truth at their reference pixels, mas (east, north)."""
    found = []
    for exposure, chips in zip(result.exposures, truth.wcs, strict=True):
        for chip, wcs in zip(exposure.chips, chips, strict=True):
            away = (np.array(chip.crval) - wcs.wcs.crval) * 3.6e6
            found.append(away * [np.cos(np.radians(wcs.wcs.crval[1])), 1.0])
    return np.array(found)


@pytest.mark.parametrize("method", ["relative", "2dhist"])
def test_each_exposure_is_fitted_at_its_own_epoch(moving, method):
    """With 0.5 mas (0.01 px) a source and 100 stars a frame is good to 0.05 mas per axis; CRVAL lies outside the stars
    and rotation adds as much again: 0.4 mas. At the mean epoch alone frames are off by 60 mas/yr times 4 years."""
    exposures, _, _, truth = moving
    right = fit(exposures, catalogue(moving, EPOCHS), method, "rscale", SETTINGS, "G")
    assert right.outcome == "ok", right.reason
    assert np.abs(errors(right, truth)).max() < 0.4
    assert right.total_rms_mas < 1.5  # both axes of 0.5 mas, and what is left of the catalogue's 0.1 mas
    assert right.reference.epochs == EPOCHS
    mean = catalogue(moving, dict.fromkeys(EPOCHS, 2008.0))
    wrong = fit(exposures, mean, method, "rscale", SETTINGS, "G")
    # Or the priors, by which exposures of a visit keep together, give up the stars of those that they contradict.
    given_up = min((e.nmatches for e in wrong.exposures), default=0) < 20
    assert wrong.outcome != "ok" or np.abs(errors(wrong, truth)).max() > 20.0 or given_up


def test_errors_grow_to_each_exposure(moving):
    table = catalogue(moving, EPOCHS)
    sigma = np.asarray(table["exposure_sigma"])
    expected = np.hypot(0.1, 0.02 * np.array([12.0, 8.0, 4.0]))
    assert sigma == pytest.approx(np.tile(expected, (len(table), 1)), rel=1e-6)
    assert list(table["sigma"]) == pytest.approx([expected[1]] * len(table))


def test_relative_scatter_is_not_the_motion_of_the_stars(moving):
    """The exposures are true relative to each other: within 0.3 mas, though their stars lie 240 mas apart."""
    exposures, _, _, _ = moving
    found = astrometry.measure("default", exposures, {"G": catalogue(moving, EPOCHS)}, SETTINGS)
    assert found.relative.scatter_mas < 0.3
    east, north = found.absolute.offset_mas
    assert (east, north) == pytest.approx((350.0, -400.0), abs=0.5)


def test_exposures_of_one_hour_are_left_as_they_are(moving):
    exposures, _, _, _ = moving
    plane, placed = place(exposures)
    table = catalogue(moving, {root: 2008.0 + i * 1e-6 for i, root in enumerate(EPOCHS)})
    ref = plane.from_sky(table["RA"], table["DEC"])
    moved, notes = star_motions.to_mean_epoch(placed, ref, star_motions.at_exposures(plane, table), SETTINGS["fitting"])
    assert notes == []
    assert all(one is other for one, other in zip(moved, placed, strict=True))


def test_rows_without_motion_are_kept_or_dropped(moving, tmp_path):
    _, path, outlines, _ = moving
    some = Table.read(path)
    some["pmra"][:20] = np.nan
    some.write(tmp_path / "some.ecsv")
    kept, dropped = (
        field_catalog.in_field(tmp_path / "some.ecsv", "G", {"without_pm": rule}, outlines, 10.0, EPOCHS)
        for rule in ("keep", "drop")
    )
    assert len(kept) == len(dropped) + 20
    # where they are, with an error of 5 mas a year for the 12 years to the first exposure
    assert np.asarray(kept["exposure_sigma"])[:, 0].max() == pytest.approx(60.0, rel=0.01)
    assert np.isfinite(dropped["pmra"]).all()
    assert np.asarray(dropped["exposure_RA"]).shape == (len(dropped), 3)
