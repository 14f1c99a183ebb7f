"""Record the steps of a tool call: its creation, a person's decision, its attempts and its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import APPROVALS_WRITE, PERSONAL_READ, TOOLS_TEMPORAL
from calmo_pagerduty.access.persons import is_same_person, normalize_person
from calmo_pagerduty.access.proofs import InvalidProof, ProofKeys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING, ScopeKind
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.authorization_service import (
    NO_PERSONAL_DATA,
    CallRefused,
    CapReached,
    NoSuchConnection,
    NoSuchTool,
    ToolAuthorizer,
    audit_call,
    personal_data_of,
)
from calmo_pagerduty.tool_calls.model import CallState, Channel, arguments_sha256
from calmo_pagerduty.tool_calls.observer import CallObserver
from calmo_pagerduty.tool_calls.proofs import decision_claims, order_claims
from calmo_pagerduty.tool_calls.store import IdempotencyKeyReused, ToolCall
from calmo_pagerduty.tools.arguments import InvalidArguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import CallContext
from calmo_pagerduty.tools.permissions import UNTRUSTED_RULE, Judgement, PrincipalRights, judge

CREATION_REFUSALS = (
    NoSuchTool,
    NoSuchConnection,
    InvalidArguments,
    CallRefused,
    CapReached,
    IdempotencyKeyReused,
)


class NotFiled(Exception):
    """The call is refused or doesn't exist; the message says why."""


class NotTheirs(Exception):
    """The approver may not decide on this call; the message says why."""


class CallToCreate(FrozenModel):
    """A call that another service orders through Temporal. Its arguments are in the history: put no people's
    texts into them.
    """

    key_id: str
    connection_id: str | None = None
    tool: str
    arguments: Mapping[str, Any] = {}
    idempotency_key: str
    #: Made by our API for exactly this order; see `access.proofs`.
    proof: str | None = None


class ToolCallTicket(FrozenModel):
    """A stored call, as its workflow receives it: ids only, no arguments. Times are UTC."""

    call_id: str
    connection_id: str
    tool: str
    scope: str
    state: CallState
    expires_at: datetime | None

    @classmethod
    def of(cls, call: ToolCall) -> "ToolCallTicket":
        """Return the ticket of a call."""
        return cls(
            call_id=call.id,
            connection_id=call.connection_id,
            tool=call.tool,
            scope=str(call.scope),
            state=call.state,
            expires_at=call.expires_at,
        )


class DecisionToRecord(FrozenModel):
    """`key_id` is the approver's API key; None stands for an operator in the Temporal UI, named by `by`.

    `proof` was made by our API for exactly this decision. An operator's decision has none.
    """

    call_id: str
    approve: bool
    arguments_sha256: str | None = None
    key_id: str | None = None
    by: str = ""
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """An attempt that may proceed, and the context of its plan."""

    #: The call before the attempt.
    call: ToolCall
    connection: Connection
    context: CallContext
    #: True if the observer needs the PagerDuty user that the call's events will name.
    wants_agent: bool = False


