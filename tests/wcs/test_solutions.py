"""How candidates get their WCS: skeletons, headerlets, guide-star offsets, fits; judged by sky positions."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.shared_data import shared
from snakedriz.candidates import stages
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import skeleton
from snakedriz.fits_headers.rootnames import ExposureKey
from snakedriz.wcs import guide_star_offsets, headerlets
from stwcs.updatewcs import updatewcs
from stwcs.wcsutil import HSTWCS
from stwcs.wcsutil.headerlet import Headerlet

MICROARCSEC = 1e-6


def corners(exposure, chip=None):
    """Sky positions (deg) of points spread over every chip."""
    found = []
    for version in [chip] if chip else skeleton.science_extensions(exposure):
        ny, nx = exposure["SCI", version].shape
        points = np.array([(x, y) for x in np.linspace(0, nx - 1, 5) for y in np.linspace(0, ny - 1, 5)])
        found.append(HSTWCS(exposure, ext=("SCI", version)).all_pix2world(points, 0))
    return np.concatenate(found)


def offset_mas(measured, true):
    """(dRA cos dec, dDec) of sky positions in mas, one row per point."""
    d = measured - true
    return np.column_stack([d[:, 0] * np.cos(np.radians(true[:, 1])), d[:, 1]]) * 3.6e6


def true_corners(truth, index):
    ny, nx = truth.visit.chip_shape
    points = np.array([(x, y) for x in np.linspace(0, nx - 1, 5) for y in np.linspace(0, ny - 1, 5)])
    return np.concatenate([wcs.all_pix2world(points, 0) for wcs in truth.wcs[index]])


def test_default_is_the_distortion_model_at_the_reported_pointing(small_visit, default_skeletons):
    for index, path in enumerate(small_visit.flc):
        exposure = default_skeletons[ExposureKey.parse(path)]
        assert exposure["SCI", 1].header["WCSNAME"] == "IDC_9d1snakej"
        # The true pointing plus the error put in; the frame turns by less than 0.5 mas over these few arcsec.
        difference = offset_mas(corners(exposure), true_corners(small_visit, index))
        np.testing.assert_allclose(difference, [[350.0, -400.0]] * len(difference), atol=0.5)


def test_a_skeleton_gives_the_same_wcs_as_the_file_that_updatewcs_changed(small_visit, tmp_path, monkeypatch):
    copy = tmp_path / small_visit.flc[0].name
    copy.write_bytes(small_visit.flc[0].read_bytes())
    monkeypatch.setenv("jref", f"{small_visit.ref}/")
    monkeypatch.chdir(tmp_path)
    updatewcs(str(copy), use_db=False)
    found = {ExposureKey.parse(copy): skeleton.from_exposure(small_visit.flc[0])}
    stages.default(found, {"jref": str(small_visit.ref)})
    with fits.open(copy) as changed:
        np.testing.assert_allclose(
            corners(found[ExposureKey.parse(copy)]), corners(changed), rtol=0, atol=MICROARCSEC / 3600
        )


def test_bundle_and_join_keep_wcs_headers_and_pixels(small_visit, default_skeletons, tmp_path):
    bundle = tmp_path / "wcs.fits"
    skeleton.write_bundle(bundle, default_skeletons, {"OUTCOME": "ok"})
    back = skeleton.read_bundle(bundle)
    assert list(back) == list(default_skeletons)
    source = small_visit.flc[0]
    out = tmp_path / source.name
    skeleton.join(back[ExposureKey.parse(source)], source, out)
    with fits.open(out) as made, fits.open(source) as given:
        np.testing.assert_array_equal(corners(made), corners(default_skeletons[ExposureKey.parse(source)]))
        for hdu in given[1:]:
            name = skeleton.extension_name(hdu)
            np.testing.assert_array_equal(made[name].data, hdu.data)
            assert made[name].data.dtype == hdu.data.dtype
        assert made[0].header["EXPTIME"] == given[0].header["EXPTIME"]
    with pytest.raises(SnakedrizError, match="has no exposure"):
        skeleton.read_bundle(bundle, [ExposureKey("nothing", "flc")])


def test_bundles_are_bit_identical(small_visit, tmp_path):
    digests = []
    for name in ("a.fits", "b.fits"):
        found = {ExposureKey.parse(path): skeleton.from_exposure(path) for path in small_visit.flc}
        stages.default(found, {"jref": str(small_visit.ref)})
        solution = stages.apriori(found, None, str(small_visit.offsets))
        skeleton.write_bundle(tmp_path / name, found, stages.about(solution))
        digests.append((tmp_path / name).read_bytes())
    assert digests[0] == digests[1]


def test_guide_star_offsets_leave_what_the_simulation_left(small_visit, default_skeletons):
    solution = stages.apriori(default_skeletons, None, str(small_visit.offsets))
    assert (solution["outcome"], solution["wcsname"]) == ("ok", "IDC_9d1snakej-GSC240")
    for index, path in enumerate(small_visit.flc):
        for kind in ("flc", "flt"):
            exposure = default_skeletons[ExposureKey(path.stem[:9], kind)]
            difference = offset_mas(corners(exposure), true_corners(small_visit, index))
            np.testing.assert_allclose(difference, [[30.0, -20.0]] * len(difference), atol=0.6)
            # The default stays in the file as a headerlet, and restores the default.
            attached = [hdu for hdu in exposure if hdu.name == "HDRLET"]
            assert [hdu.header["WCSNAME"] for hdu in attached] == ["IDC_9d1snakej"]


def test_guide_star_shift_equals_the_published_numbers_of_stwcs(tmp_path, monkeypatch):
    """stwcs's own test exposure and offsets (j94f05bgq): -26.195, -30.372 px (behaviour page, 3f)."""
    header = shared("headers/j94f05bgq_flt_header.fits")
    reference = shared("acs_wfc_reference/0461802ej_idc.fits").parent
    exposure = skeleton.from_exposure(header)
    for hdu in exposure[1:]:
        hdu.data = np.broadcast_to(np.zeros(1, np.uint8), (2048, 4096))
    for keyword, name in (("IDCTAB", "0461802ej_idc"), ("D2IMFILE", "02c1450oj_d2i"), ("NPOLFILE", "02c14514j_npl")):
        exposure[0].header[keyword] = f"jref${name}.fits"
    stages.default({ExposureKey("j94f05bgq", "flt"): exposure}, {"jref": str(reference)})
    offsets = {
        "rootname": "j94f05bgq", "deltaRA": 0.00163279, "deltaDEC": -0.00024635, "deltaROLL": 0.05507061,
        "deltaSCALE": 0.99852027, "dGSinputRA": 4.870375, "dGSinputDEC": -72.181833,
        "dGSoutputRA": 4.87200779, "dGSoutputDEC": -72.18207935, "outputCatalog": "GSC240",
    }  # fmt: skip
    before = corners(exposure)
    shift = guide_star_offsets.apply_offsets(exposure, offsets, "IDC_0461802ej-GSC240")
    np.testing.assert_allclose(shift, (-26.195, -30.372), atol=5e-4)
    # The sky moves by the guide star's own displacement: 0.00163279 deg cos(dec) and -0.00024635 deg. The field is
    # 0.4 arcmin off the guide star's parallel in RA*cos(dec), which turns 1.8 arcsec by about 2 mas.
    moved = offset_mas(corners(exposure), before)
    expected = [0.00163279 * np.cos(np.radians(-72.18)) * 3.6e6, -0.00024635 * 3.6e6]
    np.testing.assert_allclose(np.median(moved, axis=0), expected, atol=5.0)


