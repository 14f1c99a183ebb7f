"""API models of tools, tool calls and the audit. The OpenAPI document is made from them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from calmo_pagerduty.access.audit_store import AuditRow
from calmo_pagerduty.tool_calls.model import CallState, Channel, tool_call_workflow_id
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.arguments import input_schema
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.permissions import Judgement
from ingress.api.calls import IdempotencyKey
from ingress.api.models import Links, Model, Word


class ToolModel(Model):
    """A tool. `allowed`, `why` and `needs_approval` are null unless the query names a connection."""

    name: str
    title: str
    description: str
    category: Category
    access: Access
    risk: Risk
    arguments: dict[str, Any]
    columns: list[list[str]]
    allowed: bool | None = None
    why: str | None = None
    needs_approval: bool | None = None


class ToolListModel(Model):
    tools: list[ToolModel]


class ToolListQuery(Model):
    connection: Word | None = None
    category: Annotated[list[Category], Field(default_factory=list)]


class ToolCallBody(Model):
    """A tool call. If it takes longer than `wait_seconds`, the answer is an open call with its `call_id`."""

    connection: Word | None = None
    arguments: Mapping[str, Any] = {}
    idempotency_key: IdempotencyKey | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0


class OrderBody(Model):
    """A call to be ordered through Temporal. All orders with the same `idempotency_key` are one call."""

    connection: Word | None = None
    arguments: Mapping[str, Any] = {}
    idempotency_key: IdempotencyKey


class OrderModel(Model):
    """The field `order` of a ToolCallWorkflow's input, unchanged: `proof` is for exactly this order."""

    key_id: str
    connection_id: str
    tool: str
    arguments: dict[str, Any]
    idempotency_key: str
    proof: str


class SignedOrderModel(Model):
    """The input of a ToolCallWorkflow is `{"order": …}`. It must begin before `expires_at` (UTC)."""

    order: OrderModel
    expires_at: datetime


class ToolCallModel(Model):
    """The state of a tool call. Without `call_id` it was a read that was answered at once."""

    state: CallState
    tool: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    call_id: str | None = None
    connection_id: str | None = None
    face: Channel | None = None
    requester: str | None = None
    arguments: dict[str, Any] | None = None
    arguments_sha256: str | None = None
    rule: str | None = None
    needs_approval: bool | None = None
    approver: str | None = None
    attempts: int | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    decided_at: datetime | None = None
    finished_at: datetime | None = None
    workflow_id: str | None = None
    workflow_url: str | None = None


class ToolCallListModel(Model):
    calls: list[ToolCallModel]


class ToolCallListQuery(Model):
    state: Annotated[list[CallState], Field(default_factory=list)]
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class DecisionBody(Model):
    """If `arguments_sha256` differs from the call's, the decision is refused: it was for other arguments."""

    arguments_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class AuditQuery(Model):
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    before: Annotated[int, Field(ge=1, le=2**62)] | None = None


class VerificationQuery(Model):
    """`head` is a last hash that was noted earlier. The chain must still contain it."""

    head: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class AuditRowModel(Model):
    """A row of the audit: who called which tool through which channel, the decision and the outcome."""

    seq: int
    at: datetime
    scope: str
    hash: str
    record: dict[str, Any]


class AuditPageModel(Model):
    rows: list[AuditRowModel]


class VerificationModel(Model):
    """The result of a verification. `head` is the last hash. Note it elsewhere to compare it later.

    `sealed_rows` were older than the retention of ids and are gone; sealed segments stand for them.
    Of `rows`, `signed_rows` are signed with a key that is not in the database, from row `signed_from` on.
    """

    whole: bool
    rows: int
    head: str
    broken: str | None
    sealed_rows: int
    signed_rows: int
    signed_from: int | None


def tool_model(tool: Tool, judgement: Judgement | None) -> ToolModel:
    return ToolModel.from_row(
        tool,
        arguments=input_schema(tool),
        columns=[[column.title, column.path] for column in tool.columns],
        allowed=None if judgement is None else judgement.allowed,
        why=None if judgement is None else judgement.words,
        needs_approval=None if judgement is None else judgement.needs_approval,
    )


def call_model(call: ToolCall, links: Links) -> ToolCallModel:
    """Return the answer about a tool call."""
    workflow_id = tool_call_workflow_id(call.connection_id, call.id)
    return ToolCallModel.from_row(
        call, call_id=call.id, workflow_id=workflow_id, workflow_url=links.workflow(workflow_id)
    )


def audit_row_model(row: AuditRow) -> AuditRowModel:
    return AuditRowModel.from_row(row)
