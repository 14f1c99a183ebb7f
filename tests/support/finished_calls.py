"""Rows of tool calls that were carried out."""

from datetime import datetime

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from tests.support.builders import new_id


def insert_finished_call(
    database: Database, connection_id: str, tool: str, at: datetime, **arguments: str
) -> None:
    """Insert a call of the tool that was made and done at `at`."""
    plain = dict.fromkeys(
        ("face", "key_id", "requester", "arguments_sha256", "idempotency_key", "rule", "scope"), "x"
    )
    row = tables.tool_calls.insert().values(
        id=new_id("call_"),
        connection_id=connection_id,
        tool=tool,
        arguments=arguments,
        state="done",
        needs_approval=False,
        created_at=at,
        finished_at=at,
        **plain | {"idempotency_key": new_id()},
    )
    database.write_blocking(lambda t: t.execute(row))
