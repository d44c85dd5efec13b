"""One way to ask by HTTP: time-outs, retries within a budget, no credentials, and every failure of its own type."""

from __future__ import annotations

import io
import random
import re
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import NameResolutionError, ProtocolError

from snakedriz import __version__
from snakedriz.services import failures
from snakedriz.services.failures import ServiceError, public

CSV = ("text/csv", "application/csv", "text/comma-separated-values", "text/plain")
XML = ("text/xml", "application/xml", "application/x-votable+xml")
FITS = ("application/fits", "application/x-fits", "image/fits", "image/x-fits", "application/octet-stream",
        "binary/octet-stream")  # fmt: skip
_HTML = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Budget:
    """How long to try.

    Attributes
    ----------
    attempts : int
        How often the same is asked at most.
    timeout : float
        Seconds to wait for a connection or for the next bytes.
    seconds : float
        Seconds after which no new attempt begins, and after which an answer that is still dripping in is given up.
    pause : float
        Seconds before the second attempt; doubled before each further one, and varied by a factor of 0.5 to 1.5 so that
        many clients that failed together do not come back together.
    """

    attempts: int = 4
    timeout: float = 30.0
    seconds: float = 180.0
    pause: float = 1.0


class _NoCredentials(AuthBase):
    """Keeps requests from sending what ~/.netrc or the address holds."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


class _Again(io.BytesIO):
    """A body that was read, to be read once more by a library that asked for a stream."""

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
        budget: Budget = Budget(),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        stamp: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.service, self.budget = service, budget
        self.sleep, self.clock, self.stamp = sleep, clock, stamp
        self.rng = rng or random.Random(service)
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
        for attempt in range(1, self.budget.attempts + 1):
            try:
                answer = self._once(str(method), url, args, options, kinds, accept, None if unread else begun)
            except ServiceError as error:
                pause = self.budget.pause * 2 ** (attempt - 1) * self.rng.uniform(0.5, 1.5)
                spent = self.clock() - begun
                if not error.retryable or attempt == self.budget.attempts or spent + pause > self.budget.seconds:
                    if attempt > 1:
                        error.args = (f"{error} (asked {attempt} times in {spent:.0f} s)",)
                    raise
                print(f"{self.service}: attempt {attempt}: {error.found}; again in {pause:.1f} s")
                self.sleep(pause)
            else:
                self.last = answer
                return answer
        raise AssertionError("a budget has at least one attempt")

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
                answer._content = b"".join(self.pieces(answer, begun))  # what requests itself does when it reads
                answer._content_consumed = True
                answer.raw = _Again(answer.content)
                self._check_body(answer, query, method)
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
            for piece in answer.iter_content(_CHUNK):
                size += len(piece)
                if begun is not None and self.clock() - begun > self.budget.seconds:
                    raise failures.TimedOut(
                        self.service, query, f"not complete after {self.budget.seconds:g} s ({size} bytes came)"
                    )
                yield piece
        except requests.exceptions.RequestException as error:
            raise self._typed(error, query, size) from error
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
            raise (failures.ServerFault if status >= 500 or status in (408, 429) else failures.Refused)(
                self.service, query, found
            )
        if kinds and not 200 <= status < 300:
            return  # the body says what such a status means, whatever it is called
        if kinds and kind in ("text/html", "application/xhtml+xml"):
            raise failures.HtmlPage(
                self.service, query, f"a web page instead of data, with status {status} ({self._excerpt(answer)})"
            )
        if kinds and kind and kind not in kinds:
            answer.close()
            raise failures.WrongType(self.service, query, f"content of type {kind}; expected {' or '.join(kinds)}")

    def _check_body(self, answer: requests.Response, query: str, method: str) -> None:
        if method.upper() == "HEAD" or answer.status_code == 204:
            return
        if not answer.content.strip():
            raise failures.EmptyAnswer(self.service, query, f"status {answer.status_code} and no content")
        if _HTML.match(answer.content) and 200 <= answer.status_code < 300:
            raise failures.HtmlPage(
                self.service,
                query,
                f"a web page instead of data, with status {answer.status_code} ({self._excerpt(answer)})",
            )

    def _excerpt(self, answer: requests.Response) -> str:
        """Return the beginning of an answer's text in one line, without markup."""
        try:
            content = answer.content if answer._content_consumed else next(answer.iter_content(2000), b"")
        except requests.exceptions.RequestException:
            return "its text could not be read"
        text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", content[:2000].decode("utf-8", "replace"), flags=re.S)
        return " ".join(text.split())[:200]

    def _typed(self, error: requests.exceptions.RequestException, query: str, size: int = 0) -> ServiceError:
        causes = list(_causes(error))
        if isinstance(error, requests.exceptions.SSLError):
            return failures.TlsFailure(self.service, query, f"TLS failed: {_last(causes)}")
        if isinstance(error, requests.exceptions.Timeout) or any("timed out" in str(c).lower() for c in causes):
            return failures.TimedOut(self.service, query, f"no answer within {self.budget.timeout:g} s")
        if isinstance(error, requests.exceptions.TooManyRedirects):
            return failures.Redirected(self.service, query, "redirected in a circle")
        if any(isinstance(c, NameResolutionError | socket.gaierror) for c in causes):
            return failures.Unreachable(self.service, query, "the name of the host is not known (DNS)")
        if any(isinstance(c, ConnectionRefusedError) for c in causes):
            return failures.Unreachable(self.service, query, "the connection was refused")
        if any("IncompleteRead" in str(c) for c in causes) or isinstance(
            error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError
        ):
            return failures.Truncated(self.service, query, f"the answer broke off ({_last(causes)})")
        if any(isinstance(c, ProtocolError | ConnectionError) for c in causes):
            return failures.Unreachable(self.service, query, f"the connection was cut ({_last(causes)})")
        if isinstance(error, requests.exceptions.ConnectionError):
            return failures.Unreachable(self.service, query, f"no connection ({_last(causes)})")
        return failures.BadAnswer(self.service, query, f"{type(error).__name__}: {error}", "check the address")


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
