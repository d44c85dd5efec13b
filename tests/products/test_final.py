"""Final products: the promoted WCS in the headers of exposures, and in words."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from helpers.sky import MICROARCSEC, corners
from snakedriz.artefacts.inventory import Inventory
from snakedriz.artefacts.promotion import LargestShift, Promotion
from snakedriz.candidates import apriori, default
from snakedriz.drizzle import cr_masks
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.products import final
from snakedriz.wcs import headerlets

EXAMPLES = Path(__file__).parents[1] / "artefacts/examples"
PROMOTION = Promotion.read(EXAMPLES / "promotion.json")


def inventory(owner, **changes):
    """An inventory of one exposure."""
    found = Inventory.read(EXAMPLES / "inventory.json")
    exposure = found.exposures[0].model_copy(update={"rootname": owner.rootname, **changes})
    return found.model_copy(update={"exposures": [exposure]})


def test_final_exposure_and_headerlet(small_visit, default_skeletons, tmp_path):
    """The final exposure carries the WCS, its headerlet reproduces both chips, and pixels are the input's."""
    apriori.make(default_skeletons, None, [str(small_visit.offsets)])
    owner = ExposureKey.parse(small_visit.flc[0])
    expected = corners(default_skeletons[owner])
    flags = {chip: np.zeros(small_visit.visit.chip_shape, bool) for chip in (1, 2)}
    flags[2][10, 20] = True
    cr_masks.write_bundle(tmp_path / "cr.fits", {owner.rootname: flags})
    out, hlet = tmp_path / f"{owner}.fits", tmp_path / f"{owner}_hlet.fits"
    row = PROMOTION.candidates[0].model_copy(
        update={
            "candidate": "apriori",
            "registration": LargestShift(worst_px=0.02, error_px=0.005, of="x"),
            "astrometry": None,
        }
    )
    promotion = PROMOTION.model_copy(update={"winner": "apriori", "candidates": [row], "catalogs": []})
    skeleton.write_bundle(tmp_path / "wcs.fits", default_skeletons, {})
    given = final.FinalInput(owner, tmp_path / "wcs.fits", small_visit.flc[0], tmp_path / "cr.fits")
    final.write_exposure(given, inventory(owner), promotion, out, hlet)
    with fits.open(out) as made, fits.open(small_visit.flc[0]) as given:
        np.testing.assert_allclose(corners(made), expected, rtol=0, atol=MICROARCSEC)
        np.testing.assert_array_equal(made["SCI", 2].data, given["SCI", 2].data)
        assert made["DQ", 2].data[10, 20] & 4096
        assert np.count_nonzero(made["DQ", 2].data & 4096) == 1
        assert made[0].header["DRIZCORR"] == "COMPLETE"
        assert (made[0].header["SDREGPX"], made[0].header["SDREGERR"]) == (0.02, 0.005)
        assert made["SCI", 1].header["S_REGION"].startswith("POLYGON ICRS ")
        assert "a priori" in made["SCI", 1].header["WCSTYPE"]
        names_attached = [h.header["WCSNAME"] for h in made if h.name == "HDRLET"]
        assert names_attached == ["IDC_9d1snakej", "IDC_9d1snakej-GSC240"]
    fresh = {owner: skeleton.from_exposure(small_visit.flc[0])}
    default.make(fresh, {"jref": str(small_visit.ref)})
    headerlets.apply(fresh[owner], headerlets.load(hlet))
    np.testing.assert_allclose(corners(fresh[owner]), expected, rtol=0, atol=MICROARCSEC)


def test_an_exposure_that_is_not_used_keeps_its_wcs_and_says_why(small_visit, tmp_path):
    owner = ExposureKey.parse(small_visit.flc[0])
    out, hlet = tmp_path / "x_flc.fits", tmp_path / "x_hlet.fits"
    given = final.FinalInput(owner, tmp_path / "none", small_visit.flc[0], tmp_path / "none")
    final.write_exposure(given, inventory(owner, used=False, reason="shutter shut"), PROMOTION, out, hlet)
    with fits.open(out) as made, fits.open(small_visit.flc[0]) as source, fits.open(hlet) as headerlet:
        np.testing.assert_array_equal(corners(made), corners(source))
        assert "snakedriz: not used, shutter shut" in str(made[0].header["HISTORY"])
        assert headerlet[0].header["DESCRIP"] == "not used: shutter shut"


def test_the_bundle_of_the_winner_is_found_by_name():
    bundles = [f"out/jdemo1010/jdemo1010_{name}/jdemo1010_wcs.fits" for name in ("default", "aposteriori")]
    assert final.of_winner(PROMOTION, bundles) == Path(bundles[1])
    with pytest.raises(SnakedrizError, match="not among the candidates"):
        final.of_winner(PROMOTION, bundles[:1])
    with pytest.raises(SnakedrizError, match="nothing to drizzle: all failed"):
        final.of_winner(PROMOTION.model_copy(update={"winner": None, "reason": "all failed"}), bundles)


@pytest.mark.parametrize(
    ("wcsname", "words"),
    [
        ("OPUS", "undistorted pointing"), ("", "not specified"), ("my own-solution", "a priori solution based on"),
        ("IDC_x", "distortion model only"), ("IDC_x-GSC240", "a priori solution based on GSC240"),
        ("IDC_x-FIT_SVM_GAIAeDR3", "fitted to GAIAeDR3, all exposures of the visit as one body"),
        ("IDC_x-FIT", "an unnamed catalogue"),
    ],
)  # fmt: skip
def test_a_solution_in_words(wcsname, words):
    assert words in final.wcs_type(wcsname)


def test_the_final_product_is_the_judged_one_under_its_final_name(tmp_path):
    """Every pixel of every extension; only headers change, and only in the copy."""
    primary = fits.PrimaryHDU()
    for keyword, value in (("FILENAME", "ja_drc.fits"), ("D001OUWE", "ja_drc_wht.fits"), ("D001DATA", "ja1q_flc.fits")):
        primary.header[keyword] = value
    primary.header["HISTORY"] = "ja_drc.fits was drizzled"
    planes = [
        fits.ImageHDU(np.random.default_rng(1).normal(size=(30, 20)).astype("f4"), name=n) for n in ("SCI", "WHT")
    ]
    fits.HDUList([primary, *planes]).writeto(tmp_path / "ja_drc.fits")
    before = (tmp_path / "ja_drc.fits").read_bytes()

    def finish(product):
        product[0].header.update({f"SD{n:06d}": n for n in range(100)})  # more than the header has room for

    final.deliver(tmp_path / "ja_drc.fits", tmp_path / "jproduct_drc.fits", finish)
    assert (tmp_path / "ja_drc.fits").read_bytes() == before
    with fits.open(tmp_path / "ja_drc.fits") as judged, fits.open(tmp_path / "jproduct_drc.fits") as made:
        for name in ("SCI", "WHT"):
            assert made[name].data.tobytes() == judged[name].data.tobytes()
            assert made[name].header == judged[name].header
        header = made[0].header
        assert (header["FILENAME"], header["D001OUWE"]) == ("jproduct_drc.fits", "jproduct_drc_wht.fits")
        assert (header["D001DATA"], header["SD000099"]) == ("ja1q_flc.fits", 99)
        assert header["HISTORY"][0] == "ja_drc.fits was drizzled"
