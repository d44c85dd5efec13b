"""Pictures of two products: the offset measured, the patches cut, the stars chosen, the files written."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from helpers import drizzled
from helpers.compared import compare, product
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.report import pictures
from snakedriz.verification.frame_stars import centroids, cut


def test_the_offset_of_one_wcs_from_another_is_exact(pair):
    """The pixels are the same, so centroids cancel: what is left is the projection, far below 0.02 mas."""
    report = compare(*pair).report
    offset = report.offset
    assert offset.east_mas == pytest.approx(-350.0, abs=0.02)
    assert offset.north_mas == pytest.approx(400.0, abs=0.02)
    # The floor alone: 0.003 px of 50 mas.
    assert offset.east_err_mas == pytest.approx(0.15, abs=0.001)
    assert offset.stars >= 50
    assert (report.first.wcsname, report.second.wcsname) == ("IDC_x", "IDC_x-FIT_REL_GAIAeDR3")
    assert report.first.filter == "F814W"


def test_the_offset_of_displaced_stars_holds_its_error(tmp_path):
    """Other noise in other exposure times, stars and WCS displaced: within 3 errors on each axis, and errors not loose.

    Pixels run along right ascension backwards: 0.6 px to +x is 30 mas to the west. 80 stars of a median SNR of 50
    (0.02 px each, both products) give 0.003 px with the floor of 0.003 px: 0.25 mas; a third of that to twice is fair.
    """
    first = product(tmp_path, "a")
    displaced = dict.fromkeys(range(4), (0.6, -0.4))
    second = product(tmp_path, "b", 12.0, 5.0, exptimes=(420.0,) * 4, displaced=displaced)
    offset = compare(first, second).report.offset
    for axis, truth in (("east", 12.0 - 30.0), ("north", 5.0 - 20.0)):
        error = getattr(offset, f"{axis}_err_mas")
        assert abs(getattr(offset, f"{axis}_mas") - truth) < 3 * error
        assert 0.15 < error < 0.5
    back = compare(second, first).report.offset
    assert back.east_mas == pytest.approx(-offset.east_mas, abs=0.05)  # another plane, clipped alike


def middle(image):
    """Centroid x, y of the star in the middle of a patch, and the pixel it was looked for at."""
    y, x = np.array(image.shape) // 2
    near = np.nan_to_num(image)[y - 7 : y + 8, x - 7 : x + 8]
    dy, dx = np.unravel_index(np.argmax(near), near.shape)
    place = np.array([x - 7 + dx]), np.array([y - 7 + dy])
    step, good = centroids(cut(np.nan_to_num(image), *place))
    assert good.all()
    return np.array([place[0][0], place[1][0]]) + step[0]


def test_patches_show_the_same_sky(pair):
    """A star is displaced between the panels by the injected offset: 7 px east-west, 8 px north-south, to 0.02 px.

    0.02 px: the cubic spline moves centroids of stars of FWHM 2 px by less than 0.01.
    """
    patch = compare(*pair).patches[0]
    one, two = middle(patch.first), middle(patch.second)
    assert two - one == pytest.approx([7.0, 8.0], abs=0.02)
    assert patch.wcs.wcs_world2pix([[patch.ra, patch.dec]], 0)[0] == pytest.approx((one + two) / 2, abs=0.02)
    assert patch.first.shape == patch.second.shape == (61, 61)


def test_a_turned_product_is_brought_to_the_first_ones_pixels(tmp_path):
    """The same file turned by 90 degrees, WCS and all, shows the same patch: splines are exact at pixel centres."""
    first = product(tmp_path, "a")
    turned = tmp_path / "turned_drc.fits"
    with fits.open(first) as hdul:
        for hdu in hdul[1:]:
            nx = hdu.data.shape[1]
            hdu.data = np.rot90(hdu.data).copy()  # pixel (x, y) goes to (y, nx - 1 - x)
            wcs = WCS(hdu.header)
            cd = wcs.pixel_scale_matrix
            crpix = wcs.wcs.crpix[1], nx + 1 - wcs.wcs.crpix[0]
            for key in list(hdu.header):
                if key.startswith(("CDELT", "PC1_", "PC2_")):
                    del hdu.header[key]
            hdu.header.update(CRPIX1=crpix[0], CRPIX2=crpix[1])
            hdu.header.update(CD1_1=cd[0, 1], CD1_2=-cd[0, 0], CD2_1=cd[1, 1], CD2_2=-cd[1, 0])
        hdul.writeto(turned)
    found = compare(first, turned)
    for patch in found.patches:
        assert patch.second == pytest.approx(patch.first, abs=1e-4)
    assert abs(found.report.offset.east_mas) < 0.02


def test_chosen_stars_are_bright_unsaturated_isolated_and_inside(tmp_path):
    """Truth: four stars of the scene are drawn in anew, three of them with a flaw."""
    path = product(tmp_path, "a", stars=60, brightest=2e4)
    flaws = {
        "good": (200, 200, 90.0),
        "close": (100, 120, 150.0),
        "saturated": (300, 120, 3000.0),
        "edge": (388, 300, 120.0),
    }
    with fits.open(path, mode="update") as hdul:
        image = hdul["SCI"].data.astype(float)
        for x, y, _ in flaws.values():  # an empty surrounding for each
            image[max(0, y - 40) : y + 41, max(0, x - 40) : x + 41] = 0.0
        for x, y, rate in [*flaws.values(), (112, 120, 60.0)]:  # the close one has a companion at 0.6 arcsec
            drizzled._star(image, x, y, rate, 0.9)
        hdul["SCI"].data = image.astype(np.float32)
        wcs = WCS(hdul["SCI"].header)
    other = product(tmp_path, "b", 20.0, 10.0)
    with fits.open(other, mode="update") as hdul:
        hdul["SCI"].data = image.astype(np.float32)
    found = compare(path, other, number=60).report
    xy = wcs.wcs_world2pix(found.positions, 0)
    distance = {name: np.hypot(*(xy - [x, y]).T).min() for name, (x, y, _) in flaws.items()}
    assert np.hypot(*(xy[0] - [200, 200])) < 1.0  # half the offset of 22 mas: the brightest of those without flaw
    assert all(distance[name] > 10 for name in ("close", "saturated", "edge")), distance
    assert ((xy > 29) & (xy < 370)).all()  # the patch of 3 arcsec lies inside
    back = compare(other, path, number=60).report
    assert np.asarray(back.positions) == pytest.approx(np.asarray(found.positions), abs=2e-7)


def test_given_positions_are_shown_and_those_outside_named(pair):
    report = compare(*pair, positions=[[150.0, 20.0], [151.0, 20.0]]).report
    assert (report.positions, report.outside) == ([[150.0, 20.0]], [[151.0, 20.0]])
    with pytest.raises(NotApplicable, match=r"no position \(151\.000000 \+20\.000000\) lies in both a/a_drc"):
        compare(*pair, positions=[[151.0, 20.0]])


def test_what_cannot_be_compared_is_said(pair, tmp_path):
    with pytest.raises(SnakedrizError, match="do not overlap on the sky"):
        compare(pair[0], product(tmp_path, "far", 0.0, 60_000.0))
    empty = product(tmp_path, "empty", stars=0)
    with pytest.raises(NotApplicable, match="no stars found in both"):
        compare(empty, empty)
    shown = compare(empty, empty, positions=[[150.0, 20.0]])
    assert shown.report.offset is None
    assert "offset not measured: a list without sources" in pictures.offset_text(shown.report)
