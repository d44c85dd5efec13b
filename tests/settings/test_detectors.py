import pytest
from snakedriz.errors import SnakedrizError
from snakedriz.exposures import mdriztab
from snakedriz.settings.astrodrizzle_parameters import check_parameters
from snakedriz.settings.detectors import detector_settings, load_detectors


def test_detector_settings_merge():
    mapping = {"default": {"a": {"x": 1, "y": 2}, "b": [1]}, "ACS/WFC": {"a": {"y": 3}, "b": [2]}}
    assert detector_settings(mapping, "acs", "WFC ") == {"a": {"x": 1, "y": 3}, "b": [2]}
    assert mapping["default"]["a"]["y"] == 2
    with pytest.raises(SnakedrizError, match=r"STIS/CCD in detectors\.yaml; there are settings for ACS/WFC"):
        detector_settings(mapping, "STIS", "CCD")


def test_the_shipped_detectors():
    detectors = load_detectors()
    names = {"ACS/WFC", "ACS/HRC", "ACS/SBC", "WFC3/UVIS", "WFC3/IR", "WFPC2/PC"}
    assert names <= set(detectors)
    for name in names:
        numbers = detector_settings(detectors, *name.split("/"))["drizzle"]
        for count in (1, 2, 4, 6, 20):
            found = mdriztab.fallback(numbers, count)
            check_parameters(found, name)  # the same names and types that a user may give
            assert found["median"] is (count > 1 and name != "ACS/SBC")
            assert {"driz_sep_bits", "final_bits"} <= set(found)


def test_broken_detector_files(tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text("ACS/WFC: 3\n")
    with pytest.raises(SnakedrizError, match="expected a mapping from detectors"):
        load_detectors(path)
    with pytest.raises(SnakedrizError, match="cannot be read"):
        load_detectors(tmp_path / "nothere.yaml")