def test_missing_offset_columns_and_doubled_rows_are_named(tmp_path, small_visit):
    table = Table.read(small_visit.offsets)
    table.remove_column("dGSinputRA")
    table.write(tmp_path / "o.ecsv")
    with pytest.raises(SnakedrizError, match="lacks the columns dGSinputRA"):
        guide_star_offsets.read_offsets(tmp_path / "o.ecsv")
    with pytest.raises(SnakedrizError, match="does not exist"):
        guide_star_offsets.read_offsets(tmp_path / "absent.ecsv")


@pytest.mark.parametrize("chip_shift", [(0.0, 0.0), (1e-5, -2e-5)])
def test_a_headerlet_restores_every_chip(small_visit, default_skeletons, tmp_path, chip_shift):
    """B5: the headerlet that drizzlepac attaches holds a stale second chip."""
    owner = ExposureKey.parse(small_visit.flc[0])
    exposure = default_skeletons[owner]
    pristine = skeleton.read_bundle(_bundle(tmp_path, {owner: exposure}))[owner]
    for chip in (1, 2):
        header = exposure["SCI", chip].header
        header["CRVAL1"] += 1e-4 + chip * chip_shift[0]
        header["CRVAL2"] += chip * chip_shift[1]
        header["CD1_1"] *= 1.0001
        header["WCSNAME"] = "IDC_9d1snakej-FIT_REL_TEST"
    made = headerlets.make(exposure, "some-hlet.fits")
    path = tmp_path / "x_hlet.fits"
    made.writeto(path)
    headerlets.apply(pristine, headerlets.load(path))
    assert pristine["SCI", 2].header["WCSNAME"] == "IDC_9d1snakej-FIT_REL_TEST"
    np.testing.assert_allclose(corners(pristine), corners(exposure), rtol=0, atol=MICROARCSEC / 3600)


