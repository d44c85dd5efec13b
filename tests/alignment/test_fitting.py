"""Fits of simulated visits with known pointing errors: the truth is recovered, or the fit is refused."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from helpers.displaced_visit import SCALE, WFC, against_truth, catalogue, in_all_exposures, synthetic, turned
from snakedriz.alignment.exposure_sources import ExposureSources
from snakedriz.alignment.fitting import fit
from snakedriz.catalogs.reference import at_epoch, load_catalog
from snakedriz.detection.sources import find_sources
from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers.rootnames import ExposureKey


@pytest.fixture(scope="module")
def observed(visit):
    """The visit's exposures with sources from their pixels, cosmic rays and all."""
    truth, skeletons = visit
    return [
        ExposureSources(p.name[:9], skeletons[ExposureKey.parse(p)], find_sources(p, WFC), 500.0, truth.visit.epoch)
        for p in truth.flc
    ]


@pytest.fixture(scope="module")
def gaia(visit):
    return at_epoch(load_catalog(visit[0].gaia, "GAIAeDR3"), visit[0].visit.epoch)


def test_pixels_to_catalogue_with_a_displaced_exposure(visit, observed, gaia):
    result = fit(observed, gaia, "relative", "rscale", WFC, "GAIAeDR3")
    assert (result.outcome, result.fit_quality, result.wcs_kind) == ("ok", 1, "REL"), result.quality_reason
    offsets, worst = against_truth(visit, observed, result)
    # 60 stars with 1 mas each and 0.02 px / sqrt(3): 0.15 mas per axis for the zero point; three times that.
    assert np.abs(offsets.mean(axis=0)).max() < 0.5
    # Relative: 100 stars of 0.02 to 0.1 px give 0.004 px; asked for is 0.02 px = 1 mas.
    assert np.abs(offsets - offsets.mean(axis=0)).max() < 0.02 * SCALE * 1000
    assert worst < 2.0
    moved = np.array([e.relative.shift_px for e in result.exposures])
    assert np.abs(moved[2] - [3.0, 4.0]).max() < 0.02  # (x west, y north): 0.15 arcsec east to undo, 0.20 to the north
    assert np.abs(np.delete(moved, 2, axis=0)).max() < 0.02  # the displaced one does not draw the others along
    assert result.zero_point_error_mas < 0.3
    assert result.nmatches <= len(gaia)  # stars, not sightings
    assert sum(e.nmatches for e in result.exposures) > 2 * result.nmatches


@pytest.mark.parametrize(
    ("size", "degrees", "scale"), [(0.1, 0, 1), (1.0, 0, 1), (10.0, 0, 1), (1.0, 0.05, 1.0), (1.0, -0.02, 1.0002)]
)
def test_relative_fit_repairs_displacement_rotation_and_scale(visit, size, degrees, scale):
    rng = np.random.default_rng(int(size * 10))
    moved = turned(synthetic(visit, rng), 1, degrees, scale, ra=0.6 * size * SCALE, dec=0.8 * size * SCALE)
    result = fit(moved, catalogue(visit, rng), "relative", "rscale", WFC, "GAIAeDR3")
    offsets, worst = against_truth(visit, moved, result)
    # 100 shared stars, 0.02 px each: 0.002 px per axis; asked for is 0.02 px.
    assert np.abs(offsets - offsets.mean(axis=0)).max() / (SCALE * 1000) < 0.012
    # Corners at 600 px: rotation known to 0.02 px / (sqrt(100) 350 px) gives 0.004 px; with the catalogue's part,
    # 1 mas / sqrt(80) x sqrt(1 + (600/350)^2) = 0.22 mas per axis. Five times the sum in quadrature.
    assert worst < 1.5
    # Turned by `degrees` from east to north; undone from north to east, which is a growing position angle.
    assert result.exposures[1].rotation_deg == pytest.approx(degrees, abs=0.002)
    assert result.exposures[1].scale == pytest.approx(1 / scale, abs=3e-5)
    assert result.fit_quality == 1


@pytest.mark.parametrize("stars", [4, 6, 10, 20])
def test_few_reference_stars(visit, stars):
    rng = np.random.default_rng(stars)
    start = synthetic(visit, rng)
    reference = catalogue(visit, rng, rows=in_all_exposures(visit)[:stars])
    result = fit(start, reference, "relative", "rscale", WFC, "GAIAeDR3")
    assert (result.outcome, result.nmatches) == ("ok", stars), result.reason
    offsets, _ = against_truth(visit, start, result)
    assert result.fitgeom_used == "rscale"  # few stars widen the errors, and switch nothing off
    assert np.abs(offsets.mean(axis=0)).max() < 4 * np.hypot(1.0 / np.sqrt(stars), 0.1)
    assert np.abs(offsets - offsets.mean(axis=0)).max() / (SCALE * 1000) < 0.02  # relative geometry is kept


