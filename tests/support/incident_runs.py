"""Incidents on a real Temporal server and in a real database: deliver events, run workers, look."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.worker import Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from bootstrap.services import Services
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery, PendingDelivery
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent, parse_event
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks import store as webhooks
from ingress.forwarding.incident_starter import IncidentStarter
from ingress.forwarding.signal_sender import SignalSender
from tests.support.builders import SECRET, body_of, new_id
from tests.support.eventually import eventually
from tests.support.patience import EVENTUALLY
from workflows.incident import IncidentWorkflow

PUBLIC = "https://calmo.example"
SCOPE = Scope.parse("organization:acme")

_attempts = itertools.count()


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of the dead letters."""

    subject: str
    reason: str
    payload: str


@dataclass
class IncidentRuns:
    """One connection's incidents on a task queue of their own."""

    client: Client
    database: Database
    keyring: Keyring
    task_queue: str
    complete_after: timedelta = timedelta(hours=24)
    continue_as_new_after: int = 250
    webhook_id: str = field(init=False)
    connection_id: str = field(init=False)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.webhook_id = self.database.write_blocking(
            lambda t: webhooks.insert_webhook(t, self.keyring, SCOPE, SECRET, now)
        )
        webhook = self.database.read_blocking(
            lambda t: webhooks.get_webhook(t, self.keyring, self.webhook_id, now)
        )
        assert webhook is not None
        self.connection_id = webhook.connection_id

    @property
    def services(self) -> Services:
        settings = Settings(task_queue=self.task_queue)
        return Services(settings, self.database, self.keyring, TemporalHandle(self.client))

    def an_incident(self) -> IncidentRef:
        return IncidentRef(connection_id=self.connection_id, incident_id=new_id())

    def worker(self, runner: WorkflowRunner | None = None, cached: int = 100) -> Worker:
        """A worker as in production, except that workflow code runs in the sandbox."""
        incidents = self.services.incident_activities
        return Worker(
            self.client,
            task_queue=self.task_queue,
            workflows=[IncidentWorkflow],
            activities=[incidents.save_events, incidents.save_dead_letters],
            workflow_runner=runner or SandboxedWorkflowRunner(),
            max_cached_workflows=cached,
            max_concurrent_workflow_tasks=8,
        )

    @property
    def sender(self) -> SignalSender:
        starter = IncidentStarter(
            self.task_queue, self.complete_after, self.continue_as_new_after, public_address=PUBLIC
        )
        return SignalSender(self.client, starter)

    async def deliver(self, ref: IncidentRef, *events: EventFacts) -> None:
        """Send the events in one signal, as the forwarder does with what waits."""
        attempt = next(_attempts)
        batch = [
            PendingDelivery(
                event.seq, ref, str(SCOPE), {}, event.model_dump_json(exclude={"seq"}), attempts=attempt
            )
            for event in events
        ]
        await self.sender.send(batch)

    def take_in(self, ref: IncidentRef, payload: dict[str, Any]) -> EventFacts:
        """Put a payload into the inbox, as the door does, and return the facts that travel on."""
        body, now = body_of(payload), datetime.now(UTC)
        event = parse_event(body)
        assert isinstance(event, WebhookEvent)
        delivery = NewDelivery(
            webhook_id=self.webhook_id,
            connection_id=self.connection_id,
            dedup_key=event.event_id,
            received_at=now,
            body=body,
            body_sha256="",
            secret_version=1,
            verdict=Verdict.ACCEPTED,
            state=DeliveryState.PENDING,
            event_id=event.event_id,
            incident_id=ref.incident_id,
            facts=facts_json(event, now),
        )
        self.database.write_blocking(lambda t: deliveries.insert_delivery(t, delivery))
        pending = self.database.read_blocking(lambda t: deliveries.list_pending(t, 0, 100_000))[-1]
        return EventFacts.model_validate_json(f'{{"seq":{pending.seq},{pending.facts[1:]}')

    def handle(self, ref: IncidentRef) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(ref.workflow_id)

    async def issue(self, ref: IncidentRef) -> Issue | None:
        return await self.database.read(lambda t: issue_queries.get_issue(t, EVERYTHING, ref.issue_id))

    async def timeline(self, ref: IncidentRef) -> tuple[TimelineEntry, ...]:
        issue = await self.issue(ref)
        if issue is None:
            return ()
        return await self.database.read(lambda t: issue_queries.list_timeline(t, issue))

    async def types_on_timeline(self, ref: IncidentRef) -> list[str]:
        return [entry.event_type for entry in await self.timeline(ref)]

    async def until_saved(self, ref: IncidentRef, count: int, within: float = EVENTUALLY) -> Issue:
        """Wait until the timeline has so many entries; fail if it has more."""
        await eventually(lambda: self.timeline(ref), lambda entries: len(entries) >= count, within)
        assert len(await self.timeline(ref)) == count
        issue = await self.issue(ref)
        assert issue is not None
        return issue

    async def until_closed(
        self, ref: IncidentRef, within: float = EVENTUALLY
    ) -> WorkflowExecutionStatus | None:
        async def status() -> WorkflowExecutionStatus | None:
            return (await self.handle(ref).describe()).status

        return await eventually(status, lambda found: found is not WorkflowExecutionStatus.RUNNING, within)

    async def until_idle(self, ref: IncidentRef, run_id: str | None = None) -> None:
        """Wait until no step of the workflow is under way: what was saved is also in the history."""
        handle = self.client.get_workflow_handle(ref.workflow_id, run_id=run_id)

        async def is_idle() -> bool:
            return not (await handle.describe()).raw_description.HasField("pending_workflow_task")

        await eventually(is_idle)

    async def letters(self) -> Sequence[Letter]:
        rows = await self.database.read(
            lambda t: t.exec_driver_sql("SELECT subject, reason, payload FROM dead_letters ORDER BY id").all()
        )
        return [Letter(*row) for row in rows]
