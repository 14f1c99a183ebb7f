"""Wait for a condition, with a bound and without guessing how long it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.support.patience import EVENTUALLY

T = TypeVar("T")
#: Seconds between two questions.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.25


async def eventually(
    question: Callable[[], Awaitable[T]],
    holds: Callable[[T], bool] = bool,
    within: float = EVENTUALLY,
) -> T:
    """Ask until the answer holds and return it; fail with the last answer after `within` seconds.

    The longer it takes, the seldomer it asks: what is waited for needs the cores more than the question.
    """
    begun = time.monotonic()
    while True:
        answer = await question()
        if holds(answer):
            return answer
        waited = time.monotonic() - begun
        if waited > within:
            raise AssertionError(f"still not so after {within} s; last seen: {answer!r}")
        await asyncio.sleep(min(max(SHORTEST_PAUSE, waited / 10), LONGEST_PAUSE))
