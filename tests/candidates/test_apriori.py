"""Pre-computed solutions: which one is taken, where it puts the pixels, and what is an outcome."""

import copy

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.sky import corners, offset_mas, true_corners
from snakedriz.candidates import apriori
from snakedriz.errors import SnakedrizError
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import headerlets
from stwcs.wcsutil.headerlet import Headerlet


def test_guide_star_offsets_leave_what_the_simulation_left(small_visit, default_skeletons):
    solution = apriori.make(default_skeletons, None, [str(small_visit.offsets)])
    assert (solution.outcome, solution.wcsname) == ("ok", "IDC_9d1snakej-GSC240")
    for index, path in enumerate(small_visit.flc):
        for kind in ("flc", "flt"):
            exposure = default_skeletons[ExposureKey(path.stem[:9], kind)]
            difference = offset_mas(corners(exposure), true_corners(small_visit, index))
            np.testing.assert_allclose(difference, [[30.0, -20.0]] * len(difference), atol=0.6)
            # The default stays in the file as a headerlet, and restores the default.
            attached = [hdu for hdu in exposure if hdu.name == "HDRLET"]
            assert [hdu.header["WCSNAME"] for hdu in attached] == ["IDC_9d1snakej"]


def _database(small_visit, default_skeletons, folder, kinds=("GSC240",), chips=(1, 2)):
    """A directory of headerlets as the database would send them: per kind a known shift of the default WCS."""
    folder.mkdir(exist_ok=True)
    shifts = {"GSC240": 1e-5, "HSC30": 2e-5, "FIT_REL_GAIADR2": 3e-5}
    for path in small_visit.flc:
        for kind in kinds:
            exposure = copy.deepcopy(default_skeletons[ExposureKey.parse(path)])
            for chip in (1, 2):
                exposure["SCI", chip].header["CRVAL2"] += shifts[kind]
                exposure["SCI", chip].header["WCSNAME"] = f"IDC_9d1snakej-{kind}"
            made = headerlets.make(exposure, f"{path.stem}_{kind}")
            made = Headerlet([h for h in made if h.name != "SIPWCS" or h.header["TG_EVER"] in chips])
            made.writeto(folder / f"{path.stem}_{kind}_hlet.fits", overwrite=True)
    return folder


def test_database_headerlets_are_chosen_by_preference_and_the_others_attached(small_visit, default_skeletons, tmp_path):
    kinds = ("GSC240", "HSC30", "FIT_REL_GAIADR2")
    folder = _database(small_visit, default_skeletons, tmp_path / "db", kinds)
    owner = ExposureKey.parse(small_visit.flc[0])
    before = corners(default_skeletons[owner])
    solution = apriori.make(default_skeletons, str(folder), [str(small_visit.offsets)])
    assert solution.wcsname == "IDC_9d1snakej-HSC30"
    moved = offset_mas(corners(default_skeletons[owner]), before)
    np.testing.assert_allclose(moved[:, 1], 2e-5 * 3.6e6, atol=1e-3)
    names_attached = [h.header["WCSNAME"] for h in default_skeletons[owner] if h.name == "HDRLET"]
    assert sorted(names_attached) == sorted(["IDC_9d1snakej", *(f"IDC_9d1snakej-{k}" for k in kinds)])
    versions = [h.header["EXTVER"] for h in default_skeletons[owner] if h.name == "HDRLET"]
    assert versions == [1, 2, 3, 4]


def test_the_flagged_best_of_the_database_is_taken(small_visit, default_skeletons, tmp_path):
    folder = _database(small_visit, default_skeletons, tmp_path / "db", ("GSC240", "HSC30"))
    rows = [(p.stem[:9], f"IDC_9d1snakej-{k}", k == "GSC240") for p in small_visit.flc for k in ("GSC240", "HSC30")]
    Table(rows=rows, names=("rootname", "wcsname", "best")).write(folder / "index.ecsv")
    assert apriori.make(default_skeletons, str(folder)).wcsname == "IDC_9d1snakej-GSC240"


def test_what_cannot_be_applied_is_an_outcome_with_its_reason(small_visit, default_skeletons, tmp_path):
    nothing = apriori.make(default_skeletons, None, None)
    assert nothing.outcome == "not_applicable"
    assert "solutions.headerlets" in nothing.reason
    only_fits = _database(small_visit, default_skeletons, tmp_path / "fits", ("FIT_REL_GAIADR2",))
    assert "only a posteriori" in apriori.make(default_skeletons, str(only_fits)).reason
    one_chip = _database(small_visit, default_skeletons, tmp_path / "chip", ("GSC240",), chips=(1,))
    assert "has chips [1]" in apriori.make(default_skeletons, str(one_chip)).reason
    mixed = _database(small_visit, default_skeletons, tmp_path / "mixed", ("GSC240", "HSC30"))
    (mixed / f"{small_visit.flc[0].stem}_GSC240_hlet.fits").unlink()
    (mixed / f"{small_visit.flc[1].stem}_HSC30_hlet.fits").unlink()
    assert "common to all" in apriori.make(default_skeletons, str(mixed)).reason
    off = apriori.make(default_skeletons, None, [str(small_visit.offsets)], enabled=False)
    assert "ASTROMETRY_APPLY_APRIORI" in off.reason


def test_headerlets_of_another_distortion_model_are_not_applied(small_visit, default_skeletons, tmp_path):
    folder = _database(small_visit, default_skeletons, tmp_path / "db")
    for path in folder.glob("*_hlet.fits"):
        with fits.open(path, mode="update") as hdul:
            hdul[0].header["WCSNAME"] = "IDC_otheridcj-GSC240"
    solution = apriori.make(default_skeletons, str(folder))
    assert solution.outcome == "not_applicable"
    assert "another distortion model" in solution.reason


def test_damaged_headerlets_are_named(small_visit, default_skeletons, tmp_path):
    folder = _database(small_visit, default_skeletons, tmp_path / "db")
    for path in folder.glob("*_hlet.fits"):
        with fits.open(path, mode="update") as hdul:
            for hdu in hdul:
                hdu.header.remove("IDCSCALE", ignore_missing=True)
    assert "no IDCSCALE" in apriori.make(default_skeletons, str(folder)).reason
    (folder / "zz_hlet.fits").write_text("not FITS")
    with pytest.raises(SnakedrizError, match=r"zz_hlet\.fits"):
        apriori.make(default_skeletons, str(folder))
