"""Run child processes: start them, restart those that end by themselves, stop them."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from calmo_pagerduty.processes import stop_child
from calmo_pagerduty.temporal.dev_server import ServerDidNotStart

FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
#: After a process ran for this long, its next restart waits only FIRST_PAUSE_SECONDS again.
HEALTHY_SECONDS = 30.0
#: A process that hangs at so many looks in a row is killed: when a machine wakes up, all hang for a moment.
LOOK_SECONDS = 5.0
HANGING_LOOKS = 3

StartProcess = Callable[[], Awaitable[asyncio.subprocess.Process]]


@dataclass
class SupervisedProcess:
    """A child process. If `after_ready` is true, it starts only after the service answers.

    `is_hung` says of a process id whether that process runs and does nothing any more.
    """

    name: str
    start: StartProcess
    after_ready: bool = False
    is_hung: Callable[[int], bool] = lambda _pid: False
    child: asyncio.subprocess.Process | None = None


@dataclass
class Supervisor:
    """Restarts processes that end, and kills those that hang. It calls `tell` with a line each time."""

    tell: Callable[[str], None]
    _watching: list[tuple[SupervisedProcess, "asyncio.Task[None]"]] = field(default_factory=list)

    async def run(self, process: SupervisedProcess) -> None:
        """Start the process and restart it whenever it ends. Raises the errors of the first start."""
        process.child = await process.start()
        self._watching.append((process, asyncio.create_task(self._watch(process))))

    async def stop(self, process: SupervisedProcess, timeout: float) -> None:
        """Stop the process and do not restart it. Kill it if it still runs after `timeout` seconds."""
        for watched, task in self._watching:
            if watched is process:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if process.child is not None:
            await stop_child(process.child, timeout)

    async def _watch(self, process: SupervisedProcess) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            assert process.child is not None
            started_at = time.monotonic()
            status = await self._until_ended(process, process.child)
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - started_at > HEALTHY_SECONDS else pause
            self.tell(f"{process.name} ended with status {status}: restarting it")
            process.child = None
            while process.child is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                try:
                    process.child = await process.start()
                except (OSError, ServerDidNotStart) as error:
                    self.tell(f"{process.name} can't be started: {error}; trying again")

    async def _until_ended(self, process: SupervisedProcess, child: asyncio.subprocess.Process) -> int:
        ended = asyncio.ensure_future(child.wait())
        hanging = 0
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=LOOK_SECONDS)
                hanging = hanging + 1 if process.is_hung(child.pid) else 0
                if hanging == HANGING_LOOKS and not ended.done():
                    self.tell(f"{process.name} hangs: killing it")
                    child.kill()
        finally:
            ended.cancel()
        return ended.result()
