"""Where services are, and what of their addresses must not be shown."""

import pytest
from snakedriz.services.addresses import address, client, secrets
from snakedriz.settings.configuration import Services


def test_addresses_environment_then_configuration_then_built_in():
    environ = {"ASTROMETRY_SERVICE_URL": "https://a.example/db/"}
    assert address("astrometry", Services(astrometry="https://b.example"), environ) == "https://a.example/db"
    assert address("astrometry", Services(astrometry="https://b.example"), {}) == "https://b.example"
    assert address("astrometry", Services(), {}) == "https://mast.stsci.edu/portal/astrometryDB"
    with pytest.raises(ValueError, match="ASTROMETRY_SERVICE_URL is 'ftp"):
        address("astrometry", Services(), {"ASTROMETRY_SERVICE_URL": "ftp://x"})


def test_a_client_has_the_budget_of_the_configuration():
    made = client("mast", Services(attempts=2, timeout=5, seconds=60))
    assert (made.service, made.budget.attempts, made.budget.timeout, made.budget.seconds) == ("MAST", 2, 5, 60)


def test_what_must_not_be_shown():
    config = Services(mast="https://me:pass%20word@mast.example/x?token=abcdef")
    environ = {"MAST_API_TOKEN": "tokentoken", "https_proxy": "http://a:proxypass@p:1", "HOME": "/root"}
    assert secrets(config, environ) >= {"pass%20word", "pass word", "abcdef", "tokentoken", "proxypass"}
    assert "/root" not in secrets(config, environ)
