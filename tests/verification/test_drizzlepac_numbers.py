"""drizzlepac's numbers are what drizzlepac's own functions return on the same files, and its quirks are as measured."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from helpers.drizzled import SCALE, SOLUTION, Scene, write
from snakedriz.artefacts.base import plain
from snakedriz.artefacts.drizzlepac_numbers import DrizzlepacNumbers, FocusStatistics
from snakedriz.artefacts.fit import Fit
from snakedriz.artefacts.solution import Solution
from snakedriz.errors import SnakedrizError
from snakedriz.verification import drizzlepac_numbers

EXAMPLES = Path(__file__).parents[1] / "artefacts" / "examples"
#: Sides large enough for the rebinned window (512 and more) and for the tiled filters to skip tiles.
SIZE = {"shape": (560, 540), "stars": 120}
SCENES = {
    "aligned": Scene(**SIZE),
    "displaced 0.5": Scene(**SIZE, displaced={1: (0.5, 0.0)}),
    "displaced 2": Scene(**SIZE, displaced={1: (2.0, 0.0)}),
    "displaced 10": Scene(**SIZE, displaced={1: (10.0, 0.0)}),
    "sparse": Scene(shape=(560, 540), stars=6),
    "galaxies": Scene(shape=(300, 280), stars=0, galaxies=40, galaxy_flux=2e5),
    "crowded": Scene(shape=(300, 280), stars=2500, brightest=3e5),
    "unequal": Scene(**SIZE, exptimes=(20.0, 300.0, 1000.0)),
    "two": Scene(**SIZE, exptimes=(500.0, 400.0), displaced={0: (3.0, 1.0)}),
    "borders": Scene(**SIZE, dither=25.0),
    "empty": Scene(shape=(560, 540), stars=0, rays=0.0),
    "negative": Scene(**SIZE, sky=0.1, rays=0.0),
}
#: Aligned, and without the cosmic rays that fail the overlap check of other aligned scenes.
CLEAN = {"shape": (560, 540), "stars": 300, "exptimes": (500.0, 500.0), "flags": "true", "rays": 1e-7}


def _linear_header(shape):
    """The WCS of `drizzled.write`, with the keywords that HSTWCS reads."""
    header = fits.Header()
    for axis, (size, value, scale, kind) in enumerate(
        ((shape[1], 150.0, -SCALE, "RA---TAN"), (shape[0], 20.0, SCALE, "DEC--TAN")), start=1
    ):
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"], header[f"CTYPE{axis}"] = size / 2, value, kind
        header[f"CD{axis}_{axis}"], header[f"CD{axis}_{3 - axis}"] = scale / 3600, 0.0
    header["INSTRUME"], header["DETECTOR"], header["ORIENTAT"], header["VAFACTOR"] = "ACS", "WFC", 0.0, 1.0
    return header


def _drizzlepac_files(product, singles, directory):
    """Write the product and separate ``single_sci`` files as AstroDrizzle leaves them; return their paths."""
    paths = []
    with fits.open(singles, memmap=False) as bundle:
        for hdu in (hdu for hdu in bundle[1:] if hdu.name == "SCI"):
            header = _linear_header(hdu.data.shape)
            header["EXPTIME"] = hdu.header["EXPTIME"]
            paths.append(str(directory / f"{hdu.header['ROOTNAME']}_single_sci.fits"))
            fits.PrimaryHDU(hdu.data, header).writeto(paths[-1], overwrite=True)
    with fits.open(product, memmap=False) as hdul:
        image = hdul["SCI"].data
    path = str(directory / "jtest_drc.fits")
    header = _linear_header(image.shape)
    fits.HDUList([fits.PrimaryHDU(None, header), fits.ImageHDU(image, header, name="SCI")]).writeto(
        path, overwrite=True
    )
    return path, paths


@pytest.fixture(scope="module")
def haputils():
    """drizzlepac's own functions, where they can be had."""
    functions = pytest.importorskip(
        "drizzlepac.haputils.astrometric_utils",
        reason="drizzlepac's functions cannot be imported",
        exc_type=ImportError,
    )
    cells = pytest.importorskip("drizzlepac.haputils.cell_utils", exc_type=ImportError)
    logging.disable(logging.CRITICAL)
    yield functions, cells
    logging.disable(logging.NOTSET)