def _bundle(folder, skeletons):
    skeleton.write_bundle(folder / "b.fits", skeletons, {})
    return folder / "b.fits"


def _database(small_visit, default_skeletons, folder, kinds=("GSC240",), chips=(1, 2)):
    """A directory of headerlets as the database would send them: per kind a known shift of the default WCS."""
    folder.mkdir(exist_ok=True)
    shifts = {"GSC240": 1e-5, "HSC30": 2e-5, "FIT_REL_GAIADR2": 3e-5}
    for path in small_visit.flc:
        for kind in kinds:
            exposure = skeleton.read_bundle(
                _bundle(folder, {ExposureKey("e", "flc"): default_skeletons[ExposureKey.parse(path)]})
            )[ExposureKey("e", "flc")]
            for chip in (1, 2):
                exposure["SCI", chip].header["CRVAL2"] += shifts[kind]
                exposure["SCI", chip].header["WCSNAME"] = f"IDC_9d1snakej-{kind}"
            made = headerlets.make(exposure, f"{path.stem}_{kind}")
            made = Headerlet([h for h in made if h.name != "SIPWCS" or h.header["TG_EVER"] in chips])
            made.writeto(folder / f"{path.stem}_{kind}_hlet.fits", overwrite=True)
    (folder / "b.fits").unlink()
    return folder


def test_database_headerlets_are_chosen_by_preference_and_the_others_attached(small_visit, default_skeletons, tmp_path):
    kinds = ("GSC240", "HSC30", "FIT_REL_GAIADR2")
    folder = _database(small_visit, default_skeletons, tmp_path / "db", kinds)
    owner = ExposureKey.parse(small_visit.flc[0])
    before = corners(default_skeletons[owner])
    solution = stages.apriori(default_skeletons, str(folder), str(small_visit.offsets))
    assert solution["wcsname"] == "IDC_9d1snakej-HSC30"
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
    assert stages.apriori(default_skeletons, str(folder), None)["wcsname"] == "IDC_9d1snakej-GSC240"


def test_what_cannot_be_applied_is_an_outcome_with_its_reason(small_visit, default_skeletons, tmp_path):
    nothing = stages.apriori(default_skeletons, None, None)
    assert nothing["outcome"] == "not_applicable"
    assert "solutions.headerlets" in nothing["reason"]
    only_fits = _database(small_visit, default_skeletons, tmp_path / "fits", ("FIT_REL_GAIADR2",))
    assert "only a posteriori" in stages.apriori(default_skeletons, str(only_fits), None)["reason"]
    one_chip = _database(small_visit, default_skeletons, tmp_path / "chip", ("GSC240",), chips=(1,))
    assert "has chips [1]" in stages.apriori(default_skeletons, str(one_chip), None)["reason"]
    mixed = _database(small_visit, default_skeletons, tmp_path / "mixed", ("GSC240", "HSC30"))
    (mixed / f"{small_visit.flc[0].stem}_GSC240_hlet.fits").unlink()
    (mixed / f"{small_visit.flc[1].stem}_HSC30_hlet.fits").unlink()
    assert "common to all" in stages.apriori(default_skeletons, str(mixed), None)["reason"]
    off = stages.apriori(default_skeletons, None, str(small_visit.offsets), enabled=False)
    assert "ASTROMETRY_APPLY_APRIORI" in off["reason"]


def test_headerlets_of_another_distortion_model_are_not_applied(small_visit, default_skeletons, tmp_path):
    folder = _database(small_visit, default_skeletons, tmp_path / "db")
    for path in folder.glob("*_hlet.fits"):
        with fits.open(path, mode="update") as hdul:
            hdul[0].header["WCSNAME"] = "IDC_otheridcj-GSC240"
    solution = stages.apriori(default_skeletons, str(folder), None)
    assert solution["outcome"] == "not_applicable"
    assert "another distortion model" in solution["reason"]


