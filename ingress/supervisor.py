"""Keep the parts of one machine running: start, restart what ends by itself, stop in order."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from calmo_pagerduty.processes import stop_child
from calmo_pagerduty.temporal.dev_server import ServerDidNotStart

FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
#: A part that ran for this long was well: the next restart comes at once again.
HEALTHY_SECONDS = 30.0

StartProcess = Callable[[], Awaitable[asyncio.subprocess.Process]]


@dataclass
class SupervisedProcess:
    """One program. With `after_ready`, it is started only when the service answers."""

    name: str
    start: StartProcess
    after_ready: bool = False
    child: asyncio.subprocess.Process | None = None


@dataclass
class Supervisor:
    """`tell` gets a line for people whenever a part had to be started again."""

    tell: Callable[[str], None]
    _watching: list[tuple[SupervisedProcess, "asyncio.Task[None]"]] = field(default_factory=list)

    async def run(self, part: SupervisedProcess) -> None:
        """Start the part and keep it running. Raises what its first start raises."""
        part.child = await part.start()
        self._watching.append((part, asyncio.create_task(self._watch(part))))

    async def stop(self, part: SupervisedProcess, timeout: float) -> None:
        """Stop the part for good; after `patience` seconds, the hard way."""
        for watched, task in self._watching:
            if watched is part:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if part.child is not None:
            await stop_child(part.child, timeout)

    async def _watch(self, part: SupervisedProcess) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            assert part.child is not None
            begun = time.monotonic()
            status = await part.child.wait()
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - begun > HEALTHY_SECONDS else pause
            self.tell(f"{part.name} ended with status {status}: starting it again")
            part.child = None
            while part.child is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                try:
                    part.child = await part.start()
                except (OSError, ServerDidNotStart) as error:
                    self.tell(f"{part.name} can't be started: {error}; trying again")