def _theirs(haputils, product, paths, sigma):
    """What run_driz calls: the focus dictionary and the overlap differences, with the mask of its footprints."""
    from stwcs.wcsutil import HSTWCS

    functions, cells = haputils
    footprint = cells.SkyFootprint(HSTWCS(product, ext=("SCI", 1)))
    footprint.build(paths)
    focus = functions.build_focus_dict(paths, product, sigma=sigma)
    with np.errstate(all="ignore"):
        return focus, functions.max_overlap_diff(footprint.total_mask, paths, product, scale=1)


def _same(row, key, theirs):
    """Equal to the bit; None stands for what JSON cannot carry."""
    return row.to_json()[key] == plain(theirs)


def _assert_equal(haputils, found, product, paths, sigma):
    functions, _ = haputils
    focus, overlap = _theirs(haputils, product, paths, sigma)
    for key in ("exp", "prod", "stats", "exp_pos", "prod_pos"):
        assert _same(found.focus, key, focus[key]), key
    with np.errstate(all="ignore"):
        assert found.focus.passed is bool(functions.evaluate_focus(focus))
    for row, path in zip(found.overlap.exposures, paths, strict=True):
        expected = overlap[path]
        # To the bit, the similarity too: the same sums of float32 in the same order.
        for key in ("distance", "num_sources", "product_num_sources", "focus", "product_focus"):
            assert _same(row, key, expected[key]), (row.rootname, key)
        for key in ("focus_pos", "product_focus_pos"):
            expected_place = None if expected[key] == (None, None) else list(expected[key])
            assert row.to_json()[key] == expected_place, key
        for key in ("xslice", "yslice"):
            limits = None if expected[key] is None else [expected[key].start, expected[key].stop]
            assert row.to_json()[key] == limits, key
    passed, largest = functions.evaluate_overlap_diffs(overlap)
    assert found.overlap.passed is bool(passed)
    assert _same(found.overlap, "largest", largest)
    return focus, overlap


@pytest.mark.parametrize("sigma", [1.5, 2.0])
@pytest.mark.parametrize("name", SCENES)
def test_numbers_are_those_of_haputils(haputils, tmp_path, name, sigma):
    if sigma == 2.0 and name not in ("aligned", "unequal", "empty"):
        pytest.skip("the focus width changes one filter only")
    files = write(SCENES[name], tmp_path)
    if name == "negative":  # a background above its noise: not "blank", not smoothed
        for path in files:
            with fits.open(path, mode="update") as hdul:
                for hdu in hdul[1:]:
                    if hdu.name == "SCI":
                        hdu.data += np.float32(1.5)
    found = drizzlepac_numbers.compute(drizzlepac_numbers.read(*files), sigma)
    product, paths = _drizzlepac_files(*files, tmp_path)
    _assert_equal(haputils, found, product, paths, sigma)


def test_blank_exposure_passes_as_in_haputils(haputils, tmp_path):
    files = write(Scene(**CLEAN), tmp_path)
    with fits.open(files[1], mode="update") as hdul:
        hdul["SCI", 2].data[:] = 0
    found = drizzlepac_numbers.compute(drizzlepac_numbers.read(*files), 1.5)
    focus, _ = _assert_equal(haputils, found, *_drizzlepac_files(*files, tmp_path), 1.5)
    assert found.overlap.exposures[1].distance == -1
    assert focus["prod"] == [0.0], "the mask common to all leaves nothing"
    assert found.verified


@pytest.mark.parametrize("corner", [(560, 540), (300, 530)])
def test_similarity_to_default_is_that_of_haputils(haputils, tmp_path, corner):
    """On raw products, NaN and big-endian for drizzlepac, of different sizes too."""
    functions, _ = haputils
    images = []
    for seed, name in ((1, "a"), (2, "b")):
        path, _ = write(Scene(**SIZE, seed=seed, dither=20.0), tmp_path, name)
        images.append((fits.getdata(path, ext=1), drizzlepac_numbers.read_product(path)))
    theirs, ours = zip(*images, strict=True)
    expected = functions.compute_similarity(theirs[0], theirs[1][: corner[0], : corner[1]])
    found = drizzlepac_numbers.similarity(*(np.nan_to_num(i[: corner[0], : corner[1]]) for i in ours))
    if corner != (560, 540):
        found = drizzlepac_numbers.similarity(np.nan_to_num(ours[0]), np.nan_to_num(ours[1][: corner[0], : corner[1]]))
    assert found == float(expected)


