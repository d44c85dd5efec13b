"""Pictures of two products: the offset measured, the patches cut, the stars chosen, the files written."""

import builtins
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from helpers import drizzled
from snakedriz import settings
from snakedriz.cli import main
from snakedriz.errors import NotApplicable, SnakedrizError
from snakedriz.report import compare_images, drizzled_product, pictures
from snakedriz.verification.frame_stars import centroids, cut

DETECTORS = settings.load_detectors()
#: Stars that all exposures see at the same place: what moves is injected, not guiding.
QUIET = {"jitter": 0.0, "rays": 0.0}


def product(folder, name, east_mas=0.0, north_mas=0.0, wcsname="IDC_x", **scene):
    """A product whose WCS, and so every star, is displaced by a known offset; total exposure time from the scene."""
    scene = drizzled.Scene(**{**QUIET, **scene})
    folder = folder / name
    folder.mkdir()
    path, _ = drizzled.write(scene, folder, name)
    with fits.open(path, mode="update") as hdul:
        hdul[0].header.update(
            INSTRUME="ACS", DETECTOR="WFC", FILTER1="CLEAR1L", FILTER2="F814W", EXPTIME=float(max(scene.exptimes))
        )  # without HDRTAB the product's own time is taken for that of its longest exposure
        for hdu in hdul[1:]:
            hdu.header["WCSNAME"] = wcsname
            hdu.header["CRVAL2"] += north_mas / 3.6e6
            hdu.header["CRVAL1"] += east_mas / 3.6e6 / np.cos(np.radians(hdu.header["CRVAL2"]))
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same pixels under two WCSs, (-350, +400) mas apart."""
    folder = tmp_path_factory.mktemp("pair")
    return product(folder, "a"), product(folder, "b", -350.0, 400.0, "IDC_x-FIT_REL_GAIAeDR3")


def compare(first, second, positions="auto", size=3.0, number=4):
    return compare_images.compare(first, second, DETECTORS, positions, size, number)


def test_the_offset_of_one_wcs_from_another_is_exact(pair):
    """The pixels are the same, so centroids cancel: what is left is the projection, far below 0.02 mas."""
    report = compare(*pair).report
    offset = report["offset"]
    assert offset["east_mas"] == pytest.approx(-350.0, abs=0.02)
    assert offset["north_mas"] == pytest.approx(400.0, abs=0.02)
    # The floor alone: 0.003 px of 50 mas.
    assert offset["east_err_mas"] == pytest.approx(0.15, abs=0.001)
    assert offset["stars"] >= 50
    assert (report["first"]["wcsname"], report["second"]["wcsname"]) == ("IDC_x", "IDC_x-FIT_REL_GAIAeDR3")
    assert report["first"]["filter"] == "F814W"


def test_the_offset_of_displaced_stars_holds_its_error(tmp_path):
    """Other noise in other exposure times, stars and WCS displaced: within 3 errors on each axis, and errors not loose.

    Pixels run along right ascension backwards: 0.6 px to +x is 30 mas to the west. 80 stars of a median SNR of 50
    (0.02 px each, both products) give 0.003 px with the floor of 0.003 px: 0.25 mas; a third of that to twice is fair.
    """
    first = product(tmp_path, "a")
    displaced = dict.fromkeys(range(4), (0.6, -0.4))
    second = product(tmp_path, "b", 12.0, 5.0, exptimes=(420.0,) * 4, displaced=displaced)
    offset = compare(first, second).report["offset"]
    for axis, truth in (("east", 12.0 - 30.0), ("north", 5.0 - 20.0)):
        error = offset[f"{axis}_err_mas"]
        assert abs(offset[f"{axis}_mas"] - truth) < 3 * error
        assert 0.15 < error < 0.5
    back = compare(second, first).report["offset"]
    assert back["east_mas"] == pytest.approx(-offset["east_mas"], abs=0.05)  # another plane, clipped alike


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
    assert abs(found.report["offset"]["east_mas"]) < 0.02


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
    xy = wcs.wcs_world2pix(found["positions"], 0)
    distance = {name: np.hypot(*(xy - [x, y]).T).min() for name, (x, y, _) in flaws.items()}
    assert np.hypot(*(xy[0] - [200, 200])) < 1.0  # half the offset of 22 mas: the brightest of those without flaw
    assert all(distance[name] > 10 for name in ("close", "saturated", "edge")), distance
    assert ((xy > 29) & (xy < 370)).all()  # the patch of 3 arcsec lies inside
    back = compare(other, path, number=60).report
    assert np.asarray(back["positions"]) == pytest.approx(np.asarray(found["positions"]), abs=2e-7)


def test_given_positions_are_shown_and_those_outside_named(pair):
    report = compare(*pair, positions=[[150.0, 20.0], [151.0, 20.0]]).report
    assert (report["positions"], report["outside"]) == ([[150.0, 20.0]], [[151.0, 20.0]])
    with pytest.raises(NotApplicable, match=r"no position \(151\.000000 \+20\.000000\) lies in both a/a_drc"):
        compare(*pair, positions=[[151.0, 20.0]])


def test_what_cannot_be_compared_is_said(pair, tmp_path):
    with pytest.raises(SnakedrizError, match="do not overlap on the sky"):
        compare(pair[0], product(tmp_path, "far", 0.0, 60_000.0))
    empty = product(tmp_path, "empty", stars=0)
    with pytest.raises(NotApplicable, match="no stars found in both"):
        compare(empty, empty)
    shown = compare(empty, empty, positions=[[150.0, 20.0]])
    assert shown.report["offset"] is None
    assert "offset not measured: a list without sources" in pictures.offset_text(shown.report)
    card = tmp_path / "card.fits"
    fits.PrimaryHDU(header=fits.Header([("OUTCOME", "not_applicable"), ("REASON", "no catalogue")])).writeto(card)
    with pytest.raises(NotApplicable, match="holds no image: not_applicable: no catalogue"):
        compare(pair[0], card)
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "plain.fits")
    with pytest.raises(SnakedrizError, match="expected a drizzled product with SCI and WHT"):
        drizzled_product.read(tmp_path / "plain.fits", DETECTORS)


def test_the_same_bytes_twice_and_a_gif_of_two_frames(pair, tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    made = []
    for name in ("one", "two"):
        target = tmp_path / name / "x.png"
        assert main.main(["compare", *map(str, pair), "-o", str(target), "--size", "3", "--stars", "2"]) == 0
        made.append([target.with_suffix(suffix).read_bytes() for suffix in (".png", ".gif", ".json")])
        assert "east −350.00 ± 0.15 mas" in capsys.readouterr().out
    assert made[0] == made[1]
    assert b"tEXt" not in made[0][0]
    with image.open(tmp_path / "one" / "x.gif") as gif:
        first = np.asarray(gif.convert("RGB")).astype(int)
        assert (gif.n_frames, gif.info["duration"]) == (2, pictures.BLINK_MS)
        gif.seek(1)
        assert (np.abs(np.asarray(gif.convert("RGB")) - first) > 50).any()
    assert len(json.loads(made[0][2])["positions"]) == 2


def test_a_reason_is_a_picture_too(tmp_path):
    pytest.importorskip("matplotlib")
    pictures.write(compare_images.not_applicable("a.fits", "b.fits", "no stars", 5.0), tmp_path / "x.png")
    assert json.loads((tmp_path / "x.json").read_text())["outcome"] == "not_applicable"
    assert (tmp_path / "x.png").stat().st_size > 1000
    assert (tmp_path / "x.gif").read_bytes().startswith(b"GIF89a")


def test_without_matplotlib_the_error_says_what_to_install(pair, tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest):
        if name == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main.main(["compare", *map(str, pair), "-o", str(tmp_path / "x.png")]) == 3
    assert "pip install 'snakedriz[plots]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_line_refuses_what_makes_no_sense(pair, capsys):
    assert main.main(["compare", *map(str, pair), "-o", "x.jpg"]) == 3
    assert "must end in .png" in capsys.readouterr().err


def test_configured_positions_are_checked():
    good = settings.validate_config({"pictures": {"positions": [[150.0, -2.5]]}})
    assert good["pictures"] == {"positions": [[150.0, -2.5]], "size_arcsec": 5, "stars": 4}
    for bad in ("stars", [], [[150.0]], [[150.0, 95.0]], [[1.0, 2.0, 3.0]]):
        with pytest.raises(SnakedrizError, match=r"pictures\.positions: .*expected auto, or a list of \[RA, Dec\]"):
            settings.validate_config({"pictures": {"positions": bad}})
