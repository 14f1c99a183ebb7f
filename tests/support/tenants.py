"""A tenant that has a row in every table that belongs to tenants."""

from datetime import UTC, datetime

import sqlalchemy as sa

from calmo_pagerduty.absences import store as absences
from calmo_pagerduty.absences.model import AbsenceCalendar, CalendarFormat
from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.contexts import account_cache_store as cache_store, store as contexts
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, IncidentRow, SyncedRange
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import refusal_store as refusals
from calmo_pagerduty.deliveries.model import SignatureVerdict, Verdict
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill_store import DrillService
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.oncall import digest_store as digests, store as oncall_runs
from calmo_pagerduty.oncall.model import RunToStart
from calmo_pagerduty.post_incident.model import PartName
from calmo_pagerduty.post_incident.store import insert_addition
from calmo_pagerduty.reports import store as reports
from calmo_pagerduty.reports.delivery_rules import Outcome
from calmo_pagerduty.reports.model import MadeReport, ReportKind
from calmo_pagerduty.reports.store import ReportAddress
from calmo_pagerduty.scheduling import store as scenarios
from calmo_pagerduty.snapshots import store as snapshots
from calmo_pagerduty.workload import store as workload
from tests.support.builders import SECRET, new_id
from tests.support.cover import cover_request
from tests.support.doors import make_webhook, save_pending
from tests.support.drills import new_drill
from tests.support.findings import a_digest, a_finding, a_result
from tests.support.kept_deliveries import keep
from tests.support.saved_scenarios import a_saved_scenario
from tests.support.snapshots import small_snapshot

#: The tables of tenants.
OF_A_SCOPE = (
    "connections", "webhooks", "webhook_secrets", "deliveries", "delivery_bodies", "refusals", "issues",
    "timeline", "issue_changes", "tool_calls", "audit", "reconciliations", "contexts", "context_parts",
    "post_incident_additions", "kept_reports", "report_addresses", "report_deliveries",
    "account_objects", "account_incidents", "account_changes", "account_reads",
    "operations", "account_snapshots", "snapshot_blobs", "snapshot_parts", "oncall_runs",
    "analysis_results", "findings", "finding_events", "oncall_digests", "scenarios", "drill_services",
    "escalation_drills",
    "workload_settings", "cover_requests", "absence_calendars",
)  # fmt: skip

TENANT_KEYS = Keyring({"test": bytes(range(32))})


def fill_tenant(database: Database, scope: str) -> None:
    """Put a row of this scope into every table that has such."""
    hook = make_webhook(database, TENANT_KEYS, SECRET, scope=scope)
    keep(database, hook)
    save_pending(database)
    now = datetime.now(UTC)

    def write(transaction: sa.Connection) -> None:
        refusals.insert_refusal(transaction, hook, now, Verdict.MISMATCH, SignatureVerdict.MISMATCH, 1, "00")
        audit.insert_audit_row(transaction, scope, now, {"outcome": "done"})
        mine = sa.select(tables.connections.c.id).where(tables.connections.c.scope == scope)
        connection = transaction.execute(mine).scalar_one()
        transaction.execute(
            tables.reconciliations.insert().values(
                connection_id=connection, reason="test", since=now, until=now, begun_at=now
            )
        )
        plain = dict.fromkeys(
            ("tool", "face", "key_id", "requester", "arguments_sha256", "idempotency_key", "rule"), "x"
        )
        call = new_id("call_")
        drills.upsert_drill_service(transaction, connection, DrillService("PSHOP", "key", now, None))
        drills.insert_drill(transaction, new_drill(connection, now))
        transaction.execute(
            tables.tool_calls.insert().values(
                id=call,
                connection_id=connection,
                scope=scope,
                arguments={},
                state="done",
                needs_approval=False,
                created_at=now,
                **plain,
            )
        )
        issue = sa.select(tables.issues.c.id).where(tables.issues.c.connection_id == connection)
        transaction.execute(
            tables.operations.insert().values(
                id=call,
                issue_id=transaction.execute(issue).scalars().first(),
                action="resolve",
                author="x",
                state="done",
                expected=[],
                filed_at=now,
            )
        )

        insert_addition(
            transaction, transaction.execute(issue).scalars().all()[0], PartName.LESSONS, "x", "x", now
        )
        _fill_context(transaction, connection, now)
        snapshots.insert_whole_snapshot(
            transaction, small_snapshot(id=new_id("snap_"), connection_id=connection)
        )
        run = RunToStart(run_id=new_id(), connection_id=connection)
        oncall_runs.insert_run(transaction, run, (), now)
        record_results(transaction, connection, (a_result(a_finding()),), now)
        scenarios.insert_scenario(transaction, a_saved_scenario(new_id(), connection, "snap", "plan"))
        workload.mark_drafted(transaction, connection, {}, "x", now)
        workload.insert_request(transaction, cover_request(connection, now))
        absences.upsert_calendar(
            transaction,
            AbsenceCalendar(connection, "U1", CalendarFormat.ICS, (), Span(0, 1), (), "x", now),
        )
        digests.insert_digest(transaction, a_digest(connection), now)
        _fill_reports(transaction, connection, now)

    database.write_blocking(write)


def _fill_reports(transaction: sa.Connection, connection: str, now: datetime) -> None:
    at, report = int(now.timestamp()), new_id("rep_")
    made = MadeReport(ReportKind.ON_CALL_REVIEW, connection, "x", "x", "x", at, at - 1, at, "snap", "x", ())
    reports.insert_report(transaction, report, made)
    reports.upsert_address(transaction, ReportAddress(connection, "https://x.example", b"x", "x", now))
    reports.insert_delivery(transaction, report, connection, 1, now, Outcome.DELIVERED, 200, "")


def _fill_context(transaction: sa.Connection, connection: str, now: datetime) -> None:
    ref = IncidentRef(connection_id=connection, incident_id=new_id())
    version = contexts.insert_version(transaction, ref, ("test",), now)
    contexts.upsert_part(transaction, ref, version, ContextPart(Source.LOG, SourceState.COMPLETE))
    cache_store.upsert_object(transaction, connection, "services", [], now)
    past = IncidentRow(new_id(), "Basket is slow", "PSHOP", "resolved", now, now, {})
    cache_store.upsert_incidents(transaction, connection, [past], now)
    cache_store.upsert_changes(transaction, connection, [ChangeRow(new_id(), now, {})], now)
    cache_store.upsert_synced_range(transaction, connection, "incidents", SyncedRange(now, now, True, now))
