"""A fit written into the headers of exposures."""

from pathlib import Path

import numpy as np
import pytest
from helpers.sky import corners, offset_mas
from snakedriz.artefacts.fit import Fit
from snakedriz.candidates import aposteriori
from snakedriz.fits_headers.rootnames import ExposureKey
from stwcs.wcsutil import HSTWCS

EXAMPLE = Path(__file__).parents[1] / "artefacts/examples/fit.json"


def fit_of(skeletons, nmatches=(40, 40), rms=((3.0, 4.0), (3.0, 4.0))):
    """A fit that moves every chip of the FLCs by 1e-4 deg in Dec."""
    example = Fit.read(EXAMPLE)
    exposures = []
    for key, count, (ra, dec) in zip([k for k in skeletons if k.kind == "flc"], nmatches, rms, strict=True):
        chips = []
        for chip in (1, 2):
            header = skeletons[key]["SCI", chip].header
            cd = [[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)]
            chips.append({"extver": chip, "crval": [header["CRVAL1"], header["CRVAL2"] + 1e-4], "cd": cd})
        changed = {"rootname": key.rootname, "nmatches": count, "rms_ra_mas": ra, "rms_dec_mas": dec, "chips": chips}
        exposures.append({**example.exposures[0].to_json(), **changed})
    return Fit.parse({**example.to_json(), "exposures": exposures}, "fit")


def test_a_fit_reaches_both_chips_and_both_kinds(default_skeletons):
    before = {owner: corners(exposure) for owner, exposure in default_skeletons.items()}
    fit = fit_of(default_skeletons)
    solution = aposteriori.make(default_skeletons, fit, "the only one")
    assert solution.wcsname == "IDC_9d1snakej-FIT_REL_GAIAeDR3"
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
    listed = aposteriori.with_fits(solution, [Fit.read(EXAMPLE), fit], ["a/first.json", "a/second.json"], fit)
    assert [(row.file, row.chosen) for row in listed.fits] == [("first.json", False), ("second.json", True)]


def test_an_exposure_that_the_others_carry_along_has_no_rms_of_its_own(small_visit, default_skeletons):
    fit = fit_of(default_skeletons, (40, 0), ((3.0, 4.0), (None, None)))
    assert aposteriori.make(default_skeletons, fit, "the only one").outcome == "ok"
    first, second = (default_skeletons[ExposureKey.parse(p)]["SCI", 1].header for p in small_visit.flc)
    assert (first["NMATCHES"], first["RMS_RA"]) == (40, 3.0)
    assert second["NMATCHES"] == 0
    assert "RMS_RA" not in second


def test_no_valid_fit_and_an_exposure_that_is_not_in_it_are_outcomes(small_visit, default_skeletons):
    assert aposteriori.make(default_skeletons, None, "4 sources").outcome == "not_applicable"
    fit = fit_of(default_skeletons)
    partly = aposteriori.make(
        default_skeletons, fit.model_copy(update={"exposures": fit.exposures[:1]}), "the only one", "aposteriori"
    )
    assert partly.outcome == "not_applicable"
    assert partly.reason.startswith(f"{small_visit.flc[1].stem[:9]} cannot be fitted, and applying the fit to")
