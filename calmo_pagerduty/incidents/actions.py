"""What people and agents do to an incident from here: one table of actions, and what becomes of each.

An operation is one action on one issue, under the id of the tool call that carries it out. PagerDuty
tells of it again by webhook: see `domain.echoes`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.kernel.as_of import AsOf
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.event_types import SNOOZED, EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls.model import CallState

ActionArguments = Mapping[str, Any]

#: How the timeline knows what was done from here, and what PagerDuty answered to it.
OPERATION_PREFIX = "op:"
RESULT_PREFIX = "answer:"
#: The error of a call that the incident's state forbids.
ACTION_REFUSED = "ActionRefused"


class OperationState(StrEnum):
    #: Not finished: it waits for a person, for its turn, or for PagerDuty.
    OPEN = "open"
    DONE = "done"
    #: PagerDuty said that it was so already, so nothing was done and no event will tell of it.
    UNCHANGED = "unchanged"
    #: It may have been done; an event of PagerDuty's may still prove that it was.
    UNKNOWN = "unknown"
    NOT_DONE = "not_done"


#: How an operation stands whose call stands so.
STATE_OF_CALL: Mapping[CallState, OperationState] = {
    CallState.WAITING: OperationState.OPEN,
    CallState.RUNNING: OperationState.OPEN,
    CallState.DONE: OperationState.DONE,
    CallState.UNKNOWN: OperationState.UNKNOWN,
    CallState.FAILED: OperationState.NOT_DONE,
    CallState.DENIED: OperationState.NOT_DONE,
    CallState.EXPIRED: OperationState.NOT_DONE,
    CallState.REFUSED: OperationState.NOT_DONE,
}


class ExpectedEvent(FrozenModel):
    """An event that PagerDuty sends of it. `shows`: what the event must say, where it says it at all."""

    event_type: str
    shows: Mapping[str, Any] = {}
    at_most: int = 1


class OwnEvent(FrozenModel):
    """An event of PagerDuty's that told of an operation."""

    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One action on one issue. Times are UTC; `sent_at` is the first attempt's, `last_sent_at` the last's."""

    #: The call's id.
    id: str
    issue_id: str
    action: Action
    #: Who did it, as people know them.
    author: str
    state: OperationState
    #: The first one gives the timeline's entry its type.
    expected: tuple[ExpectedEvent, ...]
    filed_at: datetime
    #: When the incident's workflow took it over.
    accepted_at: datetime | None = None
    #: As whom PagerDuty knows us: the agent of our writes' events. None isn't known.
    agent: Reference | None = None
    sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    answered_at: datetime | None = None
    echoes: tuple[OwnEvent, ...] = ()
    #: Whether the timeline has its entry.
    is_told: bool = False

    @property
    def entry_id(self) -> str:
        return f"{OPERATION_PREFIX}{self.id}"

    @property
    def result_event_id(self) -> str:
        return f"{RESULT_PREFIX}{self.id}"


class InvalidAction(ValueError):
    """There is no such action, or it doesn't take these arguments; the message says so."""


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One row: the tool that does it, with what, when it makes no sense, and what PagerDuty will tell."""

    tool: str
    #: Given the call's arguments and its mark in texts.
    expects: Callable[[ActionArguments, str], tuple[ExpectedEvent, ...]]
    #: The tool's arguments that a caller may give; of `needs` at least one.
    allowed_arguments: tuple[str, ...] = ()
    required_arguments: tuple[str, ...] = ()
    #: What the action itself means, as the tool's arguments.
    fixed_arguments: ActionArguments = field(default_factory=dict)
    #: How the incident must not stand, and why.
    refused_statuses: Mapping[IncidentStatus, str] = field(default_factory=dict)


def _expect(event_type: str) -> Callable[[ActionArguments, str], tuple[ExpectedEvent, ...]]:
    return lambda _given, _mark: (ExpectedEvent(event_type=event_type),)


def _expect_reassigned(given: ActionArguments, _mark: str) -> tuple[ExpectedEvent, ...]:
    assignees = sorted(given["assignee_ids"])
    return (ExpectedEvent(event_type=EventType.REASSIGNED, shows={"assignees": assignees}),)


def _expect_escalated(given: ActionArguments, _mark: str) -> tuple[ExpectedEvent, ...]:
    escalated = ExpectedEvent(event_type=EventType.ESCALATED)
    if policy := given.get("escalation_policy_id"):
        delegated = ExpectedEvent(event_type=EventType.DELEGATED, shows={"escalation_policy": policy})
        return (delegated, escalated) if given.get("escalation_level") else (delegated,)
    return (escalated,)


def _expect_priority(given: ActionArguments, _mark: str) -> tuple[ExpectedEvent, ...]:
    return (ExpectedEvent(event_type=EventType.PRIORITY_UPDATED, shows={"priority": given["priority_id"]}),)


def _expect_note(_given: ActionArguments, mark: str) -> tuple[ExpectedEvent, ...]:
    return (ExpectedEvent(event_type=EventType.ANNOTATED, shows={"mark": mark}),)


def _expect_responders(_given: ActionArguments, mark: str) -> tuple[ExpectedEvent, ...]:
    # One event for each person, and a policy stands for nobody knows how many.
    return (ExpectedEvent(event_type=EventType.RESPONDER_ADDED, shows={"mark": mark}, at_most=100),)


_REFUSED_IF_RESOLVED = {IncidentStatus.RESOLVED: "it is resolved already; reopen it first"}
_NOT_RESOLVED_MESSAGE = "it is not resolved; only a resolved incident is reopened"

ACTIONS: Mapping[Action, ActionRow] = {
    Action.ACKNOWLEDGE: ActionRow(
        "update_incident",
        _expect(EventType.ACKNOWLEDGED),
        fixed_arguments={"status": "acknowledged"},
        refused_statuses={**_REFUSED_IF_RESOLVED, IncidentStatus.ACKNOWLEDGED: "it is acknowledged already"},
    ),
    Action.RESOLVE: ActionRow(
        "resolve_incident",
        _expect(EventType.RESOLVED),
        allowed_arguments=("resolution",),
        refused_statuses={IncidentStatus.RESOLVED: "it is resolved already"},
    ),
    Action.REOPEN: ActionRow(
        "update_incident",
        _expect(EventType.REOPENED),
        fixed_arguments={"status": "triggered", "reopen": True},
        refused_statuses={
            IncidentStatus.TRIGGERED: _NOT_RESOLVED_MESSAGE,
            IncidentStatus.ACKNOWLEDGED: _NOT_RESOLVED_MESSAGE,
        },
    ),
    Action.REASSIGN: ActionRow(
        "update_incident",
        _expect_reassigned,
        allowed_arguments=("assignee_ids",),
        required_arguments=("assignee_ids",),
        refused_statuses=_REFUSED_IF_RESOLVED,
    ),
    Action.ESCALATE: ActionRow(
        "update_incident",
        _expect_escalated,
        allowed_arguments=("escalation_level", "escalation_policy_id"),
        required_arguments=("escalation_level", "escalation_policy_id"),
        refused_statuses=_REFUSED_IF_RESOLVED,
    ),
    Action.SET_PRIORITY: ActionRow(
        "update_incident",
        _expect_priority,
        allowed_arguments=("priority_id",),
        required_arguments=("priority_id",),
    ),
    Action.ADD_NOTE: ActionRow(
        "add_incident_note", _expect_note, allowed_arguments=("content",), required_arguments=("content",)
    ),
    Action.SNOOZE: ActionRow(
        "snooze_incident",
        _expect(SNOOZED),
        allowed_arguments=("seconds",),
        required_arguments=("seconds",),
        refused_statuses={
            **_REFUSED_IF_RESOLVED,
            IncidentStatus.TRIGGERED: "it is not acknowledged; only an acknowledged incident is snoozed",
        },
    ),
    Action.REQUEST_RESPONDERS: ActionRow(
        "request_responders",
        _expect_responders,
        allowed_arguments=("message", "targets"),
        required_arguments=("targets",),
        refused_statuses=_REFUSED_IF_RESOLVED,
    ),
}


def parse_action(name: str) -> Action:
    """Return the action of this name. Raises BadAction."""
    if name not in tuple(Action):
        raise InvalidAction(f"there is no action {name[:60]!r}; there are: {', '.join(Action)}")
    return Action(name)


def tool_arguments(action: Action, incident_id: str, given: ActionArguments) -> dict[str, Any]:
    """Return the arguments of the action's tool. Raises BadAction."""
    row = ACTIONS[action]
    if unknown := sorted(set(given) - set(row.allowed_arguments)):
        known = ", ".join(row.allowed_arguments) or "no arguments"
        raise InvalidAction(f"{str(unknown[0])[:60]}: {action} has no such argument; it takes: {known}")
    if row.required_arguments and all(
        given.get(name) in (None, "", [], ()) for name in row.required_arguments
    ):
        raise InvalidAction(
            f"{row.required_arguments[0]}: {action} needs {' or '.join(row.required_arguments)}"
        )
    return {"incident_id": incident_id, **given, **row.fixed_arguments}


class StatusAsOf(FrozenModel):
    """How an incident stands, as of which event; `status` is a guess until one has shown it."""

    status: IncidentStatus
    as_of: datetime | None = None
    as_of_seq: int = 0

    @property
    def picture_as_of(self) -> AsOf | None:
        return AsOf.of(self.as_of, self.as_of_seq)


def refusal_of(action: Action, *known: StatusAsOf) -> str | None:
    """Return why the action makes no sense for an incident that stands so; None if it does.

    Of several pictures the newest counts. Where none has been seen, PagerDuty must say.
    """
    newest: tuple[AsOf, IncidentStatus] | None = None
    for standing in known:
        register = standing.picture_as_of
        if register is not None and register.is_newer_than(newest and newest[0]):
            newest = register, standing.status
    if newest is None:
        return None
    reason = ACTIONS[action].refused_statuses.get(newest[1])
    return None if reason is None else f"{action} is not possible: {reason}"
