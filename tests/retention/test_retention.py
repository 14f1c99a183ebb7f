"""What is kept no longer than promised, and what is kept all the same."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, IncidentRow
from calmo_pagerduty.db import leases, tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import refusal_store as refusals
from calmo_pagerduty.deliveries.model import DeliveryState, SignatureVerdict, Verdict
from calmo_pagerduty.incidents import dead_letter_store as dead_letters
from calmo_pagerduty.incidents.signals import DeadLetter
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.retention import store as retention
from ingress.deliveries.retention_sweeper import LEASE, LEASE_TTL, RetentionSweeper
from tests.support.builders import NOON, new_id
from tests.support.doors import make_webhook, rows
from tests.support.kept_deliveries import keep
from tests.support.retention import SOME_KEYS, a_sweeper

DAY = timedelta(days=1)


@pytest.fixture
def webhook(database: Database, keyring: Keyring) -> str:
    return make_webhook(database, keyring)


def a_retention(database: Database, holder: str = "here") -> RetentionSweeper:
    return a_sweeper(database, holder=holder)


def kept_bodies(database: Database) -> set[int]:
    return {row.seq for row in rows(database, tables.delivery_bodies)}


@pytest.mark.each_database
async def test_bodies_go_after_thirty_days_and_rows_after_four_hundred(
    database: Database, webhook: str
) -> None:
    ages = {
        age: keep(database, webhook, at=NOON - age * DAY, state=DeliveryState.APPLIED)
        for age in (401, 399, 31, 29)
    }
    counts = await a_retention(database).sweep_once(NOON)
    assert {kind: rows for kind, rows in counts.items() if rows} == {"bodies": 3, "deliveries": 1}
    assert {row.seq for row in rows(database, tables.deliveries)} == {ages[399], ages[31], ages[29]}
    assert kept_bodies(database) == {ages[29]}
    assert set((await a_retention(database).sweep_once(NOON)).values()) == {0}


@pytest.mark.each_database
async def test_what_has_not_reached_its_issue_keeps_its_body_however_old(
    database: Database, webhook: str
) -> None:
    states = (DeliveryState.PENDING, DeliveryState.FORWARDED)
    waiting = {keep(database, webhook, at=NOON - 500 * DAY, state=state) for state in states}
    keep(database, webhook, at=NOON - 500 * DAY, state=DeliveryState.DEAD_LETTER)
    await a_retention(database).sweep_once(NOON)
    assert kept_bodies(database) == waiting
    assert {row.seq for row in rows(database, tables.deliveries)} == waiting


async def test_many_rows_are_cut_in_many_transactions(
    database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 3)
    hook = make_webhook(database, keyring)
    for number in range(10):
        state = DeliveryState.PENDING if number == 1 else DeliveryState.APPLIED
        keep(database, hook, at=NOON - 31 * DAY, state=state)
    young = keep(database, hook, at=NOON, state=DeliveryState.APPLIED)
    counts = await a_retention(database).sweep_once(NOON)
    assert counts["bodies"] == 9
    assert young in kept_bodies(database)
    assert len(kept_bodies(database)) == 2


@pytest.mark.each_database
async def test_refusals_go_and_the_audit_is_cut_in_a_segment(database: Database, webhook: str) -> None:
    def write(transaction: sa.Connection) -> None:
        for age in (408, 401, 399):
            at = NOON - age * DAY
            refusals.insert_refusal(
                transaction, webhook, at, Verdict.MISMATCH, SignatureVerdict.MISMATCH, 1, "00"
            )
            audit.insert_audit_row(transaction, "organization:acme", at, {"outcome": "done"})

    database.write_blocking(write)
    counts = await a_retention(database).sweep_once(NOON)
    assert (counts["refusals"], counts["audit"]) == (2, 2)
    assert len(rows(database, tables.refusals)) == 1
    found = database.read_blocking(lambda t: audit.verify_chain(t, SOME_KEYS))
    assert (found.rows, found.sealed_rows, found.broken) == (1, 2, None)


@pytest.mark.each_database
async def test_what_calls_were_made_with_and_what_came_of_them_goes_and_the_calls_stay(
    database: Database, webhook: str
) -> None:
    [connection] = rows(database, tables.connections)
    plain = dict.fromkeys(("tool", "face", "key_id", "requester", "arguments_sha256", "rule"), "x")

    def write(transaction: sa.Connection) -> None:
        for age, state in ((31, "done"), (32, "failed"), (29, "done"), (None, "running")):
            transaction.execute(
                tables.tool_calls.insert().values(
                    id=f"call_{age}",
                    connection_id=connection.id,
                    scope=connection.scope,
                    state=state,
                    idempotency_key=new_id(),
                    needs_approval=False,
                    arguments={"content": "Robin called"},
                    result=None if state == "failed" else {"name": "Robin"},
                    created_at=NOON - 90 * DAY,
                    finished_at=None if age is None else NOON - age * DAY,
                    **plain,
                )
            )

    database.write_blocking(write)
    assert (await a_retention(database).sweep_once(NOON))["calls"] == 2
    kept = {row.id: bool(row.arguments) for row in rows(database, tables.tool_calls)}
    assert kept == {"call_31": False, "call_32": False, "call_29": True, "call_None": True}
    assert {row.id for row in rows(database, tables.tool_calls) if row.result} == {"call_29", "call_None"}
    assert (await a_retention(database).sweep_once(NOON))["calls"] == 0


@pytest.mark.each_database
async def test_dead_letters_texts_go_and_why_they_are_dead_stays(database: Database, webhook: str) -> None:
    ref = IncidentRef(connection_id=rows(database, tables.connections)[0].id, incident_id="QDEAD")
    for age in (31, 29):
        puzzle = DeadLetter(reason="no decision", payload=f"Robin said {age}")
        at = NOON - age * DAY
        database.write_blocking(lambda t: dead_letters.insert_dead_letters(t, ref, [puzzle], at))
    assert (await a_retention(database).sweep_once(NOON))["dead_letters"] == 1
    told = {row.payload: row.reason for row in rows(database, tables.dead_letters)}
    assert told == {"": "no decision", "Robin said 29": "no decision"}


@pytest.mark.each_database
async def test_while_another_process_holds_the_lease_nothing_is_cut(database: Database, webhook: str) -> None:
    keep(database, webhook, at=NOON - 500 * DAY, state=DeliveryState.APPLIED)
    database.write_blocking(lambda t: leases.claim_lease(t, LEASE, "there", LEASE_TTL))
    assert set((await a_retention(database).sweep_once(NOON)).values()) == {0}
    assert len(kept_bodies(database)) == 1
    database.write_blocking(lambda t: leases.delete_lease(t, LEASE, "there"))
    assert (await a_retention(database).sweep_once(NOON))["bodies"] == 1


@pytest.mark.each_database
async def test_what_is_remembered_of_an_account_goes_with_its_use_and_with_its_connection(
    database: Database, keyring: Keyring
) -> None:
    for name in ("stays", "goes"):
        make_webhook(database, keyring, scope=f"organization:{name}")
    stays, goes = (row.id for row in rows(database, tables.connections))

    def remember(transaction: sa.Connection, connection_id: str) -> None:
        for age in (1, 29, 31, 179, 181):
            at, id_ = NOON - age * DAY, f"Q{age}"
            incident = IncidentRow(id_, "Disk is full", "PS1", "resolved", at, at, {})
            cache_store.upsert_incidents(transaction, connection_id, [incident], at)
            cache_store.upsert_changes(transaction, connection_id, [ChangeRow(id_, at, {})], at)
            cache_store.upsert_object(transaction, connection_id, "users", {}, at, id_)

    def write(transaction: sa.Connection) -> None:
        remember(transaction, stays)
        remember(transaction, goes)
        connections.mark_removed(transaction, goes, NOON)

    database.write_blocking(write)
    counts = await a_retention(database).sweep_once(NOON)
    told = ("past_incidents", "past_changes", "account_objects")
    assert [counts[kind] for kind in told] == [5 + 1, 5 + 3, 5 + 3]
    for table, ages in (
        (tables.account_incidents, {"Q1", "Q29", "Q31", "Q179"}),
        (tables.account_changes, {"Q1", "Q29"}),
        (tables.account_objects, {"Q1", "Q29"}),
    ):
        assert {(row.connection_id, row.id) for row in rows(database, table)} == {
            (stays, age) for age in ages
        }
    assert set((await a_retention(database).sweep_once(NOON)).values()) == {0}
