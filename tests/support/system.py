"""The whole service beside a simulated PagerDuty, with verbs: real Temporal, real database, real HTTP."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle

from bootstrap.services import Services
from bootstrap.workers import incident_worker, pagerduty_worker
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.runs import ContextOutcome, ContextStart, ContextState
from calmo_pagerduty.contexts.store import StoredContext
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.reconciliation.pagerduty_snapshot_service import PagerDutyReader
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tools.permissions import ConnectionRules
from ingress.app import build_app
from ingress.parts import Ingress
from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import Clock, ScaledClock
from pagerduty_simulator.events import Event
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest.faults import TIMEOUT_BEFORE, Faults
from pagerduty_simulator.rest.serving import running_server
from pagerduty_simulator.rest_api import running_rest_api
from pagerduty_simulator.shop import online_shop
from pagerduty_simulator.subscriptions import Subscription
from tests.support.builders import SECRET
from tests.support.connected import TOKEN, add_connection, add_webhook
from tests.support.doors import make_key, rows
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.patience import ANSWER, PROGRAM, STORY
from workflows import names
from workflows.doctor import DoctorStart
from workflows.reconcile import ReconcileStart

Json = dict[str, Any]
#: How long a context waits for more reasons, where a test isn't about that.
SOON = timedelta(milliseconds=50)
#: For how many seconds a call may hold its answer back until it is done: on a busy machine that takes long.
LONGEST_WAIT = 60
_OPEN = (DeliveryState.PENDING, DeliveryState.FORWARDED)


@dataclass
class System:
    """What a test holds in its hands.

    `site` is PagerDuty's side, `past` what really happened there, and `held` are events that it has not
    delivered yet. `headers` are those of a key that may do everything.
    """

    site: AccountSite
    ingress: Ingress
    database: Database
    keyring: Keyring
    temporal: Client
    http: httpx.AsyncClient
    connection_id: str
    headers: Mapping[str, str]
    workers: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    held: list[Event] = field(default_factory=list)
    past: Past = field(default_factory=Past)
    #: Of a system that PagerDuty's webhooks reach.
    webhook_id: str = ""

    @property
    def account(self) -> Account:
        return self.site.account

    @property
    def subscription(self) -> Subscription:
        (found,) = self.site.sender.subscriptions.values()
        return found

    @property
    def task_queue(self) -> str:
        return self.ingress.services.settings.task_queue

    def ref(self, incident_id: str) -> IncidentRef:
        return IncidentRef(connection_id=self.connection_id, incident_id=incident_id)

    # Keys and rules

    def a_key(
        self,
        *permissions: str,
        scopes: Sequence[str] | None = ("organization:acme",),
        person: str = "somebody",
        teams: Sequence[str] = (),
    ) -> dict[str, str]:
        """Return the headers of a new API key; without permissions it has all of them."""
        seen = None if scopes is None else [Scope.parse(scope) for scope in scopes]
        key = self.database.write_blocking(
            lambda t: api_keys.insert_key(
                t, f"key of {person}", permissions or ALL_PERMISSIONS, seen, datetime.now(UTC), person, teams
            )
        )
        return {"Authorization": f"Bearer {key}"}

    def permit(self, rules: ConnectionRules) -> None:
        self.database.write_blocking(lambda t: connections.update_rules(t, self.connection_id, rules))

    # Reading and calling tools over REST

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Json:
        answer = await self.http.get(path, headers=headers or self.headers)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def call(self, tool: str, headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        """POST /api/tools/{tool}; arguments beside `connection`, `idempotency_key`, `wait_seconds`."""
        own = _taken(body, "connection", "idempotency_key", "wait_seconds")
        request = {"connection": self.connection_id, "wait_seconds": LONGEST_WAIT, **own, "arguments": body}
        return await self.http.post(
            f"/api/tools/{tool}", json=request, headers=headers or self.headers, timeout=ANSWER
        )

    async def done(self, tool: str, **body: Any) -> Json:
        """Call a tool and return its result; the test fails if it isn't done."""
        answer = await self.call(tool, **body)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()["result"]
        return result

    async def audited(self) -> list[Json]:
        """Return the audit's records, oldest first."""
        found: list[Json] = (await self.get("/api/audit?limit=500"))["rows"]
        return [row["record"] for row in reversed(found)]

    # What happens at PagerDuty

    def an_incident(self, title: str = "Basket is slow") -> str:
        """Trigger an incident at PagerDuty, which tells no webhook of it; return its id."""
        service = next(iter(self.account.services))
        return str(self.account.trigger(service, title)[0].incident_id)

    async def page(self, title: str = "Basket is slow") -> str:
        """Trigger an incident at PagerDuty, see it become an issue, and return the incident's id."""
        events = self.account.trigger(next(iter(self.account.services)), title)
        await self.deliver(events)
        return str(events[0].incident_id)

    async def deliver(self, events: Iterable[Event]) -> None:
        """Let PagerDuty deliver these, and see them reach their timelines."""
        self.site.sender.publish(tuple(events))
        await self.settle()

    def service_id(self, name: str) -> str:
        return next(service.id for service in self.account.services.values() if service.name == name)

    def priority(self, name: str) -> str:
        return next(priority.id for priority in self.account.priorities.values() if priority.name == name)

    def trigger(
        self, title: str = "Checkout API: latency above 900 ms", on: str = "Checkout API"
    ) -> IncidentRef:
        """Let an incident begin at a service of this name, which no webhook tells of."""
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

    def hang(self, operation: str, fault: str = TIMEOUT_BEFORE) -> Faults:
        """PagerDuty is silent when it is next asked for this, until it is released."""
        faults = self.site.faults = Faults(hang_seconds=STORY)
        faults.fail_next(fault, operation=operation)
        return faults

    def requests_so_far(self) -> int:
        return len(self.site.requests)

    def asked(self, since: int = 0) -> Counter[str]:
        """Return how often each operation was asked for, by the simulator's own log."""
        return Counter(str(request.operation) for request in list(self.site.requests)[since:])

    def hold_webhooks(self) -> None:
        """From now on PagerDuty's webhooks wait until they are released."""
        self.site.publish = self.held.extend  # type: ignore[method-assign, assignment]  # the wire is held, nothing else

    async def release_webhooks(self) -> None:
        """Let PagerDuty deliver what was held, and see all of it arrive."""
        held, self.held = list(self.held), []
        self.site.publish = self.site.sender.publish  # type: ignore[method-assign]  # as it was
        await self.deliver(held)

    async def settle(self) -> None:
        """Wait until every webhook and every answer has reached its issue."""
        await self.site.sender.drained(STORY)
        await self.until_applied()

    async def until_applied(self) -> None:
        async def waiting() -> int:
            return len([row for row in rows(self.database, tables.deliveries) if row.state in _OPEN])

        await eventually(waiting, lambda left: left == 0, STORY)

    # Acting on issues

    async def post(
        self, incident_id: str, action: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> httpx.Response:
        own = _taken(arguments, "idempotency_key", "wait_seconds")
        return await self.http.post(
            f"/api/issues/{self.ref(incident_id).issue_id}/actions",
            json={"action": action, "arguments": arguments, "wait_seconds": LONGEST_WAIT, **own},
            headers=headers or self.headers,
            timeout=ANSWER,
        )

    async def act(self, incident_id: str, action: str, **arguments: Any) -> Json:
        """Act on the incident's issue; the test fails if it isn't done."""
        answer = await self.post(incident_id, action, **arguments)
        found: Json = answer.json()
        assert answer.status_code == 200, answer.text
        return found

    async def issue(self, incident_id: str) -> Json:
        return await self.get(f"/api/issues/{self.ref(incident_id).issue_id}")

    async def told(self, incident_id: str) -> list[str]:
        """Return what the issue's timeline says, oldest first."""
        return [entry["summary"] for entry in (await self.issue(incident_id))["timeline"]]

    async def operations(self, incident_id: str) -> list[Json]:
        path = f"/api/issues/{self.ref(incident_id).issue_id}/actions"
        found: list[Json] = (await self.get(path))["operations"]
        return found

    # The workflows

    async def run_of(self, incident_id: str) -> str:
        """Return the id of the workflow's latest run."""
        handle = self.temporal.get_workflow_handle(self.ref(incident_id).workflow_id)
        return str((await handle.describe()).run_id)

    async def workflow_status(self, incident_id: str) -> str:
        handle = self.temporal.get_workflow_handle(self.ref(incident_id).workflow_id)
        return str((await handle.query("state"))["status"])

    async def until_workflow_knows(self, incident_id: str, status: str) -> None:
        await eventually(lambda: self.workflow_status(incident_id), lambda found: found == status)

    async def reconcile(self, since: datetime | None = None, reason: str = "a test") -> Json:
        """Run a comparison to its end and return its figures."""
        found: Json = await self.temporal.execute_workflow(
            names.RECONCILE_WORKFLOW,
            ReconcileStart(connection_id=self.connection_id, since=since, reason=reason),
            id=names.reconcile_workflow_id(self.connection_id),
            task_queue=self.task_queue,
        )
        return found

    async def examine(self) -> Json:
        """Run the doctor to its end and return its findings."""
        found: Json = await self.temporal.execute_workflow(
            names.DOCTOR_WORKFLOW,
            DoctorStart(connection_id=self.connection_id),
            id=names.doctor_workflow_id(self.connection_id),
            task_queue=self.task_queue,
        )
        return found

    async def log(self) -> PagerDutyReader:
        """Return what reads PagerDuty's log, as a comparison does."""
        connection = await self.database.read(
            lambda t: connections.get_connection(t, EVERYTHING, self.connection_id)
        )
        assert connection is not None
        clients = self.ingress.services.pagerduty_clients
        return PagerDutyReader(await clients.client(connection, timedelta(seconds=10)))

    @contextlib.asynccontextmanager
    async def without_workers(self) -> AsyncIterator[None]:
        """Whatever is asked for inside is seen by the workers at once, when they are back."""
        await self.workers.aclose()
        yield
        await start_workers(self)

    # Contexts

    async def start_context(
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

    async def gather_context(self, ref: IncidentRef, *reasons: str) -> IncidentContext:
        """Gather a context to its end and return its document."""
        end = await (await self.start_context(ref, *reasons)).result()
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

    async def leads(self) -> bool:
        """Return whether our ingress forwards, and so counts."""
        return self.ingress.forwarder.leading

    # What is stored

    def issues(self) -> Mapping[str, Any]:
        return {row.incident_id: row for row in rows(self.database, tables.issues)}

    def timeline_rows(self) -> list[Any]:
        return list(rows(self.database, tables.timeline))

    def rows_of(self, incident_id: str) -> list[Any]:
        """Return the timeline's rows, also those that are not shown."""
        issue_id = self.ref(incident_id).issue_id
        return [row for row in self.timeline_rows() if row.issue_id == issue_id]

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
            there = self.account.incident(incident_id)
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


def _taken(arguments: Json, *own: str) -> Json:
    """Take these out of the arguments."""
    return {name: arguments.pop(name) for name in own if name in arguments}


@contextlib.asynccontextmanager
async def running_system(
    parts: Parts,
    *,
    account: Account | None = None,
    past: Past | None = None,
    clock: Clock | None = None,
    working: bool = True,
    gathering: bool = False,
    webhooks: bool = False,
    operator_approvals: bool = False,
) -> AsyncIterator[System]:
    """A system with one connection that may write, to an online shop, this account or that of a past.

    Not `working`: without a worker. `gathering`: incidents have their contexts gathered. `webhooks`: a
    webhook of ours, to which PagerDuty delivers its events, and a forwarder.
    """
    account = account or (past.account if past else online_shop(now=lambda: datetime.now(UTC), seed=11))
    site = AccountSite(account, clock=clock or ScaledClock())
    site.add_token(TOKEN)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(site.aclose)
        settings = Settings(
            data_dir=parts.data_dir,
            simulator_url=await stack.enter_async_context(running_rest_api(site)),
            task_queue=f"tools-{uuid.uuid4().hex}",
            workflow_sandbox=True,
            gather_context=gathering,
            # A new process would import everything for each test.
            analysis_process=False,
            operator_approvals=operator_approvals,
        )
        person = next(iter(account.users.values()))
        connection_id = add_connection(
            parts.database, parts.keyring, "organization:acme", from_address=person.email
        )
        services = Services(settings, parts.database, parts.keyring, TemporalHandle(parts.temporal))
        stack.push_async_callback(services.aclose)
        ingress = Ingress(services)
        app = build_app(ingress)
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://calmo.test")
        )
        headers = make_key(parts.database, ALL_PERMISSIONS)
        system = System(
            site, ingress, parts.database, parts.keyring, parts.temporal, http, connection_id, headers
        )
        system.past = past or system.past
        await stack.enter_async_context(system.workers)
        if working:
            await start_workers(system)
        if webhooks:
            await stack.enter_async_context(webhooks_arrive(system))
        yield system


async def start_workers(system: System) -> None:
    """The two workers of a worker process, stopped with the system or by `system.workers.aclose()`."""
    services = worker_services(system.ingress.services)
    system.workers.push_async_callback(services.aclose)
    await system.workers.enter_async_context(incident_worker(services))
    await system.workers.enter_async_context(pagerduty_worker(services))


def worker_services(of_ingress: Services) -> Services:
    """Return the services of a worker process beside the ingress: they share the database, and no more."""
    return replace(of_ingress)


@contextlib.asynccontextmanager
async def webhooks_arrive(system: System) -> AsyncIterator[None]:
    """Serve a webhook and forward what PagerDuty delivers to it. Needs TEMPORAL_ADDRESS."""
    async with running_server(build_app(system.ingress), "127.0.0.1", 0) as url:
        forwarding = asyncio.create_task(system.ingress.forwarder.run())
        system.webhook_id = add_webhook(system.database, system.keyring, system.connection_id)
        address = f"{url}/webhooks/pagerduty/{system.webhook_id}"
        system.site.sender.subscribe(address, SECRET.decode())
        try:
            yield
        finally:
            forwarding.cancel()
            await asyncio.wait([forwarding], timeout=PROGRAM)
