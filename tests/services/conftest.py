"""No proxy, no real network, no waiting."""

import random
import socket

import pytest
from snakedriz.services.retries import Budget
from snakedriz.services.transport import Client


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Refuse every connection that leaves the machine."""
    real = socket.getaddrinfo

    def lookup(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost", "nowhere.invalid"):
            raise AssertionError(f"a test tried to reach {host}")
        if host == "nowhere.invalid":
            raise socket.gaierror(-2, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    for name in ("ASTROMETRIC_CATALOG_URL", "ASTROMETRY_SERVICE_URL", "GSSS_WEBSERVICES_URL", "CRDS_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def client(pauses):
    """A client that writes down its pauses instead of making them."""
    return Client("the service", Budget(attempts=3, timeout=0.3, seconds=20), pauses.append, rng=random.Random(1))
