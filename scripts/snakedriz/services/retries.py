"""When a service is asked again: growing pauses within a budget, and not before the time that the service names.

One policy for questions (`transport`) and for downloads that broke off (`download`).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from snakedriz.services.failures import ServiceError

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


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
        many clients that failed together do not come back together. A service that asks for a longer pause
        (``Retry-After``) gets it.
    """

    attempts: int = 4
    timeout: float = 30.0
    seconds: float = 180.0
    pause: float = 1.0


@dataclass(frozen=True)
class Retries:
    """The policy: a budget; and time and chance, which tests replace. The seeded generator only spreads retries."""

    budget: Budget
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    rng: random.Random | None = None

    def call(self, ask: Callable[[], Answer], what: str, may_help: Callable[[ServiceError], bool]) -> Answer:
        """Return what `ask` returns, trying again where that may help.

        Parameters
        ----------
        ask : callable
            One attempt.
        what : str
            Service or file, for the log.
        may_help : callable
            Whether another attempt after this failure may succeed.

        Raises
        ------
        ServiceError
            The last failure; after several attempts it says how many there were.
        """
        budget, rng, begun = self.budget, self.rng or random.Random(what), self.clock()
        doubling = tenacity.wait_exponential(multiplier=budget.pause)

        def pause(state: tenacity.RetryCallState) -> float:
            return max(doubling(state) * rng.uniform(0.5, 1.5), _failure(state).retry_after)

        def spent(state: tenacity.RetryCallState) -> bool:
            late = self.clock() - begun + state.upcoming_sleep > budget.seconds
            return late or state.attempt_number >= budget.attempts

        def tell(state: tenacity.RetryCallState) -> None:
            found, seconds = _failure(state).found, state.upcoming_sleep
            log.warning("%s: attempt %d: %s; again in %.1f s", what, state.attempt_number, found, seconds)

        retrying = tenacity.Retrying(
            sleep=self.sleep, stop=spent, wait=pause, before_sleep=tell, reraise=True,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ServiceError) and may_help(error)),
        )  # fmt: skip
        try:
            return retrying(ask)
        except ServiceError as error:
            attempts = retrying.statistics["attempt_number"]
            if attempts > 1:
                error.reason += f" (asked {attempts} times in {self.clock() - begun:.0f} s)"
            raise


def _failure(state: tenacity.RetryCallState) -> ServiceError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ServiceError), "only failures of services are tried again"
    return error
