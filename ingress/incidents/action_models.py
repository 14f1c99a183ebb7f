"""Actions on issues as the API shows them."""

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
    """An action. `wait_seconds`: what takes longer is answered by a ticket, its `call_id`."""

    action: Word
    arguments: Mapping[str, Any] = {}
    idempotency_key: IdempotencyKey | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0


class ActionModel(ToolCallModel):
    """How an action stands: the call that carries it out, what it is and whose."""

    issue_id: str
    action: Action
    author: str
    outcome: OperationState


class OperationModel(Model):
    """What was done to an issue from here. `confirmed_by`: the events of PagerDuty's that told of it."""

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
        confirmed_by=[echo.event_id for echo in operation.echoes],
    )
