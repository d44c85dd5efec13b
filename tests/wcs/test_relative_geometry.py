"""Whether a solution changes how exposures lie to each other, on exposures that are moved by known amounts."""

import copy

import numpy as np
import pytest
from helpers.shared_data import shared
from snakedriz.exposures import skeleton
from snakedriz.exposures.skeleton import science_extensions
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import linear_wcs, relative_geometry
from snakedriz.wcs.guide_star_offsets import GuideStarOffset, apply_offset
from stwcs.updatewcs.astrometry_utils import build_reference_wcs
from stwcs.wcsutil import HSTWCS
from tweakwcs.correctors import FITSWCSCorrector

SCALE = 0.0396  # arcsec per px of WFC3/UVIS
#: Pointings (arcsec): two dithered pairs 215 arcsec apart, more than a field of WFC3/UVIS.
MOSAIC = {"jtst01aaq": (0, 0), "jtst01abq": (2.5, 1.5), "jtst01acq": (200, 80), "jtst01adq": (202.5, 81.5)}


@pytest.fixture(scope="module")
def mosaic():
    """A real exposure of WFC3/UVIS with its distortion tables, put at four pointings; use a copy."""
    exposure = skeleton.from_exposure(shared("headers/sample_svm_flc.fits"))
    made = {ExposureKey(root, "flc"): copy.deepcopy(exposure) for root in MOSAIC}
    for key, one in made.items():
        move(one, *MOSAIC[key.rootname])
    return made


def chips(exposure):
    """SCI headers of an exposure."""
    return [exposure["SCI", version].header for version in science_extensions(exposure)]


def move(exposure, east=0.0, north=0.0):
    """Move the pointing of an exposure, arcsec."""
    for header in chips(exposure):
        header["CRVAL1"] += east / 3600 / np.cos(np.radians(header["CRVAL2"]))
        header["CRVAL2"] += north / 3600


def plane_of(exposure):
    """The undistorted plane of an exposure, its axes those of the detector, 1 px SCALE arcsec."""
    return FITSWCSCorrector(build_reference_wcs(copy.deepcopy(exposure)))


def turn_and_move(exposures, plane, degrees, x, y, scale=1.0):
    """Turn, scale and move (arcsec) exposures in one tangent plane with tweakwcs, as a fit of the whole set does."""
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    for exposure in exposures.values():
        correctors = [FITSWCSCorrector(HSTWCS(exposure, ext=("SCI", v))) for v in science_extensions(exposure)]
        for header, corrector in zip(chips(exposure), correctors, strict=True):
            corrector.set_correction(matrix=[[c, -s], [s, c]], shift=(x / SCALE, y / SCALE), ref_tpwcs=plane)
            linear_wcs.write(header, corrector.wcs.wcs.crval, corrector.wcs.wcs.cd, "IDC_x-FIT")


def test_what_moves_and_turns_the_whole_set_leaves_its_relative_geometry_unchanged(mosaic):
    """0.5 arcsec and 0.01 deg (0.7 px at the far corner), about a plane that is tangent at the first pointing."""
    other = copy.deepcopy(mosaic)
    plane = plane_of(mosaic[ExposureKey("jtst01aaq", "flc")])
    turn_and_move(other, plane, 0.01, 0.3, -0.4, scale=1.00002)
    found = relative_geometry.compare(mosaic, other)
    assert found.unchanged
    assert found.moved == ()
    assert found.largest_px < 0.001


def test_a_guide_star_offset_of_one_arcsec_leaves_the_relative_geometry_of_a_pointing_unchanged(mosaic):
    """As the candidate `apriori` applies it: each exposure by itself, by the same arcsec east and north.

    At -65 deg two pointings 200 arcsec apart in RA have norths that differ by 200 arcsec * tan(65 deg), 0.002 rad: the
    same arcsec in each is 0.002 arcsec (0.05 px) in another direction, which no turn of the whole set takes out.
    """
    first = chips(mosaic[ExposureKey("jtst01aaq", "flc")])[0]
    old = (first["CRVAL1"] + 0.1, first["CRVAL2"] - 0.15)
    new = (old[0] + 0.6 / 3600 / np.cos(np.radians(old[1])), old[1] - 0.8 / 3600)
    other = copy.deepcopy(mosaic)
    for key, exposure in other.items():
        apply_offset(exposure, GuideStarOffset(key.rootname, (0.6, -0.8), old, new, "GSC240"), "IDC_x-GSC240")
    pair = {key: mosaic[key] for key in list(mosaic)[:2]}
    assert relative_geometry.compare(pair, {key: other[key] for key in pair}).largest_px < 0.002
    assert relative_geometry.compare(mosaic, other).largest_px == pytest.approx(0.05, abs=0.02)


