"""API models of actions and operations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import Operation, OperationState
from ingress.api.calls import IdempotencyKey
from ingress.api.models import Links, Model, Word
from ingress.incidents.action_service import ActionStatus
from ingress.tools.models import ToolCallModel, call_model


class ActionBody(Model):
    """An action. If it takes longer than `wait_seconds`, the answer is an open call with its `call_id`."""

    action: Word
    arguments: Mapping[str, Any] = {}
    idempotency_key: IdempotencyKey | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0


class ActionModel(ToolCallModel):
    """The state of an action, with the tool call that carries it out and its author."""

    issue_id: str
    action: Action
    author: str
    outcome: OperationState


class OperationModel(Model):
    """An operation on an issue. `confirmed_by` lists the ids of the own events that it caused."""

    call_id: str
    action: Action
    author: str
    outcome: OperationState
    filed_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    confirmed_by: list[str]


class OperationListModel(Model):
    operations: list[OperationModel]


class OperationListQuery(Model):
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def action_model(answer: ActionStatus, links: Links) -> ActionModel:
    """Return the answer about an operation."""
    operation = answer.operation
    return ActionModel.from_row(
        call_model(answer.call, links),
        issue_id=operation.issue_id,
        action=operation.action,
        author=operation.author,
        outcome=operation.state,
    )


def operation_model(operation: Operation) -> OperationModel:
    return OperationModel.from_row(
        operation,
        call_id=operation.id,
        outcome=operation.state,
        confirmed_by=[event.event_id for event in operation.echoes],
    )
