"""Injected failures: at random by a share, or for the next requests by name."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pagerduty_simulator.rest.answers import ERRORS

# How the response fails: it is never sent (before or after the request took effect), or it ends in the
# middle of its body (after the request took effect).
TIMEOUT_BEFORE: Final = "timeout"
TIMEOUT_AFTER: Final = "timeout_after"
CUT: Final = "cut"
WIRE_KINDS: Final = frozenset({TIMEOUT_BEFORE, TIMEOUT_AFTER, CUT})

# Short names in addition to those of `answers.ERRORS`.
_ALIASES: Final = {"429": "rate_limited", "500": "internal_error", "503": "unavailable"}


@dataclass(frozen=True, slots=True)
class _Planned:
    kind: str
    operation: str | None
    only_writes: bool


class Faults:
    """Decides which requests fail, and how; the same seed and requests give the same failures.

    `hang_seconds` is real time, and ends with `release`; an injected 429 asks to wait `reset_seconds`.
    """

    def __init__(
        self,
        *,
        rate: float = 0.0,
        kinds: Iterable[str | int] = ("429", "500"),
        seed: int = 0,
        only_writes: bool = False,
        hang_seconds: float = 0.2,
        reset_seconds: int = 1,
    ) -> None:
        """Create the faults. Raises ValueError for an unknown kind."""
        self.rate = rate
        self.kinds = tuple(sorted(_known(kind) for kind in kinds))
        self.only_writes = only_writes
        self.hang_seconds = hang_seconds
        self.reset_seconds = reset_seconds
        self._rng = random.Random(seed)
        self._planned: deque[_Planned] = deque()
        self._released = asyncio.Event()

    async def hang(self) -> None:
        """Wait as long as a request without an answer does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.hang_seconds):
                await self._released.wait()

    def release(self) -> None:
        """End all waits, and those that would begin."""
        self._released.set()

    def fail_next(
        self, kind: str | int, times: int = 1, *, operation: str | None = None, only_writes: bool = False
    ) -> None:
        """Let the next `times` requests fail; with `operation`, only those of this operationId.

        `kind` is 429, 500, timeout (before), timeout_after, cut or a name of `answers.ERRORS`.
        Raises ValueError for another kind.
        """
        planned = _Planned(_known(kind), operation, only_writes)
        self._planned.extend([planned] * times)

    def next_kind(self, operation: str, *, writes: bool) -> str | None:
        """Return the kind of the request's failure; None if it does not fail."""
        for planned in self._planned:
            if planned.operation in {None, operation} and (writes or not planned.only_writes):
                self._planned.remove(planned)
                return planned.kind
        if not self.rate or (self.only_writes and not writes):
            return None
        if self._rng.random() >= self.rate:
            return None
        return self._rng.choice(self.kinds)


def _known(kind: str | int) -> str:
    name = _ALIASES.get(str(kind), str(kind))
    if name not in WIRE_KINDS and name not in ERRORS:
        raise ValueError(f"no such fault: {kind}")
    return name
