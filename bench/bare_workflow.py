"""The bare workflow and its worker: the cost of Temporal itself, without a product.

One signal and one trivial regular activity per event, strictly in order; no HTTP, no database, no
search attributes, no queries. The worker has the fastest settings that we measured, which the product uses,
too. The activity gets only the event's number: a workflow that passes the 2 KB on would be slower, so this
comparison favours the bare workflow.
"""

import asyncio
import mmap
import os
import signal
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import uvloop
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.service import GrpcCompression
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

TASK_QUEUE = "bare"
ADDRESS, JOURNAL = "BENCH_BARE_ADDRESS", "BENCH_BARE_JOURNAL"

_SLOTS = 400_000


@dataclass(frozen=True)
class BareEvent:
    number: int
    body: str


class Result(NamedTuple):
    number: int
    at: float


class Journal:
    """Numbers and times of results, in memory that the worker (writer) and the bench (reader) share.

    The worker writes the count after the entry, so a reader never sees half an entry.
    """

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(8 + 16 * _SLOTS)
            self._memory = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
        self._lock = threading.Lock()

    def append(self, number: int) -> None:
        # Workflow tasks run in several threads.
        with self._lock:
            count = int(self._memory[0])
            self._memory[1 + 2 * count] = number
            self._memory[2 + 2 * count] = time.monotonic()
            self._memory[0] = count + 1

    def since(self, count: int) -> list[Result]:
        now = int(self._memory[0])
        return [
            Result(int(self._memory[1 + 2 * index]), self._memory[2 + 2 * index])
            for index in range(count, now)
        ]


@activity.defn
async def absorb(number: int) -> int:
    return number


_journal: Journal | None = None


@workflow.defn(name="BareIncident")
class BareIncident:
    """Stays open like the product's workflow. An event is absorbed when its activity has returned."""

    def __init__(self) -> None:
        self._waiting: list[BareEvent] = []
        self._absorbed = 0

    @workflow.run
    async def run(self) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(self._waiting))
            event = self._waiting.pop(0)
            number = await workflow.execute_activity(
                absorb, event.number, start_to_close_timeout=timedelta(seconds=10)
            )
            self._absorbed += 1
            if _journal is not None and not workflow.unsafe.is_replaying():
                _journal.append(number)

    @workflow.signal
    def receive(self, event: BareEvent) -> None:
        self._waiting.append(event)


async def work() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(os.environ[ADDRESS], grpc_compression=GrpcCompression.NONE)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[BareIncident],
        activities=[absorb],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=8,
        max_cached_workflows=6000,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
    )
    async with worker:
        await stop.wait()


if __name__ == "__main__":
    _journal = Journal(Path(os.environ[JOURNAL]))
    uvloop.run(work())
