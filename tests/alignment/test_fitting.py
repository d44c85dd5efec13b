"""Fits of simulated visits with known pointing errors: the truth is recovered, or the fit is refused."""

import copy
import logging

import numpy as np
import pytest
from astropy.table import Table
from snakedriz.alignment.fitting import ExposureSources, fit
from snakedriz.candidates import default
from snakedriz.catalogs.reference import at_epoch, load_catalog
from snakedriz.detection.sources import COLUMNS, find_sources
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.settings import detector_settings, load_detectors
from snakedriz.simulate import Visit, simulate_visit
from stwcs.wcsutil import HSTWCS

CONFIG = load_detectors()
WFC = detector_settings(CONFIG, "ACS", "WFC")
SCALE = 0.05  # arcsec per px, to turn px into mas
CENTROID = 0.02  # px per axis, the errors of the synthetic source tables
DISPLACED = {2: (0.15, -0.20)}  # 0.25 arcsec = 5 px


@pytest.fixture(scope="module", autouse=True)
def quiet():
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """Four exposures, 0.53 arcsec off, the third another 0.25 arcsec; two chips with SIP, D2IM and NPOL distortion."""
    made = Visit(chip_shape=(512, 1024), n_stars=300, n_reference=80, exposure_errors=DISPLACED, make_raw=False, seed=5)
    truth = simulate_visit(made, tmp_path_factory.mktemp("fits"))
    skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in truth.flc}
    default.make(skeletons, {"jref": str(truth.ref)})
    return truth, skeletons


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


def synthetic(visit, rng, n=200, contaminants=50, ra=None, dec=None):
    """Source tables made from true sky positions by the true WCS: fast, with Gaussian errors of CENTROID px."""
    truth, skeletons = visit
    stars = truth.star_table[:n]
    ra, dec = np.asarray(stars["ra"]), np.asarray(stars["dec"])
    mag = np.asarray(stars["mag"])
    exposures = []
    for i, path in enumerate(truth.flc):
        rows = []
        for chip, wcs in enumerate(truth.wcs[i], 1):
            nx, ny = wcs.pixel_shape
            x, y = wcs.all_world2pix(ra, dec, 0, tolerance=1e-6, maxiter=50, quiet=True)
            inside = (x > 5) & (y > 5) & (x < nx - 5) & (y < ny - 5)
            xy = np.column_stack([x, y])[inside] + rng.normal(0, CENTROID, (int(inside.sum()), 2))
            xy = np.vstack([xy, rng.uniform([5, 5], [nx - 5, ny - 5], (contaminants, 2))])
            brightness = np.r_[mag[inside], rng.uniform(mag.min(), mag.max(), contaminants)]
            rows.append(np.column_stack([np.full(len(xy), chip), xy, brightness]))
        every = np.vstack(rows)
        table = Table({name: np.zeros(len(every), dtype=kind) for name, kind, _ in COLUMNS})
        table["id"] = np.arange(1, len(every) + 1)
        table["chip"], table["x"], table["y"], table["mag"] = every.T
        table["x_err"] = table["y_err"] = CENTROID
        table["use"] = True
        exposures.append(
            ExposureSources(path.name[:9], skeletons[ExposureKey.parse(path)], table, 500.0, truth.visit.epoch)
        )
    return exposures


def catalogue(visit, rng, n=80, sigma=1.0):
    """The first n stars as a catalogue with errors of `sigma` mas per axis."""
    stars = visit[0].star_table[:n]
    dec = np.asarray(stars["dec"]) + rng.normal(0, sigma, len(stars)) / 3.6e6
    ra = np.asarray(stars["ra"]) + rng.normal(0, sigma, len(stars)) / 3.6e6 / np.cos(np.radians(dec))
    return Table(
        {
            "RA": ra,
            "DEC": dec,
            "mag": stars["mag"],
            "sigma": np.full(len(ra), sigma),
            "objID": np.arange(len(ra)).astype(str),
        },
        meta={"epoch": 2012.0},
    )


