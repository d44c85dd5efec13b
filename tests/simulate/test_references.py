"""Reference files, as drizzlepac and stwcs read them."""

from pathlib import Path

import pytest
from astropy.io import fits
from drizzlepac import mdzhandler
from snakedriz.simulate.distortion import TDD


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


def test_solution_is_named_after_the_idctab_and_has_all_parts(clean, updated):
    with fits.open(updated[0]) as hdus:
        header = hdus["SCI", 1].header
        assert header["WCSNAME"] == "IDC_9d1snakej"
        assert header["CTYPE1"] == "RA---TAN-SIP"
        assert (header["A_ORDER"], header["NPOLEXT"]) == (5, "jref$9d1snakej_npl.fits")
        assert header["D2IMEXT"] == "jref$9d1snakej_d2i.fits"
        assert {h.name for h in hdus} >= {"WCSDVARR", "D2IMARR"}
        assert header["TDD_CTB"] == TDD["TDD_CTB2"]
