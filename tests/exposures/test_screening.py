import pytest
from astropy.io import fits
from helpers.shared_data import shared
from helpers.small_exposures import EXCLUDED, PRIMARY, UVIS
from snakedriz.exposures import facts, screening

SCIENCE = [{"NGOODPIX": 80}, {"NGOODPIX": 80}]


def screen(changes=None, science=SCIENCE, all_zero=False):
    primary = {key: value for key, value in {**PRIMARY, **(changes or {})}.items() if value is not None}
    return screening.screen(primary, science, all_zero)


def test_nothing_wrong():
    assert screen() == screening.Screening(True, True, "", ())


# keyword changes, and a part of the reason; in the order of the pipeline's conditions (behaviour 3d)
@pytest.mark.parametrize(("changes", "reason"), EXCLUDED)
def test_every_condition_excludes_with_its_reason(changes, reason):
    found = screen(changes)
    assert (found.used, found.alignable) == (False, False)
    assert reason in found.reason


def test_the_first_condition_is_the_reason():
    everything = {"OBSTYPE": "X", "DRIZCORR": "OMIT", "MTFLAG": "T", "TARGNAME": "BIAS", "EXPTIME": 0}
    for keyword, harmless in (("OBSTYPE", "IMAGING"), ("DRIZCORR", ""), ("MTFLAG", ""), ("TARGNAME", "M31")):
        assert screen(everything).reason.startswith(keyword)
        everything[keyword] = harmless
    assert screen(everything).reason.startswith("EXPTIME")


def test_data():
    assert screen(all_zero=True).reason == "all science data are zero"
    assert "NGOODPIX" in screen(science=[{"NGOODPIX": 0}, {"NGOODPIX": 0}]).reason
    one_dead = screen(science=[{"NGOODPIX": 80}, {"NGOODPIX": 0}])
    assert one_dead.used
    assert one_dead.warnings == ("SCI,2: no good pixel (NGOODPIX is 0)",)
    assert screen(science=[{}, {}]).used  # not set


LAMPS = """
    DARK BIAS TUNG TUNGSTEN TUNGSTEN-1 FLAT FLAT-2 INTFLAT DEUTERIUM DEUT EARTH-CALIB EARTH-CAL DARK-NM BIAS_3
    DARK-EARTH-CALIB FLAT-FIELD FLATFIELD dark KSPOTS
"""
SKY = """
    UNBIASED-FIELD FLATTOP-GAL DARK-CLOUD-7 DARKSTAR BARNARD68-DARK FLATLAND BIASED-1 TUNGUSKA DEUTSCH-1 EARTHSHINE ANY
    NGC104 M31 DARK-ENERGY-SURVEY ARP-FLAT FLAT-SPECTRUM-QSO HOT-TUNG-1 2003-EL61
"""


@pytest.mark.parametrize("name", LAMPS.split())
def test_calibration_targets(name):
    assert not screen({"TARGNAME": name}).used


@pytest.mark.parametrize("name", [*SKY.split(), "", "DARK NEBULA"])
def test_targets_on_the_sky_pass(name):
    assert screen({"TARGNAME": name}).used


def test_internal_exposures_need_only_the_leading_word():
    assert screen({"TARGNAME": "DARK-CLOUD-7", "IMAGETYP": "EXT"}).used
    assert not screen({"TARGNAME": "DARK-CLOUD-7", "IMAGETYP": "DARK"}).used


@pytest.mark.parametrize("lock", ["GYROS", "FINE/GYRO", "COARSE", "gyro"])
def test_guiding_warns_and_charge_injection_is_still_looked_at(lock):
    found = screen({"FGSLOCK": lock})
    assert found.used
    assert "may be compromised" in found.warnings[0]
    injected = screen({**UVIS, "FGSLOCK": lock, "CHINJECT": "LINE25"})
    assert not injected.used
    assert injected.warnings == found.warnings


def test_charge_injection_not_set_or_none():
    for value in (None, "", "NONE", "none "):
        assert screen({**UVIS, "CHINJECT": value}).used
    assert screen({"CHINJECT": "CONT"}).used  # a keyword of UVIS only


@pytest.mark.parametrize("name", ["G800L", "PR200L", "G280", "PR110L"])
def test_grisms_are_drizzled_but_not_aligned(name):
    found = screen({"FILTER1": name})
    assert (found.used, found.alignable) == (True, False)
    assert name in found.reason
    assert not screen({"FILTER1": name, "EXPTIME": 0.0}).used  # a crash in drizzlepac (B30)


def test_ramps_and_other_filters():
    for name in ("FR914M", "POL0V", "F140LP", "CLEAR1L"):
        assert screen({"FILTER1": name}).alignable


def test_flags_are_noted():
    found = screen({"QUALITY": "GSFAIL", "EXPFLAG": "INDETERMINATE"})
    assert found.used
    assert found.warnings == ("QUALITY is GSFAIL", "EXPFLAG is INDETERMINATE")
    assert screen({"QUALITY": "OK", "EXPFLAG": "NORMAL"}).warnings == ()


def test_missing_and_blank_keywords_are_not_set():
    assert screening.screen({"EXPTIME": 10.0}, []).used
    for key in PRIMARY:
        if key != "EXPTIME":
            assert screen({key: None}).used, key
            assert screen({key: ""}).used, key
            assert screen({key: "  "}).used, key


def test_wfpc2_trusts_imagetyp():
    wfpc2 = {"INSTRUME": "WFPC2", "DETECTOR": None, "OBSTYPE": None, "FILTNAM1": "F555W", "FILTNAM2": ""}
    assert screen({**wfpc2, "TARGNAME": "INTFLAT", "IMAGETYP": "EXT"}).used
    assert not screen({**wfpc2, "TARGNAME": "INTFLAT", "IMAGETYP": "FLAT"}).used


def test_filters_as_the_tables_name_them():
    from stsci.tools.fileutil import getFilterNames

    for changes in ({}, UVIS, {"INSTRUME": "WFPC2", "FILTNAM1": "F555W", "FILTNAM2": ""}):
        header = fits.Header({**PRIMARY, **changes})
        assert ",".join(screening.filter_names(header)) == getFilterNames(header)


@pytest.mark.parametrize(
    "name", ["hrc_47tuc/j8bt06nyq_flt.fits", "headers/sample_flc_header.fits", "headers/sample_svm_flc.fits"]
)
def test_real_headers_pass(name):
    found = screening.screen(*facts.headers(shared(name)))
    assert (found.used, found.alignable, found.reason, found.warnings) == (True, True, "", ())