def test_an_exposure_that_is_moved_by_two_hundredths_of_a_pixel_is_found_and_named(mosaic):
    other = copy.deepcopy(mosaic)
    turn_and_move(other, plane_of(mosaic[ExposureKey("jtst01aaq", "flc")]), 0.0, 0.5, 0.5)
    move(other[ExposureKey("jtst01acq", "flc")], north=0.02 * SCALE)
    found = relative_geometry.compare(mosaic, other)
    assert not found.unchanged
    assert found.moved == ("jtst01acq",)
    assert found.largest_px == pytest.approx(0.02, abs=0.002)


def test_of_two_exposures_that_part_both_are_named(mosaic):
    """Each has moved by 0.0075 px only from the middle, but by 0.015 px against the other."""
    both = [ExposureKey("jtst01aaq", "flc"), ExposureKey("jtst01abq", "flc")]
    pair = {key: mosaic[key] for key in both}
    other = copy.deepcopy(pair)
    move(other[both[1]], north=0.015 * SCALE)
    found = relative_geometry.compare(pair, other)
    assert found.largest_px == pytest.approx(0.015, abs=0.001)
    assert found.moved == ("jtst01aaq", "jtst01abq")


def test_a_chip_that_is_moved_in_all_exposures_is_found(mosaic):
    """By 0.1 px; a turn of the whole set can take up some of it, so the measure is not exact."""
    other = copy.deepcopy(mosaic)
    for exposure in other.values():
        chips(exposure)[1]["CRPIX1"] += 0.1
    found = relative_geometry.compare(mosaic, other)
    assert 0.05 < found.largest_px < 0.2
    assert found.moved == tuple(MOSAIC)


def test_an_exposure_turned_by_itself_is_found(mosaic):
    """0.005 deg are 0.25 px in a corner of WFC3/UVIS."""
    other = copy.deepcopy(mosaic)
    key = ExposureKey("jtst01abq", "flc")
    turn_and_move({key: other[key]}, plane_of(mosaic[key]), 0.005, 0, 0)
    found = relative_geometry.compare(mosaic, other)
    assert found.moved == ("jtst01abq",)
    assert found.largest_px > 0.1


def test_another_distortion_model_changes_the_relative_geometry(mosaic):
    """A term of 1e-7 of the polynomial: 0.4 px at the edge, the same in every exposure."""
    other = copy.deepcopy(mosaic)
    for exposure in other.values():
        for header in chips(exposure):
            header["A_2_0"] += 1e-7
    found = relative_geometry.compare(mosaic, other)
    assert not found.unchanged
    assert found.largest_px > 0.1


def test_sets_that_cannot_be_compared_are_not_unchanged(mosaic):
    fewer = dict(list(mosaic.items())[1:])
    found = relative_geometry.compare(mosaic, fewer)
    assert not found.unchanged
    assert found.largest_px == np.inf
    assert found.moved == ("jtst01aaq",)
    assert not relative_geometry.compare({}, {}).unchanged
    other = copy.deepcopy(mosaic)
    chips(other[ExposureKey("jtst01abq", "flc")])[0]["CRPIX1"] = 1e30
    assert not relative_geometry.compare(mosaic, other).unchanged


def test_across_0h_and_close_to_the_pole():
    exposure = skeleton.from_exposure(shared("headers/sample_svm_flc.fits"))
    pair = {ExposureKey(root, "flc"): copy.deepcopy(exposure) for root in ("jtst01aaq", "jtst01abq")}
    for one, ra in zip(pair.values(), (359.999, 0.0005), strict=True):
        for header in chips(one):
            header["CRVAL1"], header["CRVAL2"] = ra, 89.0
    other = copy.deepcopy(pair)
    for one in other.values():
        for header in chips(one):
            header["CRVAL1"] = (header["CRVAL1"] + 0.01) % 360
    assert relative_geometry.compare(pair, other).largest_px < 0.001