def test_damaged_headerlets_are_named(small_visit, default_skeletons, tmp_path):
    folder = _database(small_visit, default_skeletons, tmp_path / "db")
    for path in folder.glob("*_hlet.fits"):
        with fits.open(path, mode="update") as hdul:
            for hdu in hdul:
                hdu.header.remove("IDCSCALE", ignore_missing=True)
    assert "no IDCSCALE" in stages.apriori(default_skeletons, str(folder), None)["reason"]
    (folder / "zz_hlet.fits").write_text("not FITS")
    with pytest.raises(SnakedrizError, match=r"zz_hlet\.fits"):
        stages.apriori(default_skeletons, str(folder), None)


def _fit(small_visit, shift=1e-4):
    """A fit that moves every chip by `shift` deg in Dec, in the form that fitting writes."""

    def build(exposure):
        return [
            {
                "extver": chip,
                "crval": [exposure["SCI", chip].header["CRVAL1"], exposure["SCI", chip].header["CRVAL2"] + shift],
                "cd": [[exposure["SCI", chip].header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)],
            }
            for chip in (1, 2)
        ]

    return build


def test_a_fit_reaches_both_chips_and_both_kinds(small_visit, default_skeletons):
    build = _fit(small_visit)
    before = {owner: corners(exposure) for owner, exposure in default_skeletons.items()}
    exposures = [
        {"rootname": p.stem[:9], "chips": build(default_skeletons[ExposureKey.parse(p)]),
         "nmatches": 40, "rms_ra_mas": 3.0,
         "rms_dec_mas": 4.0} for p in small_visit.flc
    ]  # fmt: skip
    fit = {"catalog": "GAIAeDR3", "wcs_kind": "REL", "fitgeom_used": "rscale", "exposures": exposures}
    solution = stages.aposteriori(default_skeletons, fit, "the only one")
    assert solution["wcsname"] == "IDC_9d1snakej-FIT_REL_GAIAeDR3"
    for owner, exposure in default_skeletons.items():
        moved = offset_mas(corners(exposure), before[owner])
        np.testing.assert_allclose(moved[:, 1], 360.0, atol=1e-3)
        for chip in (1, 2):
            header = exposure["SCI", chip].header
            assert (header["NMATCHES"], header["RMS_RA"], header["FITGEOM"]) == (40, 3.0, "rscale")
            assert header["CRDER2"] == pytest.approx(4.0 / 3.6e6)
        assert HSTWCS(exposure, ext=("SCI", 1)).wcs.crval == pytest.approx(
            [exposure["DQ", 1].header["CRVAL1"], exposure["DQ", 1].header["CRVAL2"]]
        )


def test_an_exposure_that_the_others_carry_along_has_no_rms_of_its_own(small_visit, default_skeletons):
    build = _fit(small_visit)
    exposures = [
        {"rootname": p.stem[:9], "chips": build(default_skeletons[ExposureKey.parse(p)]),
         "nmatches": n, "rms_ra_mas": rms,
         "rms_dec_mas": rms} for p, n, rms in zip(small_visit.flc, (40, 0), (3.0, None), strict=True)
    ]  # fmt: skip
    fit = {"catalog": "GAIAeDR3", "wcs_kind": "REL", "fitgeom_used": "rscale", "exposures": exposures}
    assert stages.aposteriori(default_skeletons, fit, "the only one")["outcome"] == "ok"
    first, second = (default_skeletons[ExposureKey.parse(p)]["SCI", 1].header for p in small_visit.flc)
    assert (first["NMATCHES"], first["RMS_RA"]) == (40, 3.0)
    assert second["NMATCHES"] == 0
    assert "RMS_RA" not in second


def test_no_valid_fit_is_an_outcome(default_skeletons):
    assert stages.aposteriori(default_skeletons, None, "4 sources")["outcome"] == "not_applicable"


@pytest.mark.parametrize("name", ["sample_svm_flc.fits", "sample_ipppssoot_flc.fits", "sample_flc_header.fits"])
def test_archive_headerlets_are_read_and_judged(name, tmp_path):
    """The archive's own solutions for WFC3/UVIS and ACS/WFC: every one is read and has no problem."""
    count = 0
    with fits.open(shared(f"headers/{name}")) as hdul:
        for index, hdu in enumerate(hdul):
            if hdu.name == "HDRLET":
                hdu.headerlet.writeto(tmp_path / f"h{index:02d}_hlet.fits", output_verify="silentfix")
                count += 1
    found = headerlets.read_directory(tmp_path)
    assert len(found) == count > 0
    distorted = [f for f in found if f.name.idcroot]
    assert distorted
    assert [f.problem for f in distorted] == [""] * len(distorted)