def test_focus_verdict_is_that_of_haputils(haputils):
    functions, _ = haputils
    verdicts = set()
    products, spreads = (0.0, 20.0, 79.0, 81.0, 99.0, 101.0, 115.0, 1e4), (0.0, 0.5, 0.53, 5.0, 30.0, 120.0)
    for product, std in itertools.product(products, spreads):
        stats = FocusStatistics(mean=100.0, std=std, min=90.0, max=110.0)
        with np.errstate(all="ignore"):
            expected = bool(functions.evaluate_focus({"stats": stats.to_json(), "prod": [product]}))
        assert drizzlepac_numbers.evaluate_focus(product, stats)[0] is expected, (product, stats)
        verdicts.add(expected)
    assert verdicts == {True, False}


def test_blur_passes_the_focus_check_where_its_limit_underflows():
    """B2: with a standard deviation below 0.0053 of the mean the lower limit is -inf."""
    passed, z = drizzlepac_numbers.evaluate_focus(10.0, FocusStatistics(mean=100.0, std=0.5, min=99.0, max=101.0))
    assert passed
    assert z["lowest"] == -np.inf
    for std, passed in ((0.6, False), (0.0, True)):
        stats = FocusStatistics(mean=100.0, std=std, min=99.0, max=101.0)
        assert drizzlepac_numbers.evaluate_focus(10.0, stats)[0] is passed


def test_no_displacement_fails(tmp_path):
    """The table of 3b, two exposures of 300 stars displaced by up to 10 px: all are verified.

    Fluxes and noise of the table's field are not known; bright stars on little noise meet its Hamming distances up to
    3 px within a quarter, and its focus ratios from 2 px on within 0.1. Farther out the distance depends on the field,
    the verdict does not.
    """
    hamming, focus = {}, {}
    for shift in (0, 1, 2, 3, 5, 10):
        scene = Scene(
            **CLEAN | {"rays": 0.0}, displaced={1: (float(shift), 0.0)}, brightest=1e6, faintest=1e5, sky=0.01,
            read_noise=1.0,
        )  # fmt: skip
        found = drizzlepac_numbers.compute(drizzlepac_numbers.read(*write(scene, tmp_path)), 1.5)
        assert (found.verified, found.quality) == (True, 0)
        assert found.overlap.largest < 0.5
        hamming[shift] = max(row.hamming for row in found.overlap.exposures)
        focus[shift] = found.focus.prod[0] / found.focus.stats.mean
    assert hamming[0] < 0.01
    assert [hamming[shift] for shift in (1, 2, 3)] == pytest.approx([0.13, 0.27, 0.40], rel=0.25)
    assert focus[0] == pytest.approx(1.0, abs=0.01)
    assert [focus[shift] for shift in (2, 3, 5, 10)] == pytest.approx([0.70, 0.43, 0.46, 0.50], abs=0.1)


def test_cosmic_rays_fail_aligned_visits(tmp_path):
    """Rays in the singles that the product lacks count as sources: an aligned visit of 120 stars is not verified."""
    found = drizzlepac_numbers.compute(drizzlepac_numbers.read(*write(SCENES["aligned"], tmp_path)), 1.5)
    assert (found.verified, found.quality) == (False, 3)


def test_negative_net_flux_passes():
    """B1: a negative sum gives a negative index, however unlike the images are."""
    rng = np.random.default_rng(1)
    reference = rng.normal(0, 1, (64, 64)).astype(np.float32)
    assert drizzlepac_numbers.similarity(reference - np.float32(1), reference * np.float32(50)) < 0


def test_similarity_sees_the_corner_only():
    image = np.ones((300, 400), np.float32)
    reference = image.copy()
    reference[256:], reference[:, 256:] = 9, 9
    assert drizzlepac_numbers.similarity(image, reference) == 0
    reference[255, 255] = 2
    assert drizzlepac_numbers.similarity(image, reference) == pytest.approx(1 / 65536)


def _pair(tmp_path, **changes):
    return drizzlepac_numbers.read(*write(Scene(**CLEAN | changes), tmp_path))


