"""The bare side: its own Temporal server with the same flags, and its own worker process."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from bench.bare_workflow import ADDRESS, JOURNAL, TASK_QUEUE, BareEvent, BareIncident, Journal
from bench.incidents import IncidentGenerator
from bench.parts import connect, make_folder, pid_of, running_temporal
from bench.shapes import burst
from bench.sqlite_files import used_bytes
from calmo_pagerduty.processes import start_child, stop_child
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from pagerduty_simulator.events import Event


class BareSide:
    """The bare workflow: one signal-with-start and one regular activity per event."""

    name = "bare"

    def __init__(self, server: TemporalDevServer, temporal: Client, journal: Journal) -> None:
        self._server = server
        self.temporal = temporal
        self._journal = journal
        self._numbers: dict[str, BareEvent] = {}
        self._ids: list[str] = []
        self._seen = 0
        self.worker: asyncio.subprocess.Process | None = None

    def prepare(self, events: Iterable[Event]) -> None:
        for event in events:
            self._numbers[event.id] = BareEvent(len(self._ids), event.body.decode())
            self._ids.append(event.id)

    async def send(self, event: Event) -> float:
        assert event.incident_id is not None
        await self.temporal.start_workflow(
            BareIncident.run,
            id=self.workflow_id(event.incident_id),
            task_queue=TASK_QUEUE,
            start_signal="receive",
            start_signal_args=[self._numbers.pop(event.id)],
        )
        return time.monotonic()

    def newly_absorbed(self) -> Sequence[tuple[str, float]]:
        """Return (event id, time). The worker itself writes the times, so they have no polling delay."""
        results = self._journal.since(self._seen)
        self._seen += len(results)
        return [(self._ids[result.number], result.at) for result in results]

    def pids(self) -> Mapping[str, int]:
        assert self.worker is not None
        return {"server": pid_of(self._server), "worker": self.worker.pid}

    def workflow_id(self, incident_id: str) -> str:
        return f"bare:{incident_id}"

    def database_bytes(self) -> Mapping[str, int]:
        assert self._server.database is not None
        return {"temporal": used_bytes(self._server.database)}


@asynccontextmanager
async def running_bare(folder: Path) -> AsyncIterator[BareSide]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_temporal(make_folder(folder), "bare-temporal"))
        journal = folder / "journal"
        bare = BareSide(server, await connect(server), Journal(journal))
        bare.worker = await start_child(
            (sys.executable, "-m", "bench.bare_workflow"),
            folder / "bare-worker.log",
            {ADDRESS: server.address, JOURNAL: str(journal)},
        )
        stack.push_async_callback(stop_child, bare.worker, 5.0)
        await burst(bare, IncidentGenerator(seed=server.port).incidents(20))
        yield bare
