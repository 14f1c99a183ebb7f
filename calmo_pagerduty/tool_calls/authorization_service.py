"""The authorizer: the only place that admits or refuses a tool call, whatever its channel, and audits it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.access import audit_store as audit, store as api_keys
from calmo_pagerduty.access.audit_store import NewAuditRow
from calmo_pagerduty.access.permissions import PERSONAL_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.access.untrusted import has_read_untrusted
from calmo_pagerduty.connections import rate_limit_store as permits, store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.batcher import Batcher
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.nearest_name import nearest_hint
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import CallState, Channel, arguments_sha256, call_id_for
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.arguments import InvalidArguments, parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import Arguments, Tool
from calmo_pagerduty.tools.permissions import Judgement, PrincipalRights, judge

#: What a key without the permission for personal data is told.
NO_PERSONAL_DATA = Judgement(
    False,
    f"key {PERSONAL_READ}",
    f"addresses and numbers are shown unmasked only to keys with the permission {PERSONAL_READ}",
)


class NoSuchTool(Exception):
    """The catalogue has no tool of this name."""


class NoSuchConnection(Exception):
    """There is no such connection, or the caller may not see it: the answer is the same."""


class ConnectionAmbiguous(NoSuchConnection):
    """The caller sees several connections, or none with a token, and named none."""


class CallRefused(Exception):
    """The caller may not use the tool; the message says which rule refused it."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.words)
        self.rule = judgement.rule


class CapReached(Exception):
    """In the last hour, the tool has made as many writes as the connection allows."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that the authorizer has admitted: its principal, channel, connection, tool and arguments."""

    caller: Principal
    face: Channel
    connection: Connection
    tool: Tool
    arguments: Arguments
    #: The arguments as JSON values, and the hash of the tool's name with them.
    given: Mapping[str, Any]
    sha256: str
    judgement: Judgement


#: Stores what belongs to a new call, in the call's transaction.
KeepWith = Callable[[Transaction, ToolCall], None]


class ToolAuthorizer:
    """Admits calls, creates the rows of those that need a workflow, and writes the audit chain."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trail = Batcher(self._append)

    async def _append(self, rows: Sequence[NewAuditRow]) -> Sequence[None]:
        await self._database.write(lambda tx: audit.insert_audit_rows(tx, rows))
        return [None] * len(rows)

    async def admit(
        self,
        caller: Principal,
        channel: Channel,
        connection_id: str | None,
        tool_name: str,
        arguments: Mapping[str, Any],
    ) -> Admission:
        """Admit a call. `connection_id` None means the caller's only connection with a token.

        Raises NoSuchTool, NoSuchConnection, InvalidArguments, CallRefused, StoreUnavailable.
        """
        tool = TOOLS.get(tool_name)
        if tool is None:
            raise NoSuchTool(f"there is no tool {tool_name[:60]!r}{nearest_hint(tool_name, TOOLS)}")
        connection = await self._database.read(
            lambda tx: resolve_connection(tx, caller, connection_id), caller.visibility
        )
        is_agent = channel is Channel.MCP and has_read_untrusted(caller.untrusted_read_at, datetime.now(UTC))
        rights = PrincipalRights(caller.permissions, caller.teams, is_agent)
        judgement = judge(tool, rights, connection.rules, connection.facts)
        if not judgement.allowed:
            sha256 = arguments_sha256(tool.name, _plain_arguments(arguments))
            await self._audit(caller, channel, connection, tool, sha256, judgement, "refused")
            raise CallRefused(judgement)
        valid = parse_arguments(tool, arguments)
        given = valid.model_dump(mode="json", exclude_unset=True)
        sha256 = arguments_sha256(tool.name, given)
        about = valid.personal_data_of
        if about is not None and PERSONAL_READ not in caller.permissions:
            await self._audit(
                caller, channel, connection, tool, sha256, NO_PERSONAL_DATA, "refused", about=about
            )
            raise CallRefused(NO_PERSONAL_DATA)
        return Admission(caller, channel, connection, tool, valid, given, sha256, judgement)

    async def create_call(
        self, admission: Admission, idempotency_key: str, keep_with: KeepWith | None = None
    ) -> ToolCall:
        """Insert the call, or return the call that the key's owner created before with the same idempotency
        key, whichever API key it came with.

        For a new call, `keep_with` runs in the same transaction and stores the call's purpose.
        Raises IdempotencyKeyReused, CapReached, StoreUnavailable.
        """
        now = datetime.now(UTC)
        try:
            return await self._database.write(
                lambda tx: _insert_call(tx, admission, idempotency_key, now, keep_with),
                seen_by=admission.caller.visibility,
            )
        except CapReached:
            await self.audit(admission, "cap reached", timedelta())
            raise

    async def audit(self, admission: Admission, outcome: str, took: timedelta) -> None:
        """Audit a call without a row of its own. Raises StoreUnavailable."""
        await self._audit(
            admission.caller,
            admission.face,
            admission.connection,
            admission.tool,
            admission.sha256,
            admission.judgement,
            outcome,
            took,
            admission.arguments.personal_data_of,
        )

    async def _audit(
        self,
        caller: Principal,
        channel: Channel,
        connection: Connection,
        tool: Tool,
        sha256: str,
        judgement: Judgement,
        outcome: str,
        took: timedelta | None = None,
        about: str | None = None,
    ) -> None:
        record = {
            **_audit_fields(caller, channel, connection, tool.name, sha256),
            **_about(about),
            "decision": "allowed" if judgement.allowed else "refused",
            "rule": judgement.rule,
            "outcome": outcome,
            "duration_ms": None if took is None else round(took.total_seconds() * 1000, 1),
        }
        await self._trail.add(NewAuditRow(str(connection.scope), datetime.now(UTC), record))


def audit_call(tx: Transaction, call: ToolCall, outcome: str, now: datetime, **more: Any) -> None:
    """Audit a step of a stored call; `more` adds fields to the record."""
    record = {
        "call_id": call.id,
        "connection_id": call.connection_id,
        "tool": call.tool,
        "face": call.face,
        "key_id": call.key_id,
        "requester": call.requester,
        "arguments_sha256": call.arguments_sha256,
        "decision": "refused" if call.state is CallState.REFUSED else "allowed",
        "rule": call.rule,
        "approver": call.approver,
        "outcome": outcome,
        "duration_ms": None,
        **_about(personal_data_of(call)),
        **more,
    }
    audit.insert_audit_row(tx, str(call.scope), now, record)


def personal_data_of(call: ToolCall) -> str | None:
    """Return the id of the user whose addresses and numbers the call asks for; None if nobody's."""
    tool = TOOLS.get(call.tool)
    try:
        return None if tool is None else parse_arguments(tool, call.arguments).personal_data_of
    except InvalidArguments:
        return None


