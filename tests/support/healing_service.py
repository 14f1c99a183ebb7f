"""The whole service beside a simulated PagerDuty: door, forwarder, workers, Temporal, database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from temporalio.client import Client

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.reconciliation.pagerduty_snapshot_service import PagerDutyReader
from calmo_pagerduty.webhooks import store as webhooks
from ingress.app import build_app
from pagerduty_simulator.clocks import Clock
from pagerduty_simulator.events import Event
from pagerduty_simulator.rest.serving import running_server
from pagerduty_simulator.subscriptions import Subscription
from tests.support.builders import SECRET
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.patience import PROGRAM, STORY
from tests.support.tool_service import ToolService, running_service, start_workers
from workflows import names
from workflows.doctor import DoctorStart
from workflows.reconcile import ReconcileStart

Json = dict[str, Any]


@dataclass
class Healed:
    """What a test holds in its hands. `past` is what really happened at PagerDuty."""

    service: ToolService
    temporal: Client
    past: Past
    webhook_id: str
    subscription: Subscription

    @property
    def database(self) -> Database:
        return self.service.database

    @property
    def connection_id(self) -> str:
        return self.service.connection_id

    async def deliver(self, events: Iterable[Event]) -> None:
        """Let PagerDuty deliver these, and see them reach their timelines."""
        self.service.site.sender.publish(tuple(events))
        await self.service.site.sender.drained(STORY)
        await self.until_applied()

    async def log(self) -> PagerDutyReader:
        """Return what reads PagerDuty's log, as a comparison does."""
        connection = await self.database.read(
            lambda t: connections.get_connection(t, EVERYTHING, self.connection_id)
        )
        assert connection is not None
        accounts = self.service.ingress.services.pagerduty_clients
        return PagerDutyReader(await accounts.client(connection, timedelta(seconds=10)))

    async def until_applied(self) -> None:
        async def waiting() -> int:
            open_ = [row for row in rows(self.database, tables.deliveries) if row.state in OPEN]
            return len(open_)

        await eventually(waiting, lambda left: left == 0, STORY)

    async def reconcile(self, since: datetime | None = None, reason: str = "a test") -> Json:
        """Run a comparison to its end and return its figures."""
        found: Json = await self.temporal.execute_workflow(
            names.RECONCILE_WORKFLOW,
            ReconcileStart(connection_id=self.connection_id, since=since, reason=reason),
            id=names.reconcile_workflow_id(self.connection_id),
            task_queue=self.service.ingress.services.settings.task_queue,
        )
        return found

    async def examine(self) -> Json:
        found: Json = await self.temporal.execute_workflow(
            names.DOCTOR_WORKFLOW,
            DoctorStart(connection_id=self.connection_id),
            id=names.doctor_workflow_id(self.connection_id),
            task_queue=self.service.ingress.services.settings.task_queue,
        )
        return found

    def issues(self) -> Mapping[str, Any]:
        return {row.incident_id: row for row in rows(self.database, tables.issues)}

    def timeline_rows(self) -> list[Any]:
        return list(rows(self.database, tables.timeline))

    def webhook(self) -> Any:
        (found,) = [row for row in rows(self.database, tables.webhooks) if row.id == self.webhook_id]
        return found

    def differences(self) -> list[str]:
        """Compare every issue with PagerDuty's own account, field by field."""
        ours = self.issues()
        found = [
            f"{incident_id} is missing" for incident_id in self.past.incident_ids if incident_id not in ours
        ]
        for incident_id, row in ours.items():
            there = self.past.account.incident(incident_id)
            pairs: dict[str, tuple[Any, Any]] = {
                "status": (row.status, str(there.status)),
                "priority": (row.priority, there.priority.name if there.priority else None),
                "title": (row.title, there.title),
                "urgency": (row.urgency, there.urgency),
                "service": (row.service_id, there.service.id),
                "policy": ((row.escalation_policy or {}).get("id"), there.escalation_policy.id),
                "number": (row.number, there.number),
                "resolved": (row.resolved_at is None, there.resolved_at is None),
            }
            if there.assignees:
                here = sorted(assignee["id"] for assignee in row.assignees)
                pairs["assignees"] = (here, sorted(assignee.id for assignee in there.assignees))
            found += [f"{incident_id}: {name} {a} != {b}" for name, (a, b) in pairs.items() if a != b]
        return found


OPEN = (DeliveryState.PENDING, DeliveryState.FORWARDED)


@contextlib.asynccontextmanager
async def healing_service(
    parts: Parts,
    seed: int = 1,
    clock: Clock | None = None,
    working: bool = True,
    **past: Any,
) -> AsyncIterator[Healed]:
    """Not `working`: without a worker of this process."""
    database, keyring = parts.database, parts.keyring
    async with contextlib.AsyncExitStack() as stack:
        service = await stack.enter_async_context(running_service(parts, clock=clock, working=False))
        there = Past(seed=seed, **past)
        service.site.account = there.account
        door = running_server(build_app(service.ingress), "127.0.0.1", 0)
        url = await stack.enter_async_context(door)
        if working:
            await start_workers(service)
        forwarding = asyncio.create_task(service.ingress.forwarder.run())
        stack.push_async_callback(_end, forwarding)
        now = datetime.now(UTC)
        webhook_id = database.write_blocking(lambda t: a_webhook(t, keyring, service.connection_id, now))
        subscription = service.site.sender.subscribe(
            f"{url}/webhooks/pagerduty/{webhook_id}", SECRET.decode()
        )
        yield Healed(service, parts.temporal, there, webhook_id, subscription)


def a_webhook(transaction: Transaction, keyring: Keyring, connection_id: str, now: datetime) -> str:
    scope = transaction.execute(
        sa.select(tables.connections.c.scope).where(tables.connections.c.id == connection_id)
    ).scalar_one()
    webhook_id = webhooks.insert_webhook(transaction, keyring, Scope.parse(scope), SECRET, now)
    webhooks.mark_armed(transaction, webhook_id, now)
    changed = sa.update(tables.webhooks).where(tables.webhooks.c.id == webhook_id)
    transaction.execute(changed.values(connection_id=connection_id))
    return webhook_id


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task], timeout=PROGRAM)


def hours_ago(count: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=count)
