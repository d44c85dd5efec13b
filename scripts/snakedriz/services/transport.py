"""One way to ask by HTTP: time-outs, retries within a budget, no credentials, and every failure of its own type."""

from __future__ import annotations

import io
import random
import re
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader, NameResolutionError, ProtocolError

from snakedriz import __version__
from snakedriz.services import failures
from snakedriz.services.failures import ServiceError, public
from snakedriz.services.retries import Budget, Retries

CSV = ("text/csv", "application/csv", "text/comma-separated-values", "text/plain")
XML = ("text/xml", "application/xml", "application/x-votable+xml")
FITS = ("application/fits", "application/x-fits", "image/fits", "image/x-fits", "application/octet-stream",
        "binary/octet-stream")  # fmt: skip
DEFAULT_BUDGET = Budget()
_HTML = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)
_CHUNK = 1 << 16


class _NoCredentials(AuthBase):
    """Keeps requests from sending what ~/.netrc or the address holds."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


class _Body(io.BytesIO):
    """The body of an answer after it was read here: requests reads it, and libraries that asked for a stream."""

    def read(self, size: int | None = -1, decode_content: bool | None = None) -> bytes:
        """Read, as urllib3's responses do; the content is decoded already."""
        return super().read(size)


class Client(requests.Session):
    """A session that one service is asked through; astroquery and pyvo are handed it in place of their own.

    Parameters
    ----------
    service : str
        What to call the service in errors.
    budget : Budget
        How long to try.
    sleep, clock, rng
        Time and chance, to be replaced in tests. The generator is seeded: it only spreads retries.
    stamp : callable
        Time of an answer (seconds since 1970) whose server does not state it.
    """

    def __init__(
        self,
        service: str,
        budget: Budget = DEFAULT_BUDGET,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        stamp: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.service, self.budget, self.clock, self.stamp = service, budget, clock, stamp
        self.retries = Retries(budget, sleep, clock, rng or random.Random(service))
        self.auth = _NoCredentials()
        self.headers["User-Agent"] = f"snakedriz/{__version__}"
        #: Answers of the last call that succeeded, for the provenance.
        self.last: requests.Response | None = None

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a redirect leads, if it stays with the service."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        here, there = urlsplit(str(resp.url)), urlsplit(urljoin(str(resp.url), target))
        if (here.scheme, here.netloc.rpartition("@")[2]) != (there.scheme, there.netloc.rpartition("@")[2]):
            raise failures.Redirected(self.service, str(resp.url), f"redirected to {public(there.geturl())}")
        return target

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Ask, as `requests.Session.request` does, with the time-outs and retries of the budget.

        Parameters
        ----------
        method, url, *args, **options
            As for requests; `timeout` and `allow_redirects` are replaced, and the body is read here even with `stream`,
            so that its failures are seen here. Ours are `unread`, which leaves the body to `pieces`; `kinds`, a
            collection of content types; and `accept`, a collection of statuses besides 2xx that are answers.

        Raises
        ------
        ServiceError
            Of the type of the last failure.
        """
        begun = self.clock()
        kinds, accept, unread = options.pop("kinds", ()), options.pop("accept", ()), options.pop("unread", False)

        def once() -> requests.Response:
            return self._once(str(method), url, args, options, kinds, accept, None if unread else begun)

        self.last = self.retries.call(once, self.service, lambda error: error.retryable)
        return self.last

    def ask(
        self,
        url: str,
        kinds: Collection[str],
        accept: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        unread: bool = False,
    ) -> requests.Response:
        """Ask by GET for content of one of some types; see `request`."""
        return self.request("GET", url, kinds=kinds, accept=accept, headers=headers, unread=unread)

    def _once(
        self,
        method: str,
        url: str | bytes,
        args: tuple[Any, ...],
        options: dict[str, Any],
        kinds: Collection[str],
        accept: Collection[int],
        begun: float | None,
    ) -> requests.Response:
        given = {**options, "timeout": self.budget.timeout, "allow_redirects": True, "stream": True}
        query = url.decode() if isinstance(url, bytes) else str(url)
        try:
            answer = super().request(method, url, *args, **given)
            query = str(answer.url)
            self._check_head(answer, query, kinds, accept)
            if begun is not None:
                answer.raw = _Body(b"".join(self.pieces(answer, begun)))
                content = answer.content  # requests reads it from there and keeps it
                answer.raw.seek(0)
                self._check_body(answer, query, method, content)
        except requests.exceptions.RequestException as error:
            raise self._typed(error, query) from error
        return answer

    def pieces(self, answer: requests.Response, begun: float | None = None) -> Iterator[bytes]:
        """Yield the body of an answer; time-outs and an early end are errors of `failures`.

        With `begun`, the reading of the clock when the asking began, the budget's seconds hold for the body too; a
        download of unknown size goes without, and only a stall ends it.
        """
        query = str(answer.url)
        size = 0
        try:
            for piece in answer.raw.stream(_CHUNK, decode_content=True):
                size += len(piece)
                if begun is not None and self.clock() - begun > self.budget.seconds:
                    raise failures.TimedOut(
                        self.service, query, f"not complete after {self.budget.seconds:g} s ({size} bytes came)"
                    )
                yield piece
        except HTTPError as error:
            raise self._typed(error, query) from error
        finally:
            answer.close()

    def _check_head(
        self,
        answer: requests.Response,
        query: str,
        kinds: Collection[str],
        accept: Collection[int],
    ) -> None:
        status, kind = answer.status_code, answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if status not in accept and not 200 <= status < 300:
            said = self._excerpt(answer)
            found = f"status {status} {answer.reason or ''}".rstrip() + (f" ({said})" if said else "")
            if status < 500 and status not in (408, 429):
                raise failures.Refused(self.service, query, found)
            fault = failures.ServerFault(self.service, query, found)
            fault.retry_after = _retry_after(answer.headers.get("Retry-After", "0"))
            raise fault
        if kinds and not 200 <= status < 300:
            return  # the body says what such a status means, whatever it is called
        if kinds and kind in ("text/html", "application/xhtml+xml"):
            raise failures.HtmlPage(
                self.service, query, f"a web page instead of data, with status {status} ({self._excerpt(answer)})"
            )
        if kinds and kind and kind not in kinds:
            answer.close()
            raise failures.WrongType(self.service, query, f"content of type {kind}; expected {' or '.join(kinds)}")

    def _check_body(self, answer: requests.Response, query: str, method: str, content: bytes) -> None:
        if method.upper() == "HEAD" or answer.status_code == 204:
            return
        if not content.strip():
            raise failures.EmptyAnswer(self.service, query, f"status {answer.status_code} and no content")
        if _HTML.match(content) and 200 <= answer.status_code < 300:
            raise failures.HtmlPage(
                self.service,
                query,
                f"a web page instead of data, with status {answer.status_code} ({self._excerpt(answer)})",
            )

    def _excerpt(self, answer: requests.Response) -> str:
        """Return the beginning of an answer's text in one line, without markup."""
        try:
            read = isinstance(answer.raw, _Body)
            content = answer.content if read else next(answer.raw.stream(2000, decode_content=True), b"")
        except HTTPError:
            return "its text could not be read"
        finally:
            answer.close()
        text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", content[:2000].decode("utf-8", "replace"), flags=re.S)
        return " ".join(text.split())[:200]

    def _typed(self, error: requests.exceptions.RequestException | HTTPError, query: str) -> ServiceError:
        """Return the failure for what requests raised before the body, or urllib3 while it was read."""
        causes = list(_causes(error))
        if any(isinstance(c, requests.exceptions.SSLError | urllib3.exceptions.SSLError) for c in causes):
            return failures.TlsFailure(self.service, query, f"TLS failed: {_last(causes)}")
        if isinstance(error, requests.exceptions.Timeout) or any("timed out" in str(c).lower() for c in causes):
            return failures.TimedOut(self.service, query, f"no answer within {self.budget.timeout:g} s")
        if isinstance(error, requests.exceptions.TooManyRedirects):
            return failures.Redirected(self.service, query, "redirected in a circle")
        if any(isinstance(c, NameResolutionError | socket.gaierror) for c in causes):
            return failures.Unreachable(self.service, query, "the name of the host is not known (DNS)")
        if any(isinstance(c, ConnectionRefusedError) for c in causes):
            return failures.Unreachable(self.service, query, "the connection was refused")
        if isinstance(error, HTTPError) or any("IncompleteRead" in str(c) for c in causes):
            return failures.Truncated(self.service, query, f"the answer broke off ({_last(causes)})")
        if any(isinstance(c, ProtocolError | ConnectionError) for c in causes):
            return failures.Unreachable(self.service, query, f"the connection was cut ({_last(causes)})")
        if isinstance(error, requests.exceptions.ConnectionError):
            return failures.Unreachable(self.service, query, f"no connection ({_last(causes)})")
        return failures.BadAnswer(self.service, query, f"{type(error).__name__}: {error}", "check the address")


def _retry_after(header: str) -> float:
    """Return the seconds that a header Retry-After asks for, given as seconds or as a date."""
    try:
        return urllib3.Retry().parse_retry_after(header)
    except InvalidHeader:
        return 0.0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was made of, to the bottom."""
    todo, seen = [error], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [e for e in (*one.args, getattr(one, "reason", None), one.__cause__) if isinstance(e, BaseException)]


def _last(causes: list[BaseException]) -> str:
    return public(str(causes[-1]))
