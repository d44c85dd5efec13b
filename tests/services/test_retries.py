"""When a service is asked again, and when no more."""

import email.utils
import random
import time

import pytest
from helpers.loopback import Reply, serve
from snakedriz.services import failures
from snakedriz.services.retries import Budget, Retries
from snakedriz.services.transport import Client

KINDS = ("text/csv",)


def good(request):
    return Reply(b"a,b\r\n", "text/csv")


def test_same_seed_same_pauses():
    made = []
    for _ in range(2):
        found = []
        client = Client("s", Budget(attempts=3), found.append, rng=random.Random(4))
        with serve(good) as server, pytest.raises(failures.ServerFault):
            server.fault = "503"
            client.ask(server.url, KINDS)
        made.append(found)
    assert made[0] == made[1]
    assert len(set(made[0])) == 2


def test_budget_of_seconds():
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    client = Client("s", Budget(attempts=50, seconds=10), sleep, clock=lambda: now[0])
    with serve(good) as server:
        server.fault = "503"
        with pytest.raises(failures.ServerFault, match=r"asked \d+ times in \d+ s"):
            client.ask(server.url, KINDS)
        assert 3 <= len(server.asked) <= 6  # pauses 1, 2, 4, 8 s varied by 0.5 to 1.5
    assert now[0] <= 10


@pytest.mark.parametrize("written", ["seconds", "date"])
def test_a_service_that_asks_for_a_longer_pause_gets_it(client, pauses, written):
    said = "7" if written == "seconds" else email.utils.formatdate(time.time() + 7, usegmt=True)
    replies = iter([Reply(b"slow down", "text/plain", 429, {"Retry-After": said}), good(None)])
    with serve(lambda request: next(replies)) as server:
        assert client.ask(server.url, KINDS).content == b"a,b\r\n"
    (pause,) = pauses
    assert 5.5 < pause <= 7


def test_a_service_that_asks_for_more_than_the_budget_is_given_up(client, pauses):
    with serve(lambda request: Reply(b"closed", "text/plain", 503, {"Retry-After": "3600"})) as server:
        with pytest.raises(failures.ServerFault):
            client.ask(server.url, KINDS)
        assert len(server.asked) == 1
    assert pauses == []


def test_only_what_may_help_is_tried_again():
    tried, pauses = [], []

    def ask():
        tried.append(1)
        raise failures.Truncated("s", "q", "cut")

    with pytest.raises(failures.Truncated):
        Retries(Budget(), pauses.append).call(ask, "s", lambda error: isinstance(error, failures.TimedOut))
    assert (len(tried), pauses) == (1, [])
    with pytest.raises(failures.Truncated, match="asked 4 times"):
        Retries(Budget(), pauses.append).call(ask, "s", lambda error: error.retryable)
    assert (len(tried), len(pauses)) == (5, 3)
    assert all(0.5 <= pause / 2**i <= 1.5 for i, pause in enumerate(pauses))


def test_errors_of_the_program_go_through():
    with pytest.raises(ZeroDivisionError):
        Retries(Budget(), pytest.fail).call(lambda: 1 / 0, "s", lambda error: True)
