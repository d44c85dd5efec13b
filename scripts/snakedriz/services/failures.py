# ruff: noqa: N818 - the names say what happened
"""How a service can fail: one type of error for each way, so that a failure is never taken for an absence."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from snakedriz.errors import SnakedrizError

_SECRET = re.compile(r"(?i)([?&;](?:[^=&;]*(?:token|passw|secret|key|auth|signature|credential)[^=&;]*)=)[^&;]*")


def public(url: str) -> str:
    """Return an address without what must not be shown: user names, passwords, tokens."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return _SECRET.sub(r"\1...", urlunsplit((parts.scheme, host, parts.path, parts.query, "")))


class ServiceError(SnakedrizError):
    """A service did not answer as it should.

    Attributes
    ----------
    service, query, found : str
        Who was asked, what was asked (without credentials), what came.
    retry_after : float
        Seconds that the service asks to wait before the next attempt.
    """

    #: Whether asking the same again may help.
    retryable = False
    advice = "try again later, or put the file there by hand"

    def __init__(self, service: str, query: str, found: str, remedy: str = "") -> None:
        self.service, self.query, self.found, self.retry_after = service, public(query), found, 0.0
        super().__init__(f"{service}: {found}; asked: {self.query}", remedy or self.advice)


class TimedOut(ServiceError):
    """No answer, or not all of it, in time."""

    retryable = True
    advice = "try again later, or allow more time with `services.timeout`"


class Unreachable(ServiceError):
    """The host's name is not known, it refused the connection, or cut it."""

    retryable = True
    advice = "check the connection, the proxy and the address of the service, or put the file there by hand"


class TlsFailure(ServiceError):
    """The service could not prove who it is."""

    advice = "check the address; behind a proxy that opens TLS, name its certificates in REQUESTS_CA_BUNDLE"


class ServerFault(ServiceError):
    """Status 5xx, 408 (too slow), or 429 (asked too often)."""

    retryable = True


class Refused(ServiceError):
    """Status 4xx: the service does not accept the query."""

    advice = "check the address of the service and what is asked of it"


class HtmlPage(ServiceError):
    """A page for people where data should be, whatever the status says."""

    advice = "the service is probably down for maintenance: try again later; check its address"


class WrongType(ServiceError):
    """Content of another type than asked for."""

    advice = "check the address of the service"


class Truncated(ServiceError):
    """The body ended before it was complete."""

    retryable = True


class EmptyAnswer(ServiceError):
    """A good status and no content; an empty field is said in words, so this is none."""

    retryable = True


class Redirected(ServiceError):
    """The service points to another host or scheme, which is not followed."""

    advice = "if the service has moved, set its new address; do not if you do not know the other host"


class WrongLineEnds(ServiceError):
    """Lines that end in LF alone where the service's end in CRLF: something between has changed the answer."""

    advice = "ask without the proxy or mirror in between, or put the file there by hand"


class ServiceSaidError(ServiceError):
    """The service answered, in its own words, that it failed. It is not asked anything else instead."""

    advice = "read what the service says; nothing else was asked instead"


class BadAnswer(ServiceError):
    """The content cannot be read as what it should be."""


class Incomplete(ServiceError):
    """The service left rows out because there were too many."""

    advice = "ask for a smaller field"


class Proprietary(ServiceError):
    """The data are not public."""

    advice = (
        "wait until the proprietary period has ended, or download the files with your account "
        "(https://mast.stsci.edu) and put them into the input folder; credentials are not handled here"
    )
