"""Every way a service can fail has a type, with something to do about it."""

import pytest
from snakedriz.services import failures

KINDS = [kind for kind in vars(failures).values() if isinstance(kind, type) and issubclass(kind, failures.ServiceError)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_says_who_was_asked_what_and_what_to_do(kind):
    error = kind("MAST", "https://me:secret@x/y?name=a&token=secret#z", "nothing came")
    assert error.reason == "MAST: nothing came; asked: https://x/y?name=a&token=..."
    assert error.remedy == kind.advice != ""
    assert kind("MAST", "x", "nothing", "do this").remedy == "do this"


def test_only_passing_failures_are_worth_another_attempt():
    assert {kind.__name__ for kind in KINDS if kind.retryable} == {
        "TimedOut", "Unreachable", "ServerFault", "Truncated", "EmptyAnswer",
    }  # fmt: skip
