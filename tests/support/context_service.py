"""The whole service with incidents' contexts, beside a simulated PagerDuty that has something to tell."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle

from bootstrap.services import Services
from bootstrap.workers import incident_worker, pagerduty_worker
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.runs import ContextOutcome, ContextStart, ContextState
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import StoredContext
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from ingress.app import build_app
from pagerduty_simulator.account import Account
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.rest.faults import TIMEOUT_BEFORE, Faults
from pagerduty_simulator.rest.serving import running_server
from tests.support.builders import SECRET
from tests.support.eventually import eventually
from tests.support.healing_service import a_webhook
from tests.support.parts import Parts
from tests.support.patience import PROGRAM, STORY
from tests.support.tool_service import ToolService, running_service, worker_services
from workflows import names

#: Tests that aren't about the limits don't wait for them.
UNPACED = 1_000_000
SOON = timedelta(milliseconds=50)


@dataclass
class Contexts:
    """What a test holds in its hands."""

    service: ToolService
    temporal: Client
    #: Those of the worker.
    services: Services
    keyring: Keyring
    workers: contextlib.AsyncExitStack

    @property
    def account(self) -> Account:
        return self.service.site.account

    @property
    def database(self) -> Database:
        return self.service.database

    @property
    def task_queue(self) -> str:
        return self.service.ingress.services.settings.task_queue

    def service_id(self, name: str) -> str:
        return next(service.id for service in self.account.services.values() if service.name == name)

    def trigger(
        self, title: str = "Checkout API: latency above 900 ms", on: str = "Checkout API"
    ) -> IncidentRef:
        """Let an incident begin at PagerDuty, which tells no webhook of it."""
        events = self.account.trigger(self.service_id(on), title, priority_id=self.priority("P3"))
        return self.ref(str(events[0].incident_id))

    @contextlib.contextmanager
    def ago(self, time: timedelta) -> Iterator[None]:
        """What happens at PagerDuty inside happened so long ago."""
        present = self.account.now
        self.account.now = lambda: present() - time
        try:
            yield
        finally:
            self.account.now = present

    def priority(self, name: str) -> str:
        return next(priority.id for priority in self.account.priorities.values() if priority.name == name)

    def ref(self, incident_id: str) -> IncidentRef:
        return IncidentRef(connection_id=self.service.connection_id, incident_id=incident_id)

    async def start(
        self, ref: IncidentRef, *reasons: str, debounce: timedelta = SOON
    ) -> WorkflowHandle[Any, Any]:
        """Start a run as another service would: by the workflow's name."""
        return await self.temporal.start_workflow(
            names.INCIDENT_CONTEXT_WORKFLOW,
            ContextStart(ref=ref, reasons=reasons, debounce=debounce),
            id=names.context_id(ref),
            task_queue=self.task_queue,
            result_type=ContextOutcome,
        )

    async def gathered(self, ref: IncidentRef, *reasons: str) -> IncidentContext:
        """Gather a context to its end and return its document."""
        end = await (await self.start(ref, *reasons)).result()
        assert end.state is ContextState.COMPLETE
        return self.document(ref, end.version)

    def stored(self, ref: IncidentRef, version: int | None = None) -> StoredContext | None:
        return self.database.read_blocking(
            lambda t: contexts.get_version(t, EVERYTHING, ref.issue_id, version)
        )

    def document(self, ref: IncidentRef, version: int | None = None) -> IncidentContext:
        found = self.stored(ref, version)
        assert found is not None and found.document is not None
        return IncidentContext.model_validate(found.document)

    async def until_complete(
        self, ref: IncidentRef, version: int = 1, within: float = STORY
    ) -> IncidentContext:
        async def state() -> ContextState | None:
            found = self.stored(ref, version)
            return found.state if found else None

        await eventually(state, lambda found: found is ContextState.COMPLETE, within)
        return self.document(ref, version)

    @contextlib.asynccontextmanager
    async def without_workers(self) -> AsyncIterator[None]:
        """Whatever is asked for inside is seen by the workers at once, when they are back."""
        await self.workers.aclose()
        yield
        await work(self)

    def hang(self, operation: str, fault: str = TIMEOUT_BEFORE) -> Faults:
        """PagerDuty is silent when it is next asked for this, until it is released."""
        faults = self.service.site.faults = Faults(hang_seconds=STORY)
        faults.fail_next(fault, operation=operation)
        return faults

    def asked(self, since: int = 0) -> Counter[str]:
        """Return how often each operation was asked for, by the simulator's own log."""
        return Counter(str(request.operation) for request in list(self.service.site.requests)[since:])

    def requests_so_far(self) -> int:
        return len(self.service.site.requests)

    async def deliver(self, events: Sequence[Any]) -> None:
        self.service.site.sender.publish(tuple(events))
        await self.service.site.sender.drained(STORY)


def states(context: IncidentContext) -> dict[Source, SourceState]:
    return {report.source: report.state for report in context.sources}


def reasons(context: IncidentContext) -> dict[Source, str]:
    return {report.source: report.reason for report in context.sources}


def a_shop(incidents: int = 60, days: float = 60) -> Account:
    """A furnished shop with a past."""
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=11)
    if incidents:
        generate_history(account, incidents=incidents, days=days, seed=5)
    return account


def set_pace(service: ToolService, per_minute: int | None) -> None:
    """Let the connection take so many requests a minute; None is what it takes by itself."""
    service.site.limits.per_window = UNPACED if per_minute == UNPACED else 960
    service.database.write_blocking(
        lambda t: connections.update_connection(t, service.connection_id, requests_per_minute=per_minute)
    )


@contextlib.asynccontextmanager
async def context_service(parts: Parts, account: Account | None = None) -> AsyncIterator[Contexts]:
    async with contextlib.AsyncExitStack() as stack:
        service = await stack.enter_async_context(running_service(parts, working=False, gathering=True))
        service.site.account = account or a_shop()
        set_pace(service, UNPACED)
        services = worker_services(service.ingress.services)
        stack.push_async_callback(services.aclose)
        workers = await stack.enter_async_context(contextlib.AsyncExitStack())
        found = Contexts(service, parts.temporal, services, parts.keyring, workers)
        await work(found)
        yield found


async def work(found: Contexts) -> None:
    """Start the two workers of a worker process."""
    await found.workers.enter_async_context(incident_worker(found.services))
    await found.workers.enter_async_context(pagerduty_worker(found.services))


@contextlib.asynccontextmanager
async def webhooks_arrive(found: Contexts) -> AsyncIterator[str]:
    """The door and the forwarder, and a webhook; yields its id. Needs TEMPORAL_ADDRESS."""
    async with running_server(build_app(found.service.ingress), "127.0.0.1", 0) as url:
        forwarding = asyncio.create_task(found.service.ingress.forwarder.run())
        now = datetime.now(UTC)
        webhook_id = found.database.write_blocking(
            lambda t: a_webhook(t, found.keyring, found.service.connection_id, now)
        )
        found.service.site.sender.subscribe(f"{url}/webhooks/pagerduty/{webhook_id}", SECRET.decode())
        try:
            yield webhook_id
        finally:
            forwarding.cancel()
            await asyncio.wait([forwarding], timeout=PROGRAM)
