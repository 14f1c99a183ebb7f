"""Calls of tools that endure: kept once, decided once, ended once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState, Channel, arguments_sha256
from calmo_pagerduty.tool_calls.store import IdempotencyKeyReused, ToolCall
from calmo_pagerduty.tools.arguments import parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from tests.support.argument_strategies import arguments_of
from tests.support.call_records import ACME, NOW, ROBIN, a_call, decide, file, filed, finish, get, hours
from tests.support.doors import rows
from tests.support.examples import examples

pytestmark = pytest.mark.each_database

ENDED = sorted(set(CallState) - OPEN_STATES)
EACH_END = pytest.mark.parametrize("ended", ENDED)


@pytest.fixture
def connection_id(database: Database) -> str:
    return database.write_blocking(lambda t: connections.insert_connection(t, "Shop", ACME, NOW))


def test_a_call_is_read_as_it_was_filed(database: Database, connection_id: str) -> None:
    call = a_call(
        connection_id,
        scope=ROBIN,
        face=Channel.MCP,
        state=CallState.WAITING,
        needs_approval=True,
        expires_at=NOW + hours(24),
        approver="kim",
        decided_at=NOW + hours(1),
        attempts=3,
        first_attempt_at=NOW + hours(2),
        result={"items": [{"é": None}]},
        error={"type": "NotFound"},
        finished_at=NOW + hours(3),
        idempotency_key="anything printable: ü / 1",
    )
    assert not [field.name for field in fields(ToolCall) if getattr(call, field.name) is None]
    assert file(database, call) == (call, True)
    known = get(database, call.id)
    assert known == call
    assert (type(known.face), type(known.state)) == (Channel, CallState)
    assert known.created_at.tzinfo is UTC


@pytest.mark.parametrize("state", CallState)
def test_a_call_that_says_little_is_read_so_in_every_state(
    database: Database, connection_id: str, state: CallState
) -> None:
    call = a_call(connection_id, state=state, face=sorted(Channel)[len(state) % len(Channel)])
    file(database, call)
    known = get(database, call.id)
    assert known == call
    assert known.state is state
    row = rows(database, tables.tool_calls)[0]
    assert (row.state, row.result, row.error) == (state.value, None, None)


def test_a_time_of_another_zone_is_the_same_moment(database: Database, connection_id: str) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    call_id = filed(database, connection_id, created_at=there, state=CallState.WAITING)
    assert decide(database, call_id, CallState.RUNNING, there)
    database.write_blocking(lambda t: tool_calls.mark_attempt_started(t, call_id, there))
    assert finish(database, call_id, CallState.DONE, there)
    call = get(database, call_id)
    assert {call.created_at, call.decided_at, call.first_attempt_at, call.finished_at} == {NOW}


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_tools_arguments_keep_their_hash_in_the_database(
    database: Database, connection_id: str, data: st.DataObject
) -> None:
    tool = data.draw(st.sampled_from(list(TOOLS.values())))
    read = read_arguments_or_none(tool.name, data.draw(arguments_of(tool)))
    assume(read is not None)
    assert read is not None
    call = a_call(connection_id, tool=tool.name, arguments=read)

    def keep_and_look(transaction: sa.Connection) -> ToolCall | None:
        transaction.execute(sa.delete(tables.tool_calls))
        tool_calls.insert_call(transaction, call)
        return tool_calls.get_call(transaction, call.id)

    known = database.write_blocking(keep_and_look)
    assert known is not None
    assert arguments_sha256(tool.name, known.arguments) == call.arguments_sha256


def read_arguments_or_none(name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return parse_arguments(TOOLS[name], arguments).model_dump(mode="json", exclude_unset=True)
    except ValueError:
        return None


def test_the_same_call_is_filed_once_and_answered_as_it_stands(
    database: Database, connection_id: str
) -> None:
    call_id = filed(database, connection_id)
    assert finish(database, call_id, CallState.DONE, result={"id": "PNOTE1"})
    known, new = file(database, a_call(connection_id, created_at=NOW + hours(1), requester="other"))
    assert not new
    assert (known.state, known.result, known.created_at) == (CallState.DONE, {"id": "PNOTE1"}, NOW)
    assert len(rows(database, tables.tool_calls)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"arguments": {"incident_id": "PINC2", "content": "Rolled back"}},
        {"arguments": {}},
        {"tool": "publish_status_update"},
    ],
)
def test_a_key_that_was_used_otherwise_is_refused(
    database: Database, connection_id: str, other: dict[str, Any]
) -> None:
    before = get(database, filed(database, connection_id))
    with pytest.raises(IdempotencyKeyReused):
        file(database, a_call(connection_id, **other))
    assert get(database, before.id) == before


def test_the_same_key_of_another_caller_or_connection_is_another_call(
    database: Database, connection_id: str
) -> None:
    second = database.write_blocking(lambda t: connections.insert_connection(t, "Till", ACME, NOW))
    filed(database, connection_id)
    filed(database, connection_id, key_id="key2")
    filed(database, second)
    filed(database, connection_id, "again")
    assert len(rows(database, tables.tool_calls)) == 4


def test_many_who_file_the_same_call_at_once_make_one(
    database: Database, migrated_url: str, connection_id: str
) -> None:
    second = Database(migrated_url)
    try:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda n: file((database, second)[n % 2], a_call(connection_id)), range(12)))
    finally:
        second.close()
    assert sum(new for _, new in made) == 1
    assert len({call.id for call, _ in made}) == 1


@EACH_END
def test_a_call_ends_once(database: Database, connection_id: str, ended: CallState) -> None:
    call_id = filed(database, connection_id)
    assert finish(database, call_id, ended, NOW + hours(1), error={"type": "Unreachable"})
    first = get(database, call_id)
    assert (first.state, first.finished_at) == (ended, NOW + hours(1))
    assert first.error == {"type": "Unreachable"}
    for state in ENDED:
        assert not finish(database, call_id, state, NOW + hours(2), result={"late": True})
    assert not decide(database, call_id, CallState.RUNNING)
    database.write_blocking(lambda t: tool_calls.mark_attempt_started(t, call_id, NOW))
    assert get(database, call_id) == first


def test_an_unknown_call_neither_ends_nor_is_decided(database: Database) -> None:
    assert not finish(database, "tc_unknown", CallState.DONE)
    assert not decide(database, "tc_unknown", CallState.RUNNING)
    assert database.read_blocking(lambda t: tool_calls.get_call(t, "tc_unknown")) is None
