"""Calls of tools to keep and to look at, saying only what matters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import CallState, Channel, arguments_sha256, call_id_for
from calmo_pagerduty.tool_calls.store import ToolCall

NOW = datetime(2026, 6, 1, 12, 0, 0, 654321, tzinfo=UTC)
ACME, ROBIN = Scope.parse("organization:acme"), Scope.parse("personal:robin")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def a_call(connection_id: str, key: str = "once", **values: Any) -> ToolCall:
    tool = values.get("tool", "add_incident_note")
    arguments = values.pop("arguments", {"incident_id": "PINC1", "content": "Rolled back"})
    call = ToolCall(
        id="",
        connection_id=connection_id,
        scope=ACME,
        tool=tool,
        face=Channel.REST,
        key_id="key1",
        requester="robin",
        arguments=arguments,
        arguments_sha256=arguments_sha256(tool, arguments),
        idempotency_key=key,
        state=CallState.RUNNING,
        rule="the connection risk:medium",
        needs_approval=False,
        created_at=NOW,
    )
    call = replace(call, **values)
    return replace(call, id=call_id_for(call.connection_id, call.key_id, call.idempotency_key))


def file(database: Database, call: ToolCall) -> tuple[ToolCall, bool]:
    return database.write_blocking(lambda t: tool_calls.insert_call(t, call))


def filed(database: Database, connection_id: str, key: str = "once", **values: Any) -> str:
    call, new = file(database, a_call(connection_id, key, **values))
    assert new
    return call.id


def get(database: Database, call_id: str) -> ToolCall:
    found = database.read_blocking(lambda t: tool_calls.get_call(t, call_id))
    assert found is not None
    return found


def finish(database: Database, call_id: str, state: CallState, now: datetime = NOW, **said: Any) -> bool:
    return database.write_blocking(lambda t: tool_calls.mark_call_finished(t, call_id, state, now, **said))


def decide(database: Database, call_id: str, state: CallState, now: datetime = NOW) -> bool:
    return database.write_blocking(lambda t: tool_calls.mark_decided(t, call_id, "kim", state, now))
