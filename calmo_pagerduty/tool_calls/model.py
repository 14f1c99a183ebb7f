"""A tool call's channel, states and ids, and the hash that binds an approval to its arguments."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

#: An idempotency key is a text of the caller's choice, in printable characters.
MAX_IDEMPOTENCY_KEY = 200


class Channel(StrEnum):
    """The way in which a call came in."""

    REST = "rest"
    CLI = "cli"
    MCP = "mcp"
    TEMPORAL = "temporal"


class CallState(StrEnum):
    """Where a tool call stands. Its path is in docs/architecture.md, "Follow a tool call"."""

    WAITING = "waiting"  # for a person's approval
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    #: It may have taken effect, and PagerDuty can't tell us: a person must check.
    UNKNOWN = "unknown"
    #: A person denied it.
    DENIED = "denied"
    #: Nobody decided in time.
    EXPIRED = "expired"
    #: It was allowed at first, and no longer is.
    REFUSED = "refused"


OPEN_STATES = frozenset({CallState.WAITING, CallState.RUNNING})


def arguments_sha256(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a tool's name with its exact arguments. Approvals and audit refer to it."""
    text = json.dumps({"tool": tool, "arguments": arguments}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def call_id_for(connection_id: str, key_id: str, idempotency_key: str) -> str:
    """Return the call's id. The same connection, API key and idempotency key always give the same id."""
    text = json.dumps([connection_id, key_id, idempotency_key])
    return f"tc_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def tool_call_workflow_id(connection_id: str, call_id: str) -> str:
    """Return the id of the workflow that carries a call out."""
    return f"pd-tool:{call_id}:{connection_id}"
