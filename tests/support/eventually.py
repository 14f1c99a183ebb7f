"""Wait for a condition, with a bound and without guessing how long it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.support.patience import EVENTUALLY

T = TypeVar("T")


async def eventually(
    question: Callable[[], Awaitable[T]],
    holds: Callable[[T], bool] = bool,
    within: float = EVENTUALLY,
) -> T:
    """Ask until the answer holds and return it; fail with the last answer after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = await question()
        if holds(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {within} s; last seen: {answer!r}")
        await asyncio.sleep(0.02)