def turned(exposures, index, degrees=0.0, scale=1.0, ra=0.0, dec=0.0):
    """Copies, with the pointing of one exposure turned (about CRVAL of its chips), scaled and moved (arcsec)."""
    out = [ExposureSources(e.rootname, copy.deepcopy(e.skeleton), e.sources, e.exptime, e.epoch) for e in exposures]
    reference = out[index].skeleton["SCI", 1].header
    ra0, dec0 = reference["CRVAL1"], reference["CRVAL2"]
    for version in (1, 2):
        h = out[index].skeleton["SCI", version].header
        c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
        turn = np.array([[c, -s], [s, c]])
        cd = turn @ np.array([[h["CD1_1"], h["CD1_2"]], [h["CD2_1"], h["CD2_2"]]])
        (h["CD1_1"], h["CD1_2"]), (h["CD2_1"], h["CD2_2"]) = cd
        cos = np.cos(np.radians(dec0))
        moved = turn @ np.array([(h["CRVAL1"] - ra0) * cos, h["CRVAL2"] - dec0])
        h["CRVAL1"], h["CRVAL2"] = ra0 + moved[0] / cos + ra / 3600 / cos, dec0 + moved[1] + dec / 3600
    return out


def corrected(exposure, result):
    """A skeleton with the corrected keywords written into it."""
    out = copy.deepcopy(exposure.skeleton)
    for chip in result["chips"]:
        header = out["SCI", chip["extver"]].header
        header["CRVAL1"], header["CRVAL2"] = chip["crval"]
        (header["CD1_1"], header["CD1_2"]), (header["CD2_1"], header["CD2_2"]) = chip["cd"]
    return out


def against_truth(visit, exposures, result):
    """Mean offset (east, north; mas) of each exposure's corrected WCS from the truth, and the largest anywhere."""
    offsets, worst = [], 0.0
    for i, (exposure, one) in enumerate(zip(exposures, result["exposures"], strict=True)):
        new, chips = corrected(exposure, one), []
        for k in (1, 2):
            wcs = HSTWCS(new, ext=("SCI", k))
            nx, ny = wcs.pixel_shape
            grid = np.array(np.meshgrid(np.linspace(0, nx - 1, 6), np.linspace(0, ny - 1, 6))).reshape(2, -1)
            true = np.array(visit[0].wcs[i][k - 1].all_pix2world(*grid, 0))
            delta = (np.array(wcs.all_pix2world(*grid, 0)) - true) * 3.6e6
            delta[0] *= np.cos(np.radians(true[1]))
            chips.append(delta)
        both = np.concatenate(chips, axis=1)
        offsets.append(both.mean(axis=1))
        worst = max(worst, float(np.hypot(*both).max()))
    return np.array(offsets), worst


def test_pixels_to_catalogue_with_a_displaced_exposure(visit, observed, gaia):
    result = fit(observed, gaia, "relative", "rscale", WFC, "GAIAeDR3")
    assert (result["outcome"], result["fit_quality"], result["wcs_kind"]) == ("ok", 1, "REL"), result["quality_reason"]
    offsets, worst = against_truth(visit, observed, result)
    # 60 stars with 1 mas each and 0.02 px / sqrt(3): 0.15 mas per axis for the zero point; three times that.
    assert np.abs(offsets.mean(axis=0)).max() < 0.5
    # Relative: 100 stars of 0.02 to 0.1 px give 0.004 px; asked for is 0.02 px = 1 mas.
    assert np.abs(offsets - offsets.mean(axis=0)).max() < 0.02 * SCALE * 1000
    assert worst < 2.0
    moved = np.array([e["relative"]["shift_px"] for e in result["exposures"]])
    assert np.abs(moved[2] - [3.0, 4.0]).max() < 0.02  # (x west, y north): 0.15 arcsec east to undo, 0.20 to the north
    assert np.abs(np.delete(moved, 2, axis=0)).max() < 0.02  # the displaced one does not draw the others along
    assert result["zero_point_error_mas"] < 0.3
    assert result["nmatches"] <= len(gaia)  # stars, not sightings
    assert sum(e["nmatches"] for e in result["exposures"]) > 2 * result["nmatches"]


def test_keywords_reproduce_the_fit_on_both_chips(visit, observed, gaia):
    """CRVAL and CD alone carry the correction, with SIP, D2IM and NPOL in place: better than 1e-6 arcsec."""
    from snakedriz.alignment import fit_result
    from snakedriz.alignment.tangent_plane import place

    result = fit(observed, gaia, "relative", "rscale", WFC, "GAIAeDR3")
    plane, members = place(observed)
    for member, exposure, one in zip(members, observed, result["exposures"], strict=True):
        header = exposure.skeleton["SCI", 1].header
        assert header["CTYPE1"].endswith("-SIP")
        assert {"CPDIS1", "D2IMDIS1"} <= set(header) or {"CPDIS1", "D2IM1"} <= {k.split(".")[0] for k in header}
        work = copy.deepcopy(member)
        first = {c["extver"]: c for c in fit_result._correct_chips(plane, work)}  # identity: nothing may change
        for version, corrector in member.correctors.items():
            assert np.allclose(first[version]["crval"], corrector.original_wcs.wcs.crval, atol=1e-12, rtol=0)
        new = corrected(exposure, one)
        for chip in one["chips"]:
            target = copy.deepcopy(member.correctors[chip["extver"]])
            target.wcs.wcs.crval, target.wcs.wcs.cd = chip["crval"], chip["cd"]
            target.wcs.wcs.set()
            wcs = HSTWCS(new, ext=("SCI", chip["extver"]))
            nx, ny = wcs.pixel_shape
            grid = np.array(np.meshgrid(np.linspace(0, nx - 1, 9), np.linspace(0, ny - 1, 9))).reshape(2, -1)
            a, b = np.array(wcs.all_pix2world(*grid, 0)), np.array(target.det_to_world(*grid))
            assert np.abs(a - b).max() * 3600 < 1e-6


