"""PostgreSQL: a query that forgets whose rows it may see gets none that are foreign."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest
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
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from calmo_pagerduty.oncall import digest_store as digests, store as oncall_runs
from calmo_pagerduty.oncall.model import RunToStart
from calmo_pagerduty.scheduling import store as scenarios
from calmo_pagerduty.snapshots import store as snapshots
from calmo_pagerduty.workload import store as workload
from tests.conftest import new_postgresql_database
from tests.support.builders import SECRET, new_id
from tests.support.cover import cover_request
from tests.support.doors import make_webhook, save_pending
from tests.support.drills import new_drill
from tests.support.findings import a_digest, a_finding, a_result
from tests.support.kept_deliveries import keep
from tests.support.saved_scenarios import a_saved_scenario
from tests.support.snapshots import small_snapshot

SHOP, BANK = "organization:shop", "organization:bank"
OF_A_SCOPE = (
    "connections", "webhooks", "webhook_secrets", "deliveries", "delivery_bodies", "refusals", "issues",
    "timeline", "issue_changes", "tool_calls", "audit", "reconciliations", "contexts", "context_parts",
    "account_objects", "account_incidents", "account_changes", "account_reads",
    "operations", "account_snapshots", "snapshot_blobs", "snapshot_parts", "oncall_runs",
    "analysis_results", "findings", "finding_events", "oncall_digests", "scenarios", "drill_services",
    "escalation_drills",
    "analysis_results", "findings", "finding_events", "oncall_digests", "scenarios",
    "workload_settings", "cover_requests", "absence_calendars",
)  # fmt: skip
#: What is nobody's: operators' own, or not yet known to be anybody's.
NOBODYS = {
    "alembic_version", "api_keys", "dashboard_sessions", "dead_letters", "key_checks", "leases",
    "people", "request_permits", "saved_views", "sign_in_flows", "sign_in_links",
}  # fmt: skip


def sees(*scopes: str) -> Visibility:
    return Visibility(tuple(Scope.parse(scope) for scope in scopes))


@pytest.fixture(scope="module")
def database(postgresql: str | None) -> Iterator[Database]:
    """A database whose owner is an ordinary role: a superuser would see through every policy."""
    if postgresql is None:
        pytest.skip("no PostgreSQL on this machine")
    url = new_postgresql_database(postgresql)
    role, password = f"r{secrets.token_hex(8)}", secrets.token_hex(8)
    name = sa.make_url(url).database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER PASSWORD '{password}'".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {role}".encode())
        connection.execute(f"ALTER SCHEMA public OWNER TO {role}".encode())
    address = sa.make_url(url).set(username=role, password=password)
    with closing(Database(address.render_as_string(hide_password=False))) as database:
        database.migrate()
        for scope in (SHOP, BANK):
            fill(database, scope)
        yield database


def fill(database: Database, scope: str) -> None:
    """Put a row of this scope into every table that has such."""
    hook = make_webhook(database, Keyring({"test": bytes(range(32))}), SECRET, scope=scope)
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

        fill_context(transaction, connection, now)
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

    database.write_blocking(write)


def fill_context(transaction: sa.Connection, connection: str, now: datetime) -> None:
    ref = IncidentRef(connection_id=connection, incident_id=new_id())
    version = contexts.insert_version(transaction, ref, ("test",), now)
    contexts.upsert_part(transaction, ref, version, ContextPart(Source.LOG, SourceState.COMPLETE))
    cache_store.upsert_object(transaction, connection, "services", [], now)
    past = IncidentRow(new_id(), "Basket is slow", "PSHOP", "resolved", now, now, {})
    cache_store.upsert_incidents(transaction, connection, [past], now)
    cache_store.upsert_changes(transaction, connection, [ChangeRow(new_id(), now, {})], now)
    cache_store.upsert_synced_range(transaction, connection, "incidents", SyncedRange(now, now, True, now))


def count(database: Database, table: str, *seen_by: Visibility) -> int:
    query = sa.select(sa.func.count()).select_from(tables.metadata.tables[table])
    return database.read_blocking(lambda t: t.execute(query).scalar_one(), *seen_by)


@pytest.mark.parametrize("table", OF_A_SCOPE)
def test_a_query_without_a_where_returns_nothing_foreign(database: Database, table: str) -> None:
    everything = count(database, table)
    assert everything >= 2
    assert count(database, table, sees(SHOP)) == everything / 2
    assert count(database, table, sees(SHOP, BANK)) == everything
    assert count(database, table, sees("organization:nobody")) == 0
    assert count(database, table, sees()) == 0


def test_what_one_scope_sees_another_does_not(database: Database) -> None:
    def ids(scope: str) -> set[str]:
        return set(
            database.read_blocking(lambda t: t.execute(sa.select(tables.issues.c.id)).scalars(), sees(scope))
        )

    assert ids(SHOP)
    assert ids(SHOP).isdisjoint(ids(BANK))


def test_the_service_itself_sees_everything_also_after_a_readers_transaction(database: Database) -> None:
    for _ in range(8):
        assert count(database, "issues", sees(SHOP)) == 1
        assert count(database, "issues") == 2


def test_a_reader_cannot_put_a_row_into_a_foreign_scope(database: Database) -> None:
    def write(transaction: sa.Connection) -> None:
        transaction.execute(sa.text("SELECT set_config('calmo.scopes', 'organization:shop', true)"))
        foreign = sa.update(tables.webhooks).where(tables.webhooks.c.scope == BANK).values(name="mine")
        assert transaction.execute(foreign).rowcount == 0

    database.write_blocking(write)


def test_every_table_is_of_a_scope_or_known_to_be_nobodys(database: Database) -> None:
    query = sa.text(
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    secured = dict(database.read_blocking(lambda t: [tuple(row) for row in t.execute(query)]))
    assert {name for name, held in secured.items() if held} == set(OF_A_SCOPE)
    assert set(secured) == set(OF_A_SCOPE) | NOBODYS


def test_the_policies_leave_the_indexes_in_use(database: Database) -> None:
    def plan(transaction: sa.Connection) -> str:
        transaction.execute(sa.text("SET LOCAL enable_seqscan = off"))
        query = "EXPLAIN SELECT * FROM issues WHERE scope = 'organization:shop' ORDER BY created_at LIMIT 5"
        return "\n".join(transaction.execute(sa.text(query)).scalars())

    seen = database.read_blocking(plan, sees(SHOP))
    assert "Index Cond: (scope = 'organization:shop'::text)" in seen