def test_quality_codes(tmp_path):
    """0 verified, +3 not verified or unlike the default, and 6 both (B3, B37)."""
    good = _pair(tmp_path)
    assert drizzlepac_numbers.compute(good, 1.5).quality == 0
    product = np.nan_to_num(good.product)
    alike = drizzlepac_numbers.compute(good, 1.5, default_product=product)
    assert (alike.quality, alike.similarity_to_default.index) == (0, 0.0)
    unlike = drizzlepac_numbers.compute(good, 1.5, default_product=3 * product)
    assert (unlike.verified, unlike.quality) == (True, 3)
    assert unlike.similarity_to_default.index == pytest.approx(2, rel=1e-5)
    rays = drizzlepac_numbers.read(*write(SCENES["aligned"], tmp_path))
    assert drizzlepac_numbers.compute(rays, 1.5).quality == 3
    failed = drizzlepac_numbers.compute(rays, 1.5, default_product=rays.product)
    assert (failed.verified, failed.quality) == (False, 6)


def test_focus_is_consulted_only_for_fits_of_few_matches(tmp_path):
    smeared = _pair(tmp_path, displaced={1: (3.0, 0.0)})
    found = drizzlepac_numbers.compute(smeared, 1.5)
    assert (found.focus.passed, found.overlap.focus_consulted, found.verified) == (False, False, True)
    for number, fraction in ((9, 0.5), (50, 0.09)):
        found = drizzlepac_numbers.compute(smeared, 1.5, smeared.product, number, fraction)
        assert (found.overlap.focus_consulted, found.verified, found.quality) == (True, False, 6)
    assert drizzlepac_numbers.compute(smeared, 1.5, smeared.product, 10, 0.1).verified


def test_single_exposure_is_verified_unseen(tmp_path):
    files = write(Scene(**SIZE, exptimes=(500.0,), flags="none"), tmp_path)
    images = drizzlepac_numbers.read(*files)
    found = drizzlepac_numbers.compute(images, 1.5, 3 * images.product)
    assert (found.focus, found.overlap, found.verified, found.quality) == (None, None, True, 3)


def test_what_stops_drizzlepac_is_not_verified(haputils, tmp_path):
    """A single with data in one column: its slice is empty, and numpy has no maximum of nothing."""
    files = write(Scene(**SIZE), tmp_path)
    with fits.open(files[1], mode="update") as hdul:
        hdul["SCI", 3].data[:, np.arange(540) != 200] = 0
    found = drizzlepac_numbers.compute(drizzlepac_numbers.read(*files), 1.5)
    assert (found.verified, found.quality) == (False, None)
    assert "jtest03q" in found.verdict
    with pytest.raises(ValueError, match="zero-size array"):
        _theirs(haputils, *_drizzlepac_files(*files, tmp_path), 1.5)


def test_what_becomes_of_a_candidate(tmp_path):
    files = write(Scene(**SIZE), tmp_path)
    fit = Fit.read(EXAMPLES / "fit.json")
    first = fit.exposures[0].model_copy(update={"nmatches": 9})
    fit = fit.model_copy(
        update={"exposures": [first], "reference": fit.reference.model_copy(update={"rows": 12})}
    )  # fmt: skip
    found = drizzlepac_numbers.assess(*files, SOLUTION, "ACS", "WFC", files[0], fit)
    assert found.computed
    assert found.overlap.focus_consulted
    assert (found.overlap.num_sources, found.overlap.fraction_matched) == (9, 0.75)
    assert found.sigma_px == 1.5
    assert DrizzlepacNumbers.parse(found.to_json(), "drizzlepac.json") == found
    missing = Solution.read(EXAMPLES / "solution_not_applicable.json")
    found = drizzlepac_numbers.assess(None, None, missing, "ACS", "WFC")
    assert found.to_json() == {
        "schema": "drizzlepac_numbers/1",
        "candidate": missing.candidate,
        "outcome": "not_applicable",
        "reason": missing.reason,
    }


def test_unknown_detector_and_shapes_are_refused(tmp_path):
    assert drizzlepac_numbers.focus_sigma("WFC3", "IR") == 2.0
    with pytest.raises(SnakedrizError, match="STIS/CCD"):
        drizzlepac_numbers.focus_sigma("STIS", "CCD")
    images = _pair(tmp_path)
    with pytest.raises(SnakedrizError, match="one grid"):
        drizzlepac_numbers.compute(dataclasses.replace(images, product=images.product[1:]), 1.5)
