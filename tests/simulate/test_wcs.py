"""Positions in simulated visits: sources, pointing errors, guide-star offsets, chip layout, distortion numbers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from snakedriz.simulate import Visit, measure_offsets, read_truth, simulate_visit
from snakedriz.simulate.distortion import FILTERS, TDD, chip_v2v3
from snakedriz.simulate.evaluate import windowed_centroid
from snakedriz.simulate.pixels import add_stars
from snakedriz.simulate.pointing import aperture_position, separation
from stwcs.updatewcs import astrometry_utils, updatehdr, updatewcs
from stwcs.wcsutil import HSTWCS

EXTRA = (0.012, -0.007)
ROLL = 0.05
CLEAN = {"noise": False, "cr_rate": 0.0, "hot_pixels": 0.0, "warm_pixels": 0.0, "bad_columns": 0.0, "n_galaxies": 0}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Noise-free stars without defects; exposure 1 is displaced and exposure 2 is rolled against the others."""
    visit = Visit(
        n_exposures=3,
        chip_shape=(256, 512),
        n_stars=60,
        mag_range=(19.0, 21.0),
        exposure_errors={1: EXTRA},
        exposure_rolls={2: ROLL},
        make_raw=False,
        **CLEAN,
    )
    return simulate_visit(visit, tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def updated(clean, tmp_path_factory):
    """The FLC files of ``clean`` after stwcs has read its reference files through the variable ``jref``."""
    directory = tmp_path_factory.mktemp("updated")
    files = [Path(shutil.copy(p, directory)) for p in clean.flc]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("jref", f"{clean.ref}/")
        for path in files:
            with fits.open(path, mode="update") as hdus:
                updatewcs(hdus, checkfiles=False, use_db=False)
    return files


def difference(path: Path, true: tuple[HSTWCS, HSTWCS]) -> np.ndarray:
    """Sky of the file's solution minus the true one (arcsec, east and north) on a grid of pixels of both chips."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(1, 512, 7), np.linspace(1, 256, 5)))
    result = []
    with fits.open(path) as hdus:
        for version in (1, 2):
            found = np.array(HSTWCS(hdus, ext=("SCI", version)).all_pix2world(x, y, 1))
            right = np.array(true[version - 1].all_pix2world(x, y, 1))
            delta = (found - right) * 3600
            delta[0] *= np.cos(np.deg2rad(right[1]))
            result.append(delta)
    return np.concatenate(result, axis=1)


def test_stars_are_where_the_true_solution_says(clean):
    offsets = []
    for path, solutions in zip(clean.flc, clean.wcs, strict=True):
        with fits.open(path) as hdus:
            for version in (1, 2):
                image = hdus["SCI", version].data.astype(float) - clean.visit.sky * 500.0
                stars = clean.star_table
                near = solutions[version - 1].wcs_world2pix(stars["ra"], stars["dec"], 1)
                near = (near[0] > 0) & (near[0] < 512) & (near[1] > 0) & (near[1] < 256)
                x, y = solutions[version - 1].all_world2pix(stars["ra"][near], stars["dec"][near], 1)
                for i in range(len(x)):
                    alone = np.sort(np.hypot(x - x[i], y - y[i]))[1] > 25
                    if alone and 12 < x[i] < 500 and 12 < y[i] < 244:
                        found = windowed_centroid(image, float(x[i]) - 1.0, float(y[i]) - 1.0)
                        assert found is not None
                        offsets.append((found[0] + 1 - x[i], found[1] + 1 - y[i]))
    assert len(offsets) > 30
    assert np.abs(offsets).max() < 0.01


def test_reported_pointing_is_off_by_the_errors_asked_for(clean, updated):
    for index in (0, 1):
        delta = difference(updated[index], clean.wcs[index])
        expected = np.array(clean.visit.pointing_error) + (np.array(EXTRA) if index == 1 else 0.0)
        # The displaced frame keeps its PA_V3, and so turns by 0.35 arcsec times tan(dec): far below 0.1 mas.
        np.testing.assert_allclose(delta, np.broadcast_to(expected[:, None], delta.shape), atol=2e-4)


def test_roll_error_turns_the_frame_about_the_aperture(clean, updated):
    with fits.open(updated[2]) as hdus:
        assert hdus[0].header["PA_V3"] == pytest.approx(clean.visit.pa_v3 + ROLL, abs=1e-9)
    delta = difference(updated[2], clean.wcs[2]) - np.array(clean.visit.pointing_error)[:, None]
    # A turn by 0.05 deg displaces a point at 10 arcsec by 8.7 mas; the mean over the symmetric grid is nearly zero.
    assert np.hypot(*delta).max() > 0.008
    assert np.hypot(*delta.mean(axis=1)) < 0.001
    with fits.open(updated[2]) as turned, fits.open(updated[0]) as straight:
        angle = turned["SCI", 1].header["ORIENTAT"] - straight["SCI", 1].header["ORIENTAT"]
    assert angle == pytest.approx(ROLL, abs=0.002)


def test_solution_is_named_after_the_idctab_and_has_all_parts(clean, updated):
    with fits.open(updated[0]) as hdus:
        header = hdus["SCI", 1].header
        assert header["WCSNAME"] == "IDC_9d1snakej"
        assert header["CTYPE1"] == "RA---TAN-SIP"
        assert (header["A_ORDER"], header["NPOLEXT"]) == (5, "jref$9d1snakej_npl.fits")
        assert header["D2IMEXT"] == "jref$9d1snakej_d2i.fits"
        assert {h.name for h in hdus} >= {"WCSDVARR", "D2IMARR"}
        assert header["TDD_CTB"] == TDD["TDD_CTB2"]


def test_linear_solution_on_disk_is_free_of_velocity_aberration(clean, updated):
    with fits.open(clean.flc[1]) as plain, fits.open(updated[1]) as full:
        for version in (1, 2):
            before, after = plain["SCI", version].header, full["SCI", version].header
            assert abs(before["VAFACTOR"] - 1) > 4e-5
            ratio = [after[k] / before[k] for k in ("CD1_1", "CD1_2", "CD2_1", "CD2_2")]
            np.testing.assert_allclose(ratio, before["VAFACTOR"], rtol=1e-8)


def test_guide_star_offsets_applied_by_stwcs_leave_the_residual(clean, updated, tmp_path, monkeypatch):
    row = Table.read(clean.offsets, format="ascii.ecsv")[0]
    assert row["deltaRA"] == pytest.approx(row["dGSoutputRA"] - row["dGSinputRA"], abs=1e-12)
    names = [n for n in row.colnames if n != "rootname"]
    body = "".join(f"<{n}>{row[n]}</{n}>" for n in names)
    reply = SimpleNamespace(ok=True, status_code=200, content=f"<r><msg>Success</msg>{body}</r>".encode())
    monkeypatch.setattr(astrometry_utils.requests, "get", lambda url: reply)
    path = Path(shutil.copy(updated[0], tmp_path))
    with fits.open(path, mode="update") as hdus:
        found = astrometry_utils.find_gsc_offset(hdus)
        updatehdr.updatewcs_with_shift(
            hdus,
            found["expwcs"],
            wcsname="TEST",
            reusename=True,
            xsh=found["delta_x"],
            ysh=found["delta_y"],
            force=True,
        )
    delta = difference(path, clean.wcs[0])
    expected = np.broadcast_to(np.array(clean.visit.gsc_residual)[:, None], delta.shape)
    np.testing.assert_allclose(delta, expected, atol=5e-4)


def test_gap_between_the_chips_is_the_real_one(clean, tmp_path):
    def gap(truth):
        rows, columns = truth.visit.chip_shape
        lower, upper = truth.wcs[0]
        start = lower.all_pix2world([[columns / 2, rows + 0.5]], 1)[0]
        end = upper.all_pix2world([[columns / 2, 0.5]], 1)[0]
        return np.hypot(*separation(tuple(start), tuple(end)))

    full = Visit(chip_shape=(2048, 4096), n_exposures=1, n_stars=0, make_flc=False, make_raw=False, **CLEAN)
    full_truth = simulate_visit(full, tmp_path)
    small_gap, full_gap = gap(clean), gap(full_truth)
    for small_wcs, full_wcs in zip(clean.wcs[0], full_truth.wcs[0], strict=True):
        np.testing.assert_allclose(small_wcs.sip.a, full_wcs.sip.a, rtol=1e-12)
        np.testing.assert_allclose(small_wcs.sip.b, full_wcs.sip.b, rtol=1e-12)
    # Time-dependent terms (2e-7 a year per pixel row) and look-up tables act on rows the small frame does not have.
    assert small_gap == pytest.approx(full_gap, abs=0.01)
    assert 2.3 < full_gap < 2.8  # about 50 pixels of 0.05 arcsec


def test_full_frame_keeps_the_real_chip_positions():
    for model in FILTERS.values():
        for chip, position in chip_v2v3(model, (2048, 4096)).items():
            assert position == pytest.approx((model.chips[chip].v2, model.chips[chip].v3), abs=1e-12)


def test_dithers_move_the_stars_along_the_detector(clean):
    star = clean.star_table[0]
    first, second = (w[0].all_world2pix([[star["ra"], star["dec"]]], 1)[0] for w in clean.wcs[:2])
    moved = np.array(clean.visit.dithers[1]) - np.array(clean.visit.dithers[0])
    # Pixels are 0.05 arcsec to a few per cent and the axes are skewed by two degrees: this checks signs and axes.
    np.testing.assert_allclose((second - first) * 0.05, moved, atol=0.2)
    assert np.hypot(*moved) > 2.5


def test_zero_dither_points_the_aperture_at_the_target(clean):
    pointing = SimpleNamespace(facts=SimpleNamespace(shape=clean.visit.chip_shape), wcs=clean.wcs[0])
    assert separation(aperture_position(pointing), (clean.visit.ra, clean.visit.dec)) == pytest.approx((0, 0), abs=1e-5)


def shared_data() -> Path:
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("SNAKEDRIZ_SHARED_DATA", default))


@pytest.mark.filterwarnings("ignore:.*did not parse as fits unit")
@pytest.mark.parametrize("name", sorted(FILTERS))
def test_polynomials_are_those_of_the_real_idctab(name):
    path = shared_data() / "acs_wfc_reference" / "0461802ej_idc.fits"
    if not path.exists():
        pytest.skip(f"real IDCTAB not found at {path} (set SNAKEDRIZ_SHARED_DATA)")
    model = FILTERS[name]
    with fits.open(path) as hdus:
        primary, rows = hdus[0].header, hdus[1].data
        for key, value in TDD.items():
            assert primary[key] == pytest.approx(value, rel=1e-12)
        for chip, numbers in model.chips.items():
            chosen = [
                r for r in rows if (r["DETCHIP"], r["FILTER1"], r["FILTER2"]) == (chip, model.filter1, model.filter2)
            ]
            assert len(chosen) == 1
            row = chosen[0]
            # The table's doubles carry a relative rounding of 1e-15; the literals have nine digits.
            assert (numbers.v2, numbers.v3) == pytest.approx((row["V2REF"], row["V3REF"]), rel=1e-8)
            for letter, triangle in (("X", numbers.cx), ("Y", numbers.cy)):
                for n, values in enumerate(triangle, start=1):
                    real = [row[f"C{letter}{n}{m}"] for m in range(n + 1)]
                    assert list(values) == pytest.approx(real, rel=1e-8, abs=0.0)


def product(path: Path, truth, shift: tuple[float, float]) -> Path:
    """A noise-free TAN image of the scene, its stars displaced by ``shift`` arcsec (east, north)."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"], header["CRPIX1"], header["CRPIX2"] = (
        truth.visit.ra,
        truth.visit.dec,
        400.0,
        400.0,
    )
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -0.05 / 3600, 0.0, 0.0, 0.05 / 3600
    from astropy.wcs import WCS

    stars = truth.star_table
    x, y = WCS(header).all_world2pix(stars["ra"], stars["dec"], 1)
    image = np.full((800, 800), 0.5)
    add_stars(image, x - shift[0] / 0.05, y + shift[1] / 0.05, np.asarray(stars["flux"]))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image.astype(np.float32), header, name="SCI")]).writeto(path)
    return path


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.36, -0.41)])
def test_measure_offsets_finds_a_known_displacement(clean, tmp_path, shift):
    table = measure_offsets(
        product(tmp_path / "p.fits", clean, shift), read_truth(clean.directory), mag_range=(19.0, 21.0)
    )
    summary = table.meta["summary"]
    assert summary["n"] > 15
    # Neighbours 2.5 mag fainter outside 12 pixels do not matter: 0.3 mas is 0.006 pixel.
    np.testing.assert_allclose(table["dra_mas"], shift[0] * 1000, atol=0.3)
    np.testing.assert_allclose(table["ddec_mas"], shift[1] * 1000, atol=0.3)
    assert summary["median_radial_mas"] == pytest.approx(np.hypot(*shift) * 1000, abs=0.3)


def test_measure_offsets_without_stars_says_so(clean, tmp_path):
    fits.writeto(tmp_path / "empty.fits", np.zeros((5, 5), dtype=np.float32))
    table = measure_offsets(tmp_path / "empty.fits", clean, mag_range=(1.0, 2.0))
    assert table.meta["summary"]["n"] == 0
    assert np.isnan(table.meta["summary"]["rms_mas"])
