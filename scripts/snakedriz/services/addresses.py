"""Where the services are: by the environment, else the configuration, else as built in; read when a client is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from snakedriz.errors import SnakedrizError
from snakedriz.services.retries import Budget
from snakedriz.services.transport import Client
from snakedriz.settings.configuration import Services

#: By key of `services` in the configuration: name in errors, address built in, environment variable.
SERVICES: dict[str, tuple[str, str, str | None]] = {
    "catalogs": ("STScI catalogue service", "https://gsss.stsci.edu/webservices", "ASTROMETRIC_CATALOG_URL"),
    "astrometry": ("astrometry database", "https://mast.stsci.edu/portal/astrometryDB/", "ASTROMETRY_SERVICE_URL"),
    "guide_stars": ("guide-star service", "https://gsss.stsci.edu/webservices", "GSSS_WEBSERVICES_URL"),
    "tap": ("Gaia archive (TAP)", "https://gea.esac.esa.int/tap-server/tap", None),
    "vizier": ("VizieR", "https://vizier.cds.unistra.fr", None),
    "mast": ("MAST", "https://mast.stsci.edu", None),
    "cloud": ("MAST public cloud copies", "https://stpubdata.s3.us-east-1.amazonaws.com", None),
    "crds": ("CRDS", "https://hst-crds.stsci.edu", "CRDS_SERVER_URL"),
}


def address(key: str, config: Services, environ: Mapping[str, str]) -> str:
    """Return the address of a service, without a slash at its end.

    Parameters
    ----------
    key : str
        One of `SERVICES`.
    config : Services
        `services` of the configuration.
    environ : mapping
        Usually `os.environ`.

    Raises
    ------
    SnakedrizError
        If it is not an http or https address.
    """
    _, built_in, variable = SERVICES[key]
    found = (environ.get(variable) if variable else None) or getattr(config, key) or built_in
    origin = f"the environment variable {variable}" if variable and environ.get(variable) else f"services.{key}"
    if urlsplit(found).scheme not in ("http", "https") or not urlsplit(found).netloc:
        raise SnakedrizError(f"{origin} is {found!r}", "give an address that begins with https:// or http://")
    return found.rstrip("/")


def client(key: str, config: Services) -> Client:
    """Return a client of a service with the budget of the configuration (`attempts`, `timeout`, `seconds`)."""
    return Client(SERVICES[key][0], Budget(config.attempts, config.timeout, config.seconds))


def secrets(config: Services, environ: Mapping[str, str]) -> set[str]:
    """Return what must not be shown: credentials in addresses of services and proxies, tokens in the environment.

    None of them is sent to a service; they are known so that they can be kept out of logs.
    """
    named = re.compile(r"(?i)token|passw|secret|credential|signature|api_?key")
    variables = {variable for _, _, variable in SERVICES.values() if variable}
    texts = [str(getattr(config, key)) for key in SERVICES if getattr(config, key)]
    texts += [value for name, value in environ.items() if name in variables or name.lower().endswith("_proxy")]
    found = {value for name, value in environ.items() if named.search(name)}
    for text in texts:
        parts = urlsplit(text if "//" in text else f"//{text}")
        user, at, _ = parts.netloc.rpartition("@")
        if at:
            found |= {user, user.partition(":")[2]}
        found |= {value for name, value in parse_qsl(parts.query) if named.search(name)}
    found |= {unquote(value) for value in found}
    return {value for value in found if len(value) >= 4}