@pytest.mark.parametrize("size", [0.1, 0.5, 1.0, 5.0, 10.0])
def test_relative_fit_repairs_displacements(visit, size):
    rng = np.random.default_rng(int(size * 10))
    start = synthetic(visit, rng)
    moved = turned(start, 1, ra=0.6 * size * SCALE, dec=0.8 * size * SCALE)
    result = fit(moved, catalogue(visit, rng), "relative", "rscale", WFC, "GAIAeDR3")
    offsets, _ = against_truth(visit, moved, result)
    # 100 shared stars, 0.02 px each: 0.002 px per axis; asked for is 0.02 px.
    assert np.abs(offsets - offsets.mean(axis=0)).max() / (SCALE * 1000) < 0.012
    assert result["fit_quality"] == 1


@pytest.mark.parametrize(("degrees", "scale"), [(0.05, 1.0), (-0.02, 1.0002)])
def test_rotation_and_scale_of_one_exposure(visit, degrees, scale):
    rng = np.random.default_rng(3)
    moved = turned(synthetic(visit, rng), 0, degrees, scale, ra=0.1)
    result = fit(moved, catalogue(visit, rng), "relative", "rscale", WFC, "GAIAeDR3")
    _, worst = against_truth(visit, moved, result)
    # Corners at 600 px: rotation known to 0.02 px / (sqrt(100) 350 px) gives 0.004 px; with the catalogue's part,
    # 1 mas / sqrt(80) x sqrt(1 + (600/350)^2) = 0.22 mas per axis. Five times the sum in quadrature.
    assert worst < 1.5
    # Turned by `degrees` from east to north; undone from north to east, which is a growing position angle.
    assert result["exposures"][0]["rotation_deg"] == pytest.approx(degrees, abs=0.002)
    assert result["exposures"][0]["scale"] == pytest.approx(1 / scale, abs=3e-5)


@pytest.mark.parametrize("method", ["2dhist", "default"])
def test_exposures_one_by_one(visit, method):
    rng = np.random.default_rng(6)
    start = synthetic(visit, rng, contaminants=20)
    if method == "default":  # assumes the pointing to be within 10 px = 0.5 arcsec: bring it there
        for i in range(4):
            start = turned(start, i, ra=-0.33, dec=0.38)
    result = fit(start, catalogue(visit, rng), method, "rscale", WFC, "GAIAeDR3")
    assert result["wcs_kind"] == "IMG"
    assert result["outcome"] == "ok", result["reason"]
    offsets, _ = against_truth(visit, start, result)
    # 50 stars of 1 mas and 1 mas (0.02 px): 0.2 mas per axis; four times that.
    assert np.abs(offsets).max() < 0.8


@pytest.mark.parametrize("stars", [4, 6, 10, 20])
def test_few_reference_stars(visit, stars):
    rng = np.random.default_rng(stars)
    start = synthetic(visit, rng)
    result = fit(start, catalogue(visit, rng, n=stars), "relative", "rscale", WFC, "GAIAeDR3")
    if result["outcome"] != "ok":  # four stars of the whole scene need not all lie on the chips
        assert stars == 4
        assert result["fit_quality"] == 5
        return
    offsets, _ = against_truth(visit, start, result)
    assert result["fitgeom_used"] == ("rscale" if result["nmatches"] >= 12 else "shift")
    if result["fitgeom_used"] == "shift":
        assert "one common shift" in result["reason"]
    assert np.abs(offsets.mean(axis=0)).max() < 4 * np.hypot(1.0 / np.sqrt(result["nmatches"]), 0.1)
    assert np.abs(offsets - offsets.mean(axis=0)).max() / (SCALE * 1000) < 0.02  # relative geometry is kept


