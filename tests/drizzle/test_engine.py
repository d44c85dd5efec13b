"""AstroDrizzle through our door, on a simulated visit: CR flags, singles, product, masks."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from snakedriz.candidates import apriori, default
from snakedriz.drizzle import engine
from snakedriz.drizzle import singles as singles_
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.simulate import measure_offsets

PARAMETERS = {
    "driz_sep_bits": "336", "final_bits": "336", "combine_type": "minmed", "driz_cr_snr": "3.5 3.0",
    "driz_cr_scale": "1.5 1.2", "final_wht_type": "EXP", "final_units": "cps", "skyclip": 5.0,
}  # fmt: skip


def exposures(visit, skeletons):
    return [
        engine.Exposure(path.stem[:9], "flc", path, skeletons[ExposureKey.parse(path)], 500.0) for path in visit.flc
    ]


@pytest.fixture(scope="module")
def drizzled(small_visit, tmp_path_factory):
    """A flagging run with the default WCS, and a run with the guide-star WCS that reuses its flags."""
    folder = tmp_path_factory.mktemp("drizzled")
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in small_visit.data.iterdir()}
    skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
    default.make(skeletons, {"jref": str(small_visit.ref)})
    with (folder / "a.log").open("w") as log:
        engine.drizzle(
            exposures(small_visit, skeletons), PARAMETERS, "flag", folder / "a_drc.fits", folder / "a_crmask.fits",
            folder / "a_singles.fits", temporary_directory=folder, log=log,
        )  # fmt: skip
    apriori.make(skeletons, None, [str(small_visit.offsets)])
    with (folder / "b.log").open("w") as log:
        engine.drizzle(
            exposures(small_visit, skeletons), PARAMETERS, "reuse", folder / "b_drc.fits", folder / "b_crmask.fits",
            folder / "b_singles.fits", reuse=folder / "a_crmask.fits", temporary_directory=folder, log=log,
        )  # fmt: skip
    after = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in small_visit.data.iterdir()}
    assert after == before
    return folder


def test_products_are_where_their_wcs_says(small_visit, drizzled):
    """The default product is off by the pointing error, the a priori one by what the guide stars leave.

    About 20 stars of 1 to 3 mas each in two exposures: the median is good to about 1 mas.
    """
    for name, expected in (("a", (350.0, -400.0)), ("b", (30.0, -20.0))):
        summary = measure_offsets(drizzled / f"{name}_drc.fits", small_visit).meta["summary"]
        assert summary["n"] >= 8
        assert (summary["median_dra_mas"], summary["median_ddec_mas"]) == pytest.approx(expected, abs=2.0)


def test_nothing_is_left_behind(drizzled):
    names = sorted(path.name for path in drizzled.iterdir())
    assert names == sorted(f"{n}{s}" for n in "ab" for s in (".log", "_drc.fits", "_crmask.fits", "_singles.fits"))


def test_reused_flags_are_the_flags_that_were_found(drizzled):
    found, reused = (engine.read_crmask(drizzled / f"{n}_crmask.fits") for n in "ab")
    assert set(found) == {"jdemo1a1q", "jdemo1a2q"}
    for root in found:
        for chip in (1, 2):
            # 1.2 hits per cm2 and s over 500 s and 15 um pixels are 0.14 % of the pixels, several pixels each.
            assert 0.003 < found[root][chip].mean() < 0.05
            np.testing.assert_array_equal(found[root][chip], reused[root][chip])


def test_singles_share_the_product_grid_units_and_masks(drizzled):
    for name in "ab":
        with fits.open(drizzled / f"{name}_singles.fits") as singles, fits.open(drizzled / f"{name}_drc.fits") as out:
            product = out["SCI"].data
            for version in (1, 2):
                image, mask = singles["SCI", version].data, singles["MASK", version].data
                assert image.shape == product.shape == mask.shape
                assert image.dtype == np.dtype(">f4")
                clean = ((mask & 3) == singles_.COVERED) & (product > 0.5) & (product < 30)
                assert clean.sum() > 100
                # The same sky, so the same rate: CRs are in neither, and stars fill most of the pixels chosen.
                assert np.median(image[clean] / product[clean]) == pytest.approx(1.0, abs=0.05)


def test_chips_are_mapped_onto_the_single(drizzled):
    """What an exposure has lies on its chips; the gap between them has neither data nor a chip."""
    with fits.open(drizzled / "a_singles.fits") as singles:
        for version in (1, 2):
            mask, header = singles["MASK", version].data, singles["SCI", version].header
            chips, covered = mask >> singles_.CHIP_SHIFT, (mask & singles_.COVERED) > 0
            # Only the outermost pixels, which a chip covers in part, differ: 4 edges of a frame of some 500 px a side
            assert np.mean((chips > 0) != covered) < 0.015
            assert set(np.unique(chips)) == {0, 1, 2}
            assert np.count_nonzero(chips == 1) == pytest.approx(np.count_nonzero(chips == 2), rel=0.1)
            assert header["NPIXELS"] > 0.8 * np.count_nonzero(covered)
            assert 0.003 < header["CRFLAGS"] / header["NPIXELS"] < 0.05


def test_flagged_pixels_are_mapped_onto_the_single(drizzled):
    """Where the flagging run's single is far above the product, the mask says that a flagged pixel touched it."""
    with fits.open(drizzled / "a_singles.fits") as singles, fits.open(drizzled / "a_drc.fits") as out:
        product = np.nan_to_num(out["SCI"].data)
        image, mask = singles["SCI", 1].data, singles["MASK", 1].data
        # 200 electrons in 500 s above the product, away from stars, whose wings vary with the pixel phase
        hits = (image - product > 0.4) & (product < 0.05) & ((mask & singles_.COVERED) > 0)
        assert hits.sum() > 300
        assert np.mean((mask[hits] & singles_.CR_TOUCHED) > 0) > 0.97


@pytest.mark.parametrize("length", [40, 90])
def test_products_do_not_depend_on_the_clock_the_scratch_directory_or_the_number_of_processes(
    small_visit, drizzled, tmp_path, monkeypatch, length
):
    """Two processes talk through a socket in TMPDIR; where its path is too long for one, one process does it all."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        scratch = Path(short, "x" * (length - len(short) - 1))
        scratch.mkdir()
        monkeypatch.setenv("TMPDIR", str(scratch))
        monkeypatch.setattr(tempfile, "tempdir", None)
        skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
        default.make(skeletons, {"jref": str(small_visit.ref)})
        with (tmp_path / "a.log").open("w") as log:
            engine.drizzle(
                exposures(small_visit, skeletons), PARAMETERS, "flag", tmp_path / "a_drc.fits",
                tmp_path / "a_crmask.fits", tmp_path / "a_singles.fits", cores=2, log=log,
            )  # fmt: skip
    assert ("one process: " in (tmp_path / "a.log").read_text()) == (length > 75)
    for name in ("a_crmask.fits", "a_singles.fits", "a_drc.fits"):
        assert (tmp_path / name).read_bytes() == (drizzled / name).read_bytes(), name


def test_a_failure_names_the_log_and_leaves_no_product(small_visit, tmp_path):
    skeletons = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
    default.make(skeletons, {"jref": str(small_visit.ref)})
    with (tmp_path / "a.log").open("w") as log, pytest.raises(SnakedrizError, match=r"a\.log"):
        engine.drizzle(
            exposures(small_visit, skeletons), {**PARAMETERS, "final_kernel": "no such kernel"}, "flag",
            tmp_path / "a_drc.fits", tmp_path / "a_crmask.fits", temporary_directory=tmp_path, log=log,
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
