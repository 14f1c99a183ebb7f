"""One of everything, per owner: what a foreign principal must never see."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.access import audit_store as audit, store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.findings.model import Entity
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.oncall import store as oncall_runs
from calmo_pagerduty.oncall.model import RunState, RunToStart
from calmo_pagerduty.scheduling import store as scenarios
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import CallState, Channel
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from calmo_pagerduty.workload import store as workload
from tests.support.builders import SECRET, an_event, body_of, headers_for, new_id
from tests.support.connected import add_connection
from tests.support.cover import cover_request
from tests.support.doors import make_webhook, save_pending
from tests.support.drills import new_drill
from tests.support.findings import a_finding, a_result
from tests.support.sample_context import store_context
from tests.support.saved_scenarios import a_saved_scenario
from tests.support.snapshots import small_snapshot, store_snapshot_of
from tests.support.system import System

#: Fields of a world that are small numbers, which stand in any text.
NUMBERS = frozenset({"seq", "finding"})


@dataclass(frozen=True, slots=True)
class World:
    """What belongs to one scope, by its ids, and a text that stands in all of it."""

    scope: str
    canary: str
    connection: str
    webhook: str
    handle: str
    incident: str
    issue: str
    seq: str
    call: str
    key: str
    finding: str
    run: str
    cover: str

    def told_in(self, text: str) -> set[str]:
        """Return which of this world's marks stand in an answer. Small numbers tell nothing."""
        marks = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        marks = {name: mark for name, mark in marks.items() if name not in NUMBERS}
        return {name for name, mark in marks.items() if mark in text}

    def as_missing(self, text: str) -> str:
        """Return the text as it would be of the world that isn't there."""
        names = [field.name for field in fields(self) if field.name not in NUMBERS]
        for name in sorted(names, key=lambda name: -len(getattr(self, name))):
            text = text.replace(getattr(self, name), getattr(MISSING, name))
        for number in (self.seq, self.finding):
            text = text.replace(f"'{number}'", f"'{MISSING.seq}'")
        return text


MISSING = World(
    scope="organization:nobody", canary="no-canary", connection="con_aaaaaaaa", webhook=f"wh_{'a' * 32}",
    handle="wh_aaaaaa", incident="QNOBODY", issue=f"iss_{'a' * 24}", seq="987654321",
    call="call_aaaaaaaaaaaaaaaaaaaa", key="a" * 16, finding="987654321",
    run="00000000-0000-7000-8000-000000000000",
    cover="cover_aaaaaaaaaaaaaaaa",
)  # fmt: skip


async def make_world(service: System, keyring: Keyring, scope: str) -> World:
    """Make one of everything for this scope."""
    database, canary, incident = service.database, new_id("canary"), new_id()
    connection = add_connection(database, keyring, scope, severities={canary: "info"})
    webhook = make_webhook(database, keyring, scope=scope, connection_id=connection, name=canary)
    body = body_of(an_event("incident.triggered", incident, title=canary))
    await service.http.post(f"/webhooks/pagerduty/{webhook}", content=body, headers=headers_for(body))
    bad = headers_for(body, SECRET + b"!")
    await service.http.post(f"/webhooks/pagerduty/{webhook}", content=body, headers=bad)
    save_pending(database)
    snapshot = store_snapshot_of(database, small_snapshot(connection_id=connection))
    now = datetime.now(UTC)

    def write(transaction: sa.Connection) -> World:
        key = api_keys.insert_key(transaction, canary, ["issues:read"], [Scope.parse(scope)], now)
        call = ToolCall(
            id=new_id("call_"),
            connection_id=connection,
            scope=Scope.parse(scope),
            tool="resolve_incident",
            face=Channel.REST,
            key_id=api_keys.parse_key_id(key),
            requester=canary,
            arguments={"incident_id": canary},
            arguments_sha256="00",
            idempotency_key=canary,
            state=CallState.WAITING,
            rule="default",
            needs_approval=True,
            created_at=now,
        )
        tool_calls.insert_call(transaction, call)
        audit.insert_audit_row(transaction, scope, now, {"requester": canary, "connection_id": connection})
        transaction.execute(
            tables.reconciliations.insert().values(
                connection_id=connection,
                reason=canary,
                since=now,
                until=now,
                begun_at=now,
                finished_at=now,
                report={},
            )
        )
        row = transaction.execute(
            sa.select(tables.deliveries.c.seq, tables.issues.c.id)
            .join(tables.issues, tables.issues.c.incident_id == tables.deliveries.c.incident_id)
            .where(tables.deliveries.c.incident_id == incident)
        ).one()
        ref = IncidentRef(connection_id=connection, incident_id=incident)
        store_context(transaction, ref, title=canary)
        found = a_finding(title=canary, entities=(Entity("policy", canary, canary),))
        record_results(transaction, connection, (a_result(found),), now)
        # A request's path gives each of its parameters the same value.
        scenarios.insert_scenario(transaction, a_saved_scenario(connection, connection, snapshot.id, canary))
        run = f"run-of-{new_id()}"
        run_to_start = RunToStart(run_id=run, connection_id=connection, reason=canary)
        oncall_runs.insert_run(transaction, run_to_start, (), now)
        oncall_runs.update_run(transaction, run, state=RunState.COMPLETE, finished_at=now)
        finding = transaction.execute(
            sa.select(tables.findings.c.id).where(tables.findings.c.connection_id == connection)
        ).scalar_one()
        people: dict[str, Any] = {"user_id": canary, "candidates": (canary,), "asked": (canary,)}
        drill = replace(new_drill(connection, now), id=connection, report={"refusal": canary})
        drills.insert_drill(transaction, drill)
        cover = cover_request(connection, now, schedule_id=canary, created_by=canary, **people)
        workload.insert_request(transaction, cover)
        paid = {"pay": {"currency": "EUR", "base_rate": "1"}}
        workload.mark_drafted(transaction, connection, paid, canary, now)
        workload.mark_published(transaction, connection, 0, canary, now)
        return World(
            scope,
            canary,
            connection,
            webhook,
            webhook_handle(webhook),
            incident,
            row.id,
            str(row.seq),
            call.id,
            api_keys.parse_key_id(key),
            str(finding),
            run,
            cover.id,
        )

    return database.write_blocking(write)


def everything_kept(service: System) -> dict[str, list[Any]]:
    """Return all rows but those that tell of time passing."""
    left_out = {"leases", "inbox_journals", "audit", "refusals", "request_paces", "request_permits"}
    #: Every request tells when its own key was used.
    uses = {"last_used_at", "untrusted_read_at"}

    def read(transaction: sa.Connection) -> dict[str, list[Any]]:
        return {
            table.name: sorted(
                map(repr, transaction.execute(sa.select(*(c for c in table.c if c.name not in uses))))
            )
            for table in tables.metadata.sorted_tables
            if table.name not in left_out
        }

    return service.database.read_blocking(read)


def permissions_but(permission: str | None) -> tuple[str, ...]:
    return tuple(other for other in ALL_PERMISSIONS if other != permission)