def _about(person: str | None) -> Mapping[str, Any]:
    """Return the audit's trace of the person whose addresses and numbers were asked for."""
    return {} if person is None else {"personal_data_of": person}


def _insert_call(
    tx: Transaction,
    admission: Admission,
    idempotency_key: str,
    now: datetime,
    keep_with: KeepWith | None = None,
) -> ToolCall:
    connection, tool = admission.connection, admission.tool
    call = _call(admission, idempotency_key, now)
    # Lock the connection, so that two calls can't both take the last place below the cap.
    permits.lock_limits(tx, connection.id)
    # The owner may have asked before with another key, such as one that was rotated since.
    own_keys = api_keys.list_key_ids_of_owner(tx, admission.caller.owner)
    earlier = tool_calls.get_repeated_call(tx, connection.id, own_keys, idempotency_key)
    if earlier is not None:
        tool_calls.check_same_call(earlier, call)
        return earlier
    recent = tool_calls.count_recent_calls(tx, connection.id, tool.name, now)
    stored, is_new = tool_calls.insert_call(tx, call)
    if not is_new:
        return stored
    if tool.writes and recent >= connection.rules.cap(tool.name):
        raise CapReached(
            f"{tool.name} has made {recent} writes within the last hour, which is as many as this"
            " connection allows: try again later, or ask an administrator to raise its cap"
        )
    if keep_with is not None:
        keep_with(tx, call)
    audit_call(tx, call, "waits for approval" if call.needs_approval else "begins", now)
    return call


def _call(admission: Admission, idempotency_key: str, now: datetime) -> ToolCall:
    connection, waits = admission.connection, admission.judgement.needs_approval
    hours = timedelta(hours=connection.rules.approval_hours)
    return ToolCall(
        id=call_id_for(connection.id, admission.caller.key_id, idempotency_key),
        connection_id=connection.id,
        scope=connection.scope,
        tool=admission.tool.name,
        face=admission.face,
        key_id=admission.caller.key_id,
        requester=admission.caller.who,
        arguments=admission.given,
        arguments_sha256=admission.sha256,
        idempotency_key=idempotency_key,
        state=CallState.WAITING if waits else CallState.RUNNING,
        rule=admission.judgement.rule,
        needs_approval=waits,
        created_at=now,
        expires_at=now + hours if waits else None,
    )


def resolve_connection(tx: Transaction, caller: Principal, connection_id: str | None) -> Connection:
    """Return a visible connection by its id; None means the only one with a token.

    Raises NoSuchConnection.
    """
    if connection_id is None:
        return _only_connection(connections.list_connections(tx, caller.visibility))
    connection = connections.get_connection(tx, caller.visibility, connection_id)
    if connection is None:
        raise NoSuchConnection(f"there is no connection {connection_id[:60]!r}")
    return connection


def _only_connection(visible: tuple[Connection, ...]) -> Connection:
    with_token = [connection for connection in visible if connection.token_kind is not None]
    if len(with_token) != 1:
        names = ", ".join(connection.id for connection in with_token[:10])
        raise ConnectionAmbiguous(
            f"several connections have a token, so name one of them: {names}"
            if names
            else "no connection that this API key sees has a token: an administrator may add one"
        )
    return with_token[0]


def _audit_fields(
    caller: Principal, channel: Channel, connection: Connection, tool_name: str, sha256: str
) -> Mapping[str, Any]:
    return {
        "connection_id": connection.id,
        "tool": tool_name,
        "face": channel,
        "key_id": caller.key_id,
        "requester": caller.who,
        "arguments_sha256": sha256,
    }


def _plain_arguments(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {str(name): value for name, value in arguments.items()}