class ToolCallRepository:
    """Reads and writes tool calls. Every method raises StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        authorizer: ToolAuthorizer,
        observer: CallObserver,
        proofs: ProofKeys,
        operator_approvals: bool = False,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._observer = observer
        self._proofs = proofs
        self._operator_approvals = operator_approvals

    async def file_order(self, order: CallToCreate) -> ToolCallTicket:
        """Create a call that came through Temporal. Raises NotFiled, also if its proof is not valid.

        An order that was filed before needs no valid proof any more: its workflow may ask again much later.
        """
        sha256 = arguments_sha256(order.tool, order.arguments)
        claims = order_claims(
            order.key_id, order.connection_id or "", order.tool, sha256, order.idempotency_key
        )
        now = datetime.now(UTC)
        try:
            expires_at = self._proofs.expiry(order.proof, claims)
            if expires_at <= now:
                filed = await self._database.read(lambda tx: _get_filed(tx, order))
                if filed is not None and filed.arguments_sha256 == sha256:
                    return ToolCallTicket.of(filed)
            self._proofs.check(order.proof, claims, now)
        except InvalidProof as error:
            raise NotFiled(f"the order is refused: {error}") from None
        return await self.create(order, TOOLS_TEMPORAL)

    async def create(self, order: CallToCreate, permission: str | None = None) -> ToolCallTicket:
        """Admit and insert a call of a key, which must also have `permission`. Raises NotFiled."""
        now = datetime.now(UTC)
        principal = await self._database.read(lambda tx: api_keys.get_principal(tx, order.key_id, now))
        if principal is None or principal.is_service:
            raise NotFiled("no such API key")
        if permission is not None and permission not in principal.permissions:
            raise NotFiled(f"this API key lacks the permission {permission}")
        try:
            admission = await self._authorizer.admit(
                principal, Channel.TEMPORAL, order.connection_id, order.tool, order.arguments
            )
            call = await self._authorizer.create_call(admission, order.idempotency_key)
        except CREATION_REFUSALS as error:
            raise NotFiled(str(error)) from None
        return ToolCallTicket.of(call)

    async def get_state(self, call_id: str) -> CallState:
        """Return a call's state, for the workflow that filed it. Raises NotFiled."""
        call = await self._database.read(lambda tx: tool_calls.get_call(tx, call_id))
        if call is None:
            raise NotFiled("there is no such call")
        return call.state

    async def decide(self, decision: DecisionToRecord) -> CallState:
        """Save a decision and return the call's state. A call that no longer waits stays as it is.

        Raises NotTheirs.
        """
        now = datetime.now(UTC)

        def write(tx: Transaction) -> CallState:
            call = tool_calls.get_call(tx, decision.call_id)
            if call is None:
                raise NotTheirs("there is no such call")
            self._check_origin(decision, call, now)
            return _decide(tx, call, decision, now, self._observer)

        try:
            return await self._database.write(write)
        except NotTheirs as refusal:
            why = str(refusal)
            await self._database.write(lambda tx: _audit_refused_decision(tx, decision, why, now))
            raise

    def _check_origin(self, decision: DecisionToRecord, call: ToolCall, now: datetime) -> None:
        """Raises NotTheirs unless the decision comes from our API, or from an operator who may decide."""
        if decision.key_id is None:
            if decision.approve and not self._operator_approvals:
                raise NotTheirs(
                    "approvals from the Temporal UI are off (CALMO_OPERATOR_APPROVALS): approve it through"
                    " our API, for example with `calmo-pagerduty tool approve`"
                )
            return
        claims = decision_claims(call.id, call.arguments_sha256, decision.approve, decision.key_id)
        try:
            self._proofs.check(decision.proof, claims, now)
        except InvalidProof as error:
            raise NotTheirs(f"the decision is refused: {error}") from None

    async def start_attempt(self, call_id: str) -> StartedAttempt | CallState:
        """Authorise the call again, and record that a request to PagerDuty is about to be sent.

        Returns the call's state if it must not proceed. Raises NotFiled.
        """
        now = datetime.now(UTC)
        return await self._database.write(lambda tx: _start_attempt(tx, call_id, now, self._observer))

    async def finish(
        self,
        call_id: str,
        state: CallState,
        error: Mapping[str, Any] | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> CallState:
        """Save and audit a call's end, once. Returns the call's state. Raises NotFiled."""
        now = datetime.now(UTC)
        return await self._database.write(
            lambda tx: _finish(tx, call_id, state, now, self._observer, error, result)
        )

    async def refuse_unsent(self, call_id: str, error: Mapping[str, Any]) -> bool:
        """End a call as refused, unless a request may have been sent. Returns True if the call is refused."""
        now = datetime.now(UTC)
        return await self._database.write(lambda tx: _refuse_unsent(tx, call_id, now, self._observer, error))

    async def mark_attempt_without_effect(self, attempt: StartedAttempt) -> None:
        """Record that this attempt changed nothing; no earlier attempt may have had an effect."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> None:
            if tool_calls.mark_attempt_without_effect(tx, attempt.call):
                self._observer.attempt_had_no_effect(tx, attempt.call, now)

        await self._database.write(write)

    async def save_agent(self, call_id: str, agent: Reference) -> None:
        """Save the PagerDuty user that the call's events will name."""
        await self._database.write(lambda tx: self._observer.agent_known(tx, call_id, agent))

    async def mark_read_only(self, connection: Connection) -> None:
        """Mark the connection's account key as read-only: PagerDuty shows that only by refusing a write.

        Source: PagerDuty's documentation, "API Access Keys".
        """
        token_info = connection.facts
        if token_info.of_a_user is False:
            await self._database.write(
                lambda tx: connections.update_token_info(
                    tx, connection, token_info.model_copy(update={"read_only": True})
                )
            )


def _start_attempt(
    tx: Transaction, call_id: str, now: datetime, observer: CallObserver
) -> StartedAttempt | CallState:
    call = tool_calls.lock_call(tx, call_id)
    if call is None:
        raise NotFiled("no such call")
    if call.state is not CallState.RUNNING:
        return call.state
    connection = connections.get_connection(tx, EVERYTHING, call.connection_id)
    judgement = _judge_now(tx, call, connection, now)
    if connection is None or not judgement.allowed:
        error = {"type": "CallRefused", "message": judgement.words, "rule": judgement.rule}
        return _finish(tx, call_id, CallState.REFUSED, now, observer, error)
    repeated = call.first_attempt_at is not None
    if not repeated and (refusal := observer.refusal(tx, call_id)):
        return _finish(tx, call_id, CallState.REFUSED, now, observer, refusal)
    tool_calls.mark_attempt_started(tx, call_id, now)
    agent = observer.attempt_started(tx, call_id, now)
    context = CallContext(
        id=call.id,
        now=now,
        repeated=repeated,
        first_attempt_at=call.first_attempt_at or now,
        from_address=connection.from_address,
        agent_id=agent.id,
    )
    return StartedAttempt(call, connection, context, agent.is_wanted)


def _judge_now(tx: Transaction, call: ToolCall, connection: Connection | None, now: datetime) -> Judgement:
    """Judge by the current rules: an approval may come hours after the request."""
    tool = TOOLS.get(call.tool)
    caller = api_keys.get_principal(tx, call.key_id, now)
    if connection is None or tool is None:
        return Judgement(False, "gone", "the connection or the tool is gone")
    if caller is None or not caller.visibility.admits(connection.scope):
        return Judgement(False, "key", "the API key that asked for it is not valid any more")
    if call.arguments_sha256 != arguments_sha256(call.tool, call.arguments):
        return Judgement(False, "arguments", "the arguments are not those that were asked for")
    if personal_data_of(call) is not None and PERSONAL_READ not in caller.permissions:
        return NO_PERSONAL_DATA
    judgement = judge(
        tool, PrincipalRights(caller.permissions, caller.teams), connection.rules, connection.facts
    )
    if judgement.allowed and judgement.needs_approval and call.approver is None:
        return Judgement(False, "approval", "the connection wants an approval now, and there is none")
    return judgement


def _get_filed(tx: Transaction, order: CallToCreate) -> ToolCall | None:
    if order.connection_id is None:
        return None
    return tool_calls.get_repeated_call(tx, order.connection_id, (order.key_id,), order.idempotency_key)


def _decide(
    tx: Transaction, call: ToolCall, decision: DecisionToRecord, now: datetime, observer: CallObserver
) -> CallState:
    approver = _approver(tx, call, decision, now)
    if decision.arguments_sha256 not in {None, call.arguments_sha256}:
        raise NotTheirs("the approval is for other arguments than these")
    state = CallState.RUNNING if decision.approve else CallState.DENIED
    if tool_calls.mark_decided(tx, call.id, approver, state, now):
        decided = tool_calls.get_call(tx, call.id)
        assert decided is not None
        if state is CallState.DENIED:
            observer.finished(tx, decided, now)
        outcome = "approved" if decision.approve else "denied"
        audit_call(tx, decided, outcome, now, verified=decision.key_id is not None)
        return state
    if call.state is CallState.WAITING:
        raise NotTheirs("it has expired: ask again")
    return call.state


def _audit_refused_decision(tx: Transaction, decision: DecisionToRecord, why: str, now: datetime) -> None:
    """Audit a decision that was refused. Who sent it is not proven: it may lack our proof."""
    call = tool_calls.get_call(tx, decision.call_id)
    if call is not None:
        outcome = "approval refused" if decision.approve else "denial refused"
        audit_call(tx, call, outcome, now, error=why, claimed_key_id=decision.key_id)


def _approver(tx: Transaction, call: ToolCall, decision: DecisionToRecord, now: datetime) -> str:
    """Return the approver's display name. Raises NotTheirs if they may not decide."""
    if decision.key_id is None:
        by = normalize_person(decision.by)
        if not by:
            raise NotTheirs('say who you are: {"by": "name"}')
        name, is_same = f"{by[:100]} (operator, unverified)", _is_requesters_person(tx, call, by)
    else:
        caller = api_keys.get_principal(tx, decision.key_id, now)
        if caller is None or APPROVALS_WRITE not in caller.permissions:
            raise NotTheirs(f"this API key lacks the permission {APPROVALS_WRITE}")
        if not caller.visibility.admits(call.scope):
            raise NotTheirs("there is no such call")
        if caller.person is None:
            raise NotTheirs(
                "only a person decides, and this API key names none: make one with `api-key create --person`"
            )
        is_same = caller.key_id == call.key_id or _is_requesters_person(tx, call, caller.person)
        name = caller.person
        if decision.approve and caller.key_id == call.key_id and call.rule.startswith(UNTRUSTED_RULE):
            raise NotTheirs("an agent's key approves nothing that waits for a person to look at it")
    if decision.approve and is_same and call.scope.kind is ScopeKind.ORGANIZATION:
        raise NotTheirs("nobody approves what they asked for: another person of the organisation must")
    return name


def _is_requesters_person(tx: Transaction, call: ToolCall, person: str) -> bool:
    """Tell whether the person asked for the call, or made the nameless key that did."""
    responsible = api_keys.get_responsible_person(tx, call.key_id)
    return is_same_person(person, call.requester) or is_same_person(person, responsible)


def _finish(
    tx: Transaction,
    call_id: str,
    state: CallState,
    now: datetime,
    observer: CallObserver,
    error: Mapping[str, Any] | None = None,
    result: Mapping[str, Any] | None = None,
) -> CallState:
    if _is_in_doubt(tx, call_id, state):
        state, error = CallState.UNKNOWN, _doubt_document(error or {})
    if tool_calls.mark_call_finished(tx, call_id, state, now, result, error):
        ended = tool_calls.get_call(tx, call_id)
        assert ended is not None
        took = (now - ended.created_at).total_seconds() * 1000
        kind = None if error is None else error.get("type")
        observer.finished(tx, ended, now)
        audit_call(tx, ended, state.value, now, duration_ms=round(took, 1), error=kind)
        return state
    finished_before = tool_calls.get_call(tx, call_id)
    if finished_before is None:
        raise NotFiled("no such call")
    return finished_before.state


def _is_in_doubt(tx: Transaction, call_id: str, state: CallState) -> bool:
    """Return True if `state` says that nothing was done, although an attempt may have taken effect."""
    call = tool_calls.lock_call(tx, call_id)
    if call is None or call.first_attempt_at is None or state in {CallState.DONE, CallState.UNKNOWN}:
        return False
    tool = TOOLS.get(call.tool)
    return tool is None or tool.writes


def _doubt_document(error: Mapping[str, Any]) -> Mapping[str, Any]:
    warning = "an earlier attempt may have taken effect: look in PagerDuty whether it was done"
    return {**error, "message": f"{error['message']}; {warning}" if error.get("message") else warning}


def _refuse_unsent(
    tx: Transaction, call_id: str, now: datetime, observer: CallObserver, error: Mapping[str, Any]
) -> bool:
    call = tool_calls.lock_call(tx, call_id)
    if call is None or call.attempts > 0:
        return False
    return _finish(tx, call_id, CallState.REFUSED, now, observer, error) is CallState.REFUSED
