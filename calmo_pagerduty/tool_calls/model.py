"""One call of a tool: who asks for what, how it stands, and what binds an approval to it."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

#: An idempotency key is the caller's own text; anything printable will do.
MAX_IDEMPOTENCY_KEY = 200


class Channel(StrEnum):
    """The way in which a call came."""

    REST = "rest"
    CLI = "cli"
    MCP = "mcp"
    TEMPORAL = "temporal"


class CallState(StrEnum):
    WAITING = "waiting"  # for a person's approval
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    #: It may have happened, and PagerDuty can't be asked: a person must look.
    UNKNOWN = "unknown"
    #: A person said no.
    DENIED = "denied"
    #: Nobody said anything in time.
    EXPIRED = "expired"
    #: It was allowed when it was asked for and no longer is.
    REFUSED = "refused"


OPEN_STATES = frozenset({CallState.WAITING, CallState.RUNNING})


def arguments_sha256(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return the hash of a tool with its exact arguments: what an approval and the audit refer to."""
    text = json.dumps({"tool": tool, "arguments": arguments}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def call_id_for(connection_id: str, key_id: str, idempotency_key: str) -> str:
    """Return the id of the call that this caller means by this key: the same however often it is asked."""
    text = json.dumps([connection_id, key_id, idempotency_key])
    return f"tc_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def tool_call_workflow_id(connection_id: str, call_id: str) -> str:
    """Return the id of the workflow that carries a call out."""
    return f"pd-tool:{call_id}:{connection_id}"
