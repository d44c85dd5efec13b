import pytest
from snakedriz import settings
from snakedriz.errors import SnakedrizError


def test_environment_switches():
    both = {"apply_apriori": True, "compute_aposteriori": True}
    assert settings.environment_switches({}) == both
    for value in ("on", "YES", "True"):
        assert settings.environment_switches({"ASTROMETRY_APPLY_APRIORI": value}) == both
    for value in ("off", "No", "FALSE"):
        off = settings.environment_switches({"ASTROMETRY_COMPUTE_APOSTERIORI": value})
        assert off == {"apply_apriori": True, "compute_aposteriori": False}
    with pytest.raises(SnakedrizError, match="ASTROMETRY_APPLY_APRIORI is 'maybe'; expected one of on, yes, true"):
        settings.environment_switches({"ASTROMETRY_APPLY_APRIORI": "maybe"})
    with pytest.raises(SnakedrizError, match=r"STEP_CONTROL .*set ASTROMETRY_APPLY_APRIORI, its successor"):
        settings.environment_switches({"ASTROMETRY_STEP_CONTROL": "on"})


def test_reference_directories():
    config = settings.validate_config({"references": {"jref": "mine"}})
    assert settings.reference_directories(config, {"jref": "/other/", "iref": "/i/"}) == {"jref": "mine", "iref": "/i/"}
