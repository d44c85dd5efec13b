"""Files of simulated visits: names, tables, headers, determinism, options."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from drizzlepac import mdzhandler
from snakedriz.simulate import Visit, read_truth, simulate_visit
from snakedriz.simulate.distortion import filter_model

OPTIONS = {
    "chip_shape": (96, 160),
    "n_exposures": 2,
    "n_stars": 40,
    "n_galaxies": 3,
    "exptime": (300.0, 450.0),
    "exposure_errors": {1: (0.01, 0.02)},
    "pm_sigma": 5.0,
    "reference_error": 0.0,
    "reference_mag_range": (17.0, 25.5),
}


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return simulate_visit(Visit(**OPTIONS), tmp_path_factory.mktemp("visit"))


def digests(directory: Path) -> dict[str, str]:
    files = sorted(p for p in directory.rglob("*") if p.is_file())
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_files_are_the_documented_ones(truth):
    roots = ["jdemo1a1q", "jdemo1a2q"]
    expected = {f"data/{r}_{s}.fits" for r in roots for s in ("raw", "flt", "flc")}
    expected |= {"data/jdemo1010_asn.fits", "gaia.ecsv", "offsets.ecsv", "truth.ecsv", "truth.json"}
    expected |= {f"ref/9d1snakej_{s}.fits" for s in ("idc", "d2i", "npl", "mdz")}
    assert set(digests(truth.directory)) == expected


def test_another_process_and_hash_seed_give_the_same_bytes(truth, tmp_path):
    code = (
        "import json, sys; from pathlib import Path; from snakedriz.simulate import read_truth, simulate_visit;"
        "simulate_visit(read_truth(Path(sys.argv[1])).visit, Path(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, str(truth.directory), str(tmp_path)]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path, capture_output=True)
    assert digests(tmp_path) == digests(truth.directory)


def test_another_seed_gives_other_pixels(truth, tmp_path):
    other = simulate_visit(Visit(**{**OPTIONS, "seed": 2}), tmp_path)
    assert not np.allclose(other.scene["ra"][:3], truth.scene["ra"][:3])


def test_options_leave_what_they_do_not_concern(truth, tmp_path):
    other = simulate_visit(Visit(**{**OPTIONS, "cr_rate": 0.0, "read_noise": 3.0, "make_flc": False}), tmp_path)
    assert (tmp_path / "truth.ecsv").read_bytes() == (truth.directory / "truth.ecsv").read_bytes()
    assert (tmp_path / "gaia.ecsv").read_bytes() == (truth.directory / "gaia.ecsv").read_bytes()
    assert other.flc == ()
    assert not list(other.data.glob("*_flc.fits"))


def test_read_truth_gives_back_what_was_simulated(truth):
    again = read_truth(truth.directory)
    assert again.visit == truth.visit
    assert (again.flt, again.flc, again.asn_table, again.references) == (
        truth.flt, truth.flc, truth.asn_table, truth.references,
    )  # fmt: skip
    assert np.array_equal(again.scene["ra"], truth.scene["ra"])
    assert again.details == json.loads(json.dumps(truth.details))
    with pytest.raises(FileNotFoundError):
        read_truth(truth.directory / "data")


def test_association_table_is_read_by_stsci_tools(truth):
    # It looks for the exposures in the working directory, hence the process of its own.
    code = "import sys, stsci.tools.asnutil as a; t = a.readASNTable(sys.argv[1]); print(*t['order'], t['output'])"
    command = [sys.executable, "-c", code, truth.asn_table.name]
    run = subprocess.run(command, check=True, cwd=truth.data, capture_output=True, text=True)
    assert run.stdout.split() == ["jdemo1a1q", "jdemo1a2q", "JDEMO1010"]
    with fits.open(truth.asn_table) as hdus:
        assert hdus[0].header["ASN_ID"] == "JDEMO1010"
        assert hdus["ASN"].columns.formats == ["14A", "14A", "1L"]
        assert list(hdus["ASN"].data["MEMNAME"]) == ["JDEMO1A1Q", "JDEMO1A2Q", "JDEMO1010"]
        assert list(hdus["ASN"].data["MEMTYPE"]) == ["EXP-DTH", "EXP-DTH", "PROD-DTH"]
        assert hdus["ASN"].data["MEMPRSNT"].all()


@pytest.mark.parametrize(
    ("count", "bits", "combine", "several"),
    [(1, "65535", "minmed", False), (2, "336", "minmed", True), (5, "336", "minmed", True), (6, "336", "median", True),
     (9, "336", "median", True)],
)  # fmt: skip
def test_mdriztab_rows_are_chosen_by_drizzlepac(truth, monkeypatch, count, bits, combine, several):
    monkeypatch.setenv("jref", f"{truth.ref}/")
    found = mdzhandler.getMdriztabParameters([str(truth.flc[0])] * count)
    assert (found["driz_sep_bits"], found["final_bits"]) == (bits, bits)
    assert found["combine_type"] == combine
    assert (found["driz_cr_snr"], found["driz_cr_scale"]) == ("3.5 3.0", "1.5 1.2")
    for name in ("static", "skysub", "driz_separate", "median", "blot", "driz_cr"):
        assert found[name] is several
    assert found["driz_combine"] is True
    assert found["build"] is True
    assert found["final_scale"] is None  # undefined: AstroDrizzle decides
    assert (found["final_kernel"], found["final_pixfrac"], found["final_wht_type"]) == ("square", 1.0, "EXP")


def test_mdriztab_columns_are_parameters_of_astrodrizzle(truth):
    import drizzlepac

    text = (Path(drizzlepac.__file__).parent / "pars" / "astrodrizzle.cfg").read_text()
    known = {line.split("=")[0].strip() for line in text.splitlines() if "=" in line}
    with fits.open(truth.references.mdriztab) as hdus:
        assert set(hdus[1].columns.names) - known == {"filter", "numimages"}


def test_exposures_have_the_layout_and_keywords_of_acs(truth):
    for index, (path, suffix) in enumerate([(truth.flt[0], "flt"), (truth.flc[1], "flc")]):
        with fits.open(path) as hdus:
            names = [(h.name, h.ver, h.header.get("BITPIX")) for h in hdus[1:]]
            assert names == [(n, v, b) for v in (1, 2) for n, b in (("SCI", -32), ("ERR", -32), ("DQ", 16))]
            assert [hdus["SCI", v].header["CCDCHIP"] for v in (1, 2)] == [2, 1]
            primary, sci = hdus[0].header, hdus["SCI", 1].header
            assert primary["FILENAME"] == path.name
            assert primary["PCTECORR"] == ("COMPLETE" if suffix == "flc" else "OMIT")
            for key, value in {
                "INSTRUME": "ACS", "DETECTOR": "WFC", "OBSTYPE": "IMAGING", "IMAGETYP": "EXT", "MTFLAG": "",
                "FGSLOCK": "FINE", "EXPFLAG": "NORMAL", "QUALITY": "", "DRIZCORR": "PERFORM", "SUBARRAY": False,
                "FILTER1": "CLEAR1L", "FILTER2": "F814W", "CCDAMP": "ABCD", "CCDGAIN": 2.0, "READNSEA": 4.5,
                "ASN_ID": "JDEMO1010", "ASN_TAB": "jdemo1010_asn.fits", "EXPTIME": (300.0, 450.0)[index],
                "DATE-OBS": "2012-07-04", "IDCTAB": "jref$9d1snakej_idc.fits", "MDRIZTAB": "jref$9d1snakej_mdz.fits",
            }.items():  # fmt: skip
                assert primary[key] == value, key
            assert primary["EXPEND"] - primary["EXPSTART"] == pytest.approx(primary["EXPTIME"] / 86400)
            assert (sci["BUNIT"], sci["CTYPE1"], sci["CRPIX1"], sci["CRPIX2"]) == ("ELECTRONS", "RA---TAN", 80.0, 48.0)
            assert sci["NGOODPIX"] == np.sum(hdus["DQ", 1].data == 0)
            # A plain linear solution: what updatewcs adds (SIP, IDC..., names, look-up tables) is not there yet.
            assert not [c for h in hdus[1:] for c in h.header if c.startswith(("A_", "IDC", "WCSNAME", "CPDIS"))]
            assert not [c for h in hdus for c in h.header if c in ("DATE", "CHECKSUM")]


def test_raw_file_carries_drizcorr_and_no_pixels(truth):
    with fits.open(truth.raw[0]) as hdus:
        assert len(hdus) == 1
        assert hdus[0].header["DRIZCORR"] == "PERFORM"
        assert hdus[0].header["NEXTEND"] == 0


def test_reference_catalogue_is_the_truth_moved_to_its_epoch(truth):
    gaia = Table.read(truth.gaia, format="ascii.ecsv")
    assert gaia.meta["catalog"] == "GAIAeDR3"
    assert gaia.colnames == [
        "RA", "DEC", "ra_error", "dec_error", "pmra", "pmdec", "pmra_error", "pmdec_error", "mag", "objID", "epoch",
    ]  # fmt: skip
    assert set(gaia["epoch"]) == {2016.0}
    assert truth.visit.epoch == pytest.approx(2012.5074, abs=1e-4)
    stars = truth.star_table[np.asarray(gaia["objID"]) % 10**9 - 1]
    years = truth.visit.epoch - 2016.0
    moved_dec = gaia["DEC"] + gaia["pmdec"] * years / 3.6e6
    moved_ra = gaia["RA"] + gaia["pmra"] * years / 3.6e6 / np.cos(np.deg2rad(gaia["DEC"]))
    # Without errors the table moved to the epoch of the observation is the truth, to 0.001 mas.
    np.testing.assert_allclose((moved_dec - stars["dec"]) * 3.6e6, 0.0, atol=1e-3)
    np.testing.assert_allclose((moved_ra - stars["ra"]) * 3.6e6, 0.0, atol=1e-3)
    assert np.std((gaia["DEC"] - stars["dec"]) * 3.6e6) > 5.0  # and before that it is not: 5 mas/yr over 3.5 yr


def test_reference_catalogue_takes_the_brightest_and_has_the_error_asked_for(tmp_path):
    visit = Visit(
        chip_shape=(64, 64), n_exposures=1, n_stars=800, n_galaxies=0, cr_rate=0, n_reference=500, reference_error=2.0,
        reference_mag_range=(18.0, 25.5), make_flc=False,
    )  # fmt: skip
    truth = simulate_visit(visit, tmp_path)
    gaia, stars = truth.reference_table, truth.star_table
    assert len(gaia) == 500
    eligible = np.sort(stars["mag"][stars["mag"] >= 18.0])
    np.testing.assert_array_equal(gaia["mag"], eligible[:500])
    found = stars[np.asarray(gaia["objID"]) % 10**9 - 1]
    error = (gaia["DEC"] - found["dec"]) * 3.6e6
    # A standard deviation from 500 values has a relative error of 1/sqrt(1000) = 3.2 %.
    assert np.std(error) == pytest.approx(2.0, rel=5 * 0.032)


def test_scene_has_the_sources_asked_for_and_fluxes_that_fit_their_magnitudes(truth):
    assert len(truth.star_table) == 40
    assert len(truth.scene) == 43
    zeropoint = filter_model("F814W").zeropoint
    np.testing.assert_allclose(-2.5 * np.log10(truth.scene["flux"]) + zeropoint, truth.scene["mag"], rtol=1e-12)


def test_default_reference_stars_are_not_saturated(tmp_path):
    visit = Visit(chip_shape=(256, 256), n_exposures=1, n_stars=100, n_galaxies=0, cr_rate=0, mag_range=(18.0, 22.0))
    truth = simulate_visit(visit, tmp_path)
    assert len(truth.reference_table) == 60
    with fits.open(truth.flt[0]) as hdus:
        for version in (1, 2):
            x, y = truth.wcs[0][version - 1].all_world2pix(truth.reference_table["RA"], truth.reference_table["DEC"], 1)
            inside = (x > 1) & (x < 256) & (y > 1) & (y < 256)
            dq = hdus["DQ", version].data[np.rint(y[inside]).astype(int) - 1, np.rint(x[inside]).astype(int) - 1]
            assert inside.sum() > 10
            assert not (dq & 256).any()


def test_default_dither_crosses_the_gap_and_samples_four_phases():
    steps = np.array(Visit(chip_shape=(2048, 4096)).dithers) / 0.05
    phases = {(round(x % 1, 2), round(y % 1, 2)) for x, y in steps}
    assert phases == {(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)}
    rows = np.sort(steps[:, 1])
    assert np.diff(rows).min() > 55  # no place on the sky falls into the gap of 50 pixels twice
    assert np.ptp(rows) < 0.1 * 4096


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"asn": "JDEMO1010"}, "lower-case"),
        ({"asn": "short"}, "nine"),
        ({"exptime": (1.0, 2.0)}, "exposure times"),
        ({"dither": ((0.0, 0.0),)}, "dither positions"),
        ({"exposure_errors": {4: (0.0, 0.0)}}, "names exposures"),
        ({"filter": "F999W"}, "cannot be simulated"),
        ({"chip_shape": (10, 1024)}, "at least 64"),
        ({"n_exposures": 0}, "n_exposures"),
    ],
)
def test_impossible_visits_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Visit(**options)


def test_rootnames_are_unique_and_nine_long():
    names = Visit(n_exposures=100).rootnames
    assert len(set(names)) == 100
    assert {len(n) for n in names} == {9}