@pytest.mark.parametrize(("method", "wanted"), [("relative", "rscale"), ("2dhist", "rscale")])
def test_too_few_matches_share_one_shift_and_keep_relative_geometry(visit, method, wanted):
    """6 catalogue stars allow no rscale (12 needed): every exposure gets the same shift, and no turn or scale.

    Exposures 2 px and 5 px off are brought back by the sources in common (relative), not by the catalogue. The other
    method has nothing to bring them back by, so there they agree from the start, but for 0.2 px that nobody touches.
    """
    rng = np.random.default_rng(41)
    start = synthetic(visit, rng, contaminants=10)
    if method == "relative":
        moved = turned(start, 1, ra=0.1)
    else:
        moved = turned(turned(start, 2, ra=-DISPLACED[2][0], dec=-DISPLACED[2][1]), 1, ra=0.01)
    before, _ = against_truth(visit, moved, {"exposures": [as_is(e) for e in moved]})
    result = fit(moved, catalogue(visit, rng, n=8), method, wanted, WFC, "x")
    assert (result["outcome"], result["fitgeom_used"]) == ("ok", "shift"), result["reason"]
    assert "one common shift" in result["reason"]
    after, _ = against_truth(visit, moved, result)
    if method == "relative":
        # 100 shared stars, 0.02 px each: 0.1 mas per axis, in each exposure.
        assert np.abs(after - after.mean(axis=0)).max() < 0.6
        assert abs((before[1] - before[0])[0] - 100.0) < 1.0
    else:
        assert (after[1] - after[0])[0] == pytest.approx(10.0, abs=0.5)
        shifts = after - before
        assert np.abs(shifts - shifts[0]).max() < 1e-3  # the very same shift for all
        assert all(abs(e["rotation_deg"]) < 1e-9 and abs(e["scale"] - 1) < 1e-12 for e in result["exposures"])
    # 5 to 8 stars of 1.4 mas: 0.6 mas per axis, four times that.
    assert np.abs(np.median(after, axis=0)).max() < 2.5 or method == "2dhist"


def as_is(exposure):
    """An exposure's own keywords in the form of a fit's result."""
    headers = {version: exposure.skeleton["SCI", version].header for version in (1, 2)}
    return {
        "chips": [
            {
                "extver": version,
                "crval": [h["CRVAL1"], h["CRVAL2"]],
                "cd": [[h["CD1_1"], h["CD1_2"]], [h["CD2_1"], h["CD2_2"]]],
            }
            for version, h in headers.items()
        ]
    }


def test_quoted_error_covers_the_truth(visit):
    """The zero point's error is honest: 24 fits, two axes, pulls of unit variance (48 of them: 1 +- 0.2)."""
    pulls = []
    for seed in range(24):
        rng = np.random.default_rng(100 + seed)
        start = synthetic(visit, rng, n=60, contaminants=10)
        result = fit(start, catalogue(visit, rng, n=60), "relative", "shift", WFC, "GAIAeDR3")
        offsets, _ = against_truth(visit, start, result)
        pulls.append(offsets.mean(axis=0) / result["zero_point_error_mas"])
    assert 0.4 < np.mean(np.square(pulls)) < 1.6


def test_wrong_catalogue_is_refused(visit):
    rng = np.random.default_rng(9)
    start = synthetic(visit, rng)
    right = catalogue(visit, rng)
    for trial in range(8):
        wrong = right.copy()
        wrong["RA"] = rng.uniform(right["RA"].min(), right["RA"].max(), len(right))
        wrong["DEC"] = rng.uniform(right["DEC"].min(), right["DEC"].max(), len(right))
        result = fit(start, wrong, "relative" if trial % 2 else "2dhist", "rscale", WFC, "GAIAeDR3")
        assert (result["outcome"], result["fit_quality"], result["valid"]) == ("failed", 5, False)
        assert "no significant peak" in result["reason"] or "not significant" in result["reason"]


def test_exposure_that_cannot_be_tied(visit):
    rng = np.random.default_rng(10)
    start = synthetic(visit, rng)
    ref = catalogue(visit, rng)
    empty = start[1].sources[:0]
    few = [
        ExposureSources(e.rootname, e.skeleton, empty if i == 1 else e.sources, e.exptime, e.epoch)
        for i, e in enumerate(start)
    ]
    result = fit(few, ref, "relative", "rscale", WFC, "GAIAeDR3")
    assert [e["status"] for e in result["exposures"]] == ["fitted", "kept", "fitted", "fitted"]
    assert few[1].rootname in result["reason"]
    offsets, _ = against_truth(visit, few, result)
    # It keeps its pointing relative to the undisplaced majority, which was right.
    assert np.abs(offsets[1] - offsets[0]).max() < 1.0
    alone = [
        ExposureSources(e.rootname, e.skeleton, empty if i else e.sources, e.exptime, e.epoch)
        for i, e in enumerate(start)
    ]
    result = fit(alone, ref, "relative", "rscale", WFC, "GAIAeDR3")
    assert result["outcome"] == "failed"
    assert "no two exposures" in result["reason"]