def test_wrong_catalogue_is_refused(visit):
    rng = np.random.default_rng(9)
    start = synthetic(visit, rng)
    right = catalogue(visit, rng)
    for trial in range(8):
        wrong = right.copy()
        wrong["RA"] = rng.uniform(right["RA"].min(), right["RA"].max(), len(right))
        wrong["DEC"] = rng.uniform(right["DEC"].min(), right["DEC"].max(), len(right))
        result = fit(start, wrong, "relative" if trial % 2 else "2dhist", "rscale", WFC, "GAIAeDR3")
        assert (result.outcome, result.fit_quality, result.valid) == ("failed", 5, False)
        assert "no significant peak" in result.reason or "not significant" in result.reason


def test_what_does_not_apply(visit, gaia):
    rng = np.random.default_rng(12)
    start = synthetic(visit, rng)
    one = fit(start[:1], gaia, "relative", "rscale", WFC, "x")
    assert (one.outcome, one.fit_quality) == ("not_applicable", 5)
    assert fit(start[:1], catalogue(visit, rng), "2dhist", "rscale", WFC, "x").fit_quality == 1
    nothing = fit(start, gaia[:0], "relative", "rscale", WFC, "x")
    assert "0 rows" in nothing.reason
    poor = [replace(e, sources=e.sources[:2]) for e in start]
    assert "too few usable sources" in fit(poor, gaia, "2dhist", "rscale", WFC, "x").reason
    with pytest.raises(SnakedrizError, match="method"):
        fit(start, gaia, "triangles", "rscale", WFC, "x")
    with pytest.raises(SnakedrizError, match="geometry"):
        fit(start, gaia, "relative", "cubic", WFC, "x")


def test_duplicated_sources_change_nothing_much(visit):
    rng = np.random.default_rng(13)
    start = synthetic(visit, rng)
    ref = catalogue(visit, rng)
    plain = fit(start, ref, "relative", "rscale", WFC, "x")
    doubled = []
    for e in start:
        twice = e.sources.copy()
        twice["x"] += 0.01
        doubled.append(replace(e, sources=Table(np.concatenate([np.asarray(e.sources), np.asarray(twice)]))))
    double = fit(doubled, ref, "relative", "rscale", WFC, "x")
    assert double.nmatches == pytest.approx(plain.nmatches, abs=3)
    offsets, _ = against_truth(visit, doubled, double)
    assert np.abs(offsets).max() < 1.5  # 0.01 px = 0.5 mas from the duplicates, 0.3 mas from the catalogue


def test_proper_motions_and_epoch(visit):
    """Ignoring 3.7 years of 5 mas/yr is seen as an RMS of 26 mas, or most stars are outliers; else the RMS is 2 mas."""
    rng = np.random.default_rng(14)
    start = synthetic(visit, rng)
    now = catalogue(visit, rng)
    pmra, pmdec = rng.normal(0, 5.0, (2, len(now)))
    years = 16.0 - 12.3
    then = Table(
        {
            "RA": now["RA"] + pmra * years / 3.6e6 / np.cos(np.radians(now["DEC"])),
            "DEC": now["DEC"] + pmdec * years / 3.6e6,
            "mag": now["mag"],
            "ra_error": now["sigma"],
            "dec_error": now["sigma"],
            "pmra": pmra,
            "pmdec": pmdec,
            "pmra_error": np.full(len(now), 0.05),
            "pmdec_error": np.full(len(now), 0.05),
            "epoch": np.full(len(now), 2016.0),
            "objID": now["objID"],
        }
    )
    right = fit(start, at_epoch(then, 2012.3), "relative", "rscale", WFC, "x")
    late = fit(start, at_epoch(then, 2016.0), "relative", "rscale", WFC, "x")
    # 2 axes of 1 mas (catalogue) and 1 mas (0.02 px): 2 mas; 5 mas/yr x 3.7 yr = 18.5 mas per axis.
    assert right.total_rms_mas < 2.6
    assert not late.valid or late.total_rms_mas > 8


def test_result_is_an_artefact_and_repeats(visit, tmp_path):
    rng = np.random.default_rng(15)
    start, ref = synthetic(visit, rng), catalogue(visit, rng)
    one, two = (fit(start, ref, "relative", "rscale", WFC, "x") for _ in range(2))
    assert one == two
    one.write(tmp_path / "fit.json")
    assert type(one).read(tmp_path / "fit.json").to_json() == one.to_json()