def test_untied_exposure_that_lies_elsewhere_is_fitted_alone(visit):
    rng = np.random.default_rng(11)
    start = synthetic(visit, rng, contaminants=5)
    # Exposure 1 shares no source with the others, but has 40 catalogue stars of its own, and is displaced by 5 px.
    table = start[1].sources.copy()
    keep = np.arange(len(table)) % 2 == 0
    start[1].sources = table[keep]
    for i in (0, 2, 3):
        mine = {round(float(m), 9) for m in table["mag"][keep]}
        other = start[i].sources
        start[i].sources = other[[round(float(m), 9) not in mine for m in other["mag"]]]
    start = turned(start, 1, ra=0.15, dec=0.2)
    result = fit(start, catalogue(visit, rng, n=200), "relative", "rscale", WFC, "GAIAeDR3")
    assert result["exposures"][1]["status"] == "fitted alone", result["reason"]
    offsets, _ = against_truth(visit, start, result)
    assert np.abs(offsets).max() < 2.0  # 40 stars: 0.25 mas, plus 0.05 deg of roll error at most; the 250 mas are gone


def test_what_does_not_apply(visit, gaia):
    rng = np.random.default_rng(12)
    start = synthetic(visit, rng)
    one = fit(start[:1], gaia, "relative", "rscale", WFC, "x")
    assert (one["outcome"], one["fit_quality"]) == ("not_applicable", 5)
    assert fit(start[:1], catalogue(visit, rng), "2dhist", "rscale", WFC, "x")["fit_quality"] == 1
    nothing = fit(start, gaia[:0], "relative", "rscale", WFC, "x")
    assert "0 rows" in nothing["reason"]
    for e in start:
        e.sources = e.sources[:2]
    assert "too few usable sources" in fit(start, gaia, "2dhist", "rscale", WFC, "x")["reason"]
    with pytest.raises(SnakedrizError, match="method"):
        fit(start, gaia, "triangles", "rscale", WFC, "x")
    with pytest.raises(SnakedrizError, match="geometry"):
        fit(start, gaia, "relative", "cubic", WFC, "x")


def test_duplicated_sources_change_nothing_much(visit):
    rng = np.random.default_rng(13)
    start = synthetic(visit, rng)
    ref = catalogue(visit, rng)
    plain = fit(start, ref, "relative", "rscale", WFC, "x")
    for e in start:
        twice = e.sources.copy()
        twice["x"] += 0.01
        e.sources = Table(np.concatenate([np.asarray(e.sources), np.asarray(twice)]))
    double = fit(start, ref, "relative", "rscale", WFC, "x")
    assert double["nmatches"] == pytest.approx(plain["nmatches"], abs=3)
    offsets, _ = against_truth(visit, start, double)
    assert np.abs(offsets).max() < 1.5  # 0.01 px = 0.5 mas from the duplicates, 0.3 mas from the catalogue


def test_proper_motions_and_epoch(visit):
    """Ignoring 13.7 years of 5 mas/yr is seen as an RMS of 70 mas, applying them as one of 2 mas."""
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
    assert right["total_rms_mas"] < 2.6
    assert late["outcome"] != "ok" or late["total_rms_mas"] > 8


def test_result_is_json_and_repeats(visit, tmp_path):
    from snakedriz.files import read_json, write_json

    rng = np.random.default_rng(15)
    start, ref = synthetic(visit, rng), catalogue(visit, rng)
    one, two = (fit(start, ref, "relative", "rscale", WFC, "x") for _ in range(2))
    assert one == two
    write_json(tmp_path / "fit.json", one)
    assert read_json(tmp_path / "fit.json") == one
    e = one["exposures"][0]
    # True root mean square about zero, of separations.
    assert e["rms_mas"] == pytest.approx(np.hypot(e["rms_ra_mas"], e["rms_dec_mas"]))
    matches = e["matches"]
    assert e["rms_ra_mas"] == pytest.approx(np.sqrt(np.mean(np.square(matches["d_ra_mas"]))), abs=1e-3)
