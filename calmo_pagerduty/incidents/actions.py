"""The actions that people and agents may take on an incident, in one table, and the operations they become.

An operation is one action on one issue. It has the id of the tool call that carries it out. PagerDuty also
reports it by webhook: see `incidents.attribution`.
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

#: Prefixes of the event ids of an operation's entry, and of the event derived from its result.
OPERATION_PREFIX = "op:"
RESULT_PREFIX = "answer:"
#: The error type of a call that the incident's status rules out.
ACTION_REFUSED = "ActionRefused"


class OperationState(StrEnum):
    """How an action on an incident stands."""

    #: Not finished: it waits for a person, for a permit, or for PagerDuty.
    OPEN = "open"
    DONE = "done"
    #: The incident was in this state already: nothing was done, and PagerDuty sends no event.
    UNCHANGED = "unchanged"
    #: It may have been done; an event from PagerDuty may still prove it.
    UNKNOWN = "unknown"
    NOT_DONE = "not_done"


#: The operation's state for each state of its call.
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
    """An event that PagerDuty sends for an operation. `shows` gives values of the fields that an event must
    have, if it has the field at all. `at_most` is the number of such events.
    """

    event_type: str
    shows: Mapping[str, Any] = {}
    at_most: int = 1


class OwnEvent(FrozenModel):
    """An event from PagerDuty that an operation caused."""

    event_id: str
    event_type: str


class FormerValues(FrozenModel):
    """What an operation replaced on the incident, as the issue showed it when the operation was filed."""

    assignee_ids: tuple[str, ...] = ()
    #: The priority's name; None if there was none.
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One action on one issue. Times are UTC; `sent_at` is the first attempt's, `last_sent_at` the last's."""

    #: The tool call's id.
    id: str
    issue_id: str
    action: Action
    #: The display name of the person or program that acts.
    author: str
    state: OperationState
    #: The timeline's entry has the type of the first expected event.
    expected: tuple[ExpectedEvent, ...]
    filed_at: datetime
    #: When the incident's workflow accepted it.
    accepted_at: datetime | None = None
    #: The PagerDuty user our token acts as, whom own events name as their agent; None if unknown.
    agent: Reference | None = None
    sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    answered_at: datetime | None = None
    #: Its own events so far.
    echoes: tuple[OwnEvent, ...] = ()
    #: True if the timeline has the operation's entry.
    is_told: bool = False
    #: None if the action replaces nothing that can come back.
    former: FormerValues | None = None

    @property
    def entry_id(self) -> str:
        """The id of the action's entry on the timeline."""
        return f"{OPERATION_PREFIX}{self.id}"

    @property
    def result_event_id(self) -> str:
        """The id of the event that tells the workflow of the action's result."""
        return f"{RESULT_PREFIX}{self.id}"


class InvalidAction(ValueError):
    """The action doesn't exist, or it doesn't take these arguments; the message says which."""


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One row: the action's tool and arguments, the events to expect, and the statuses that rule it out."""

    tool: str
    #: Takes the call's arguments and the marker that the call puts into texts.
    expects: Callable[[ActionArguments, str], tuple[ExpectedEvent, ...]]
    #: The tool's arguments that a caller may give; at least one of `required_arguments` must be given.
    allowed_arguments: tuple[str, ...] = ()
    required_arguments: tuple[str, ...] = ()
    #: The tool's arguments that the action itself sets.
    fixed_arguments: ActionArguments = field(default_factory=dict)
    #: The statuses that rule the action out, each with the reason.
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
    priority = given.get("priority_id")
    shows = {} if priority is None else {"priority": priority}
    return (ExpectedEvent(event_type=EventType.PRIORITY_UPDATED, shows=shows),)


def _expect_note(_given: ActionArguments, mark: str) -> tuple[ExpectedEvent, ...]:
    return (ExpectedEvent(event_type=EventType.ANNOTATED, shows={"mark": mark}),)


def _expect_responders(_given: ActionArguments, mark: str) -> tuple[ExpectedEvent, ...]:
    # PagerDuty sends an event for each person, and an escalation policy may include any number of them.
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
        allowed_arguments=("assignee_ids", "expected_assignee_ids"),
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
        allowed_arguments=("priority_id", "priority_name", "expected_priority_id"),
        required_arguments=("priority_id", "priority_name"),
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
    """Return the action of this name. Raises InvalidAction."""
    if name not in tuple(Action):
        raise InvalidAction(f"there is no action {name[:60]!r}; there are: {', '.join(Action)}")
    return Action(name)


def tool_arguments(action: Action, incident_id: str, given: ActionArguments) -> dict[str, Any]:
    """Return the arguments of the action's tool. Raises InvalidAction."""
    row = ACTIONS[action]
    if unknown := sorted(set(given) - set(row.allowed_arguments)):
        allowed = ", ".join(row.allowed_arguments) or "no arguments"
        raise InvalidAction(f"{str(unknown[0])[:60]}: {action} has no such argument; it takes: {allowed}")
    if row.required_arguments and all(
        given.get(name) in (None, "", [], ()) for name in row.required_arguments
    ):
        raise InvalidAction(
            f"{row.required_arguments[0]}: {action} needs {' or '.join(row.required_arguments)}"
        )
    return {"incident_id": incident_id, **given, **row.fixed_arguments}


class StatusAsOf(FrozenModel):
    """An incident's status and the event it comes from, in UTC. Without `as_of`, `status` is a guess."""

    status: IncidentStatus
    as_of: datetime | None = None
    as_of_seq: int = 0

    @property
    def picture_as_of(self) -> AsOf | None:
        """The event that the status comes from; None if no event has shown it yet."""
        return AsOf.of(self.as_of, self.as_of_seq)


def refusal_of(action: Action, *statuses: StatusAsOf) -> str | None:
    """Return why the incident's status rules the action out; None if it doesn't.

    The newest status counts. If no event has shown the status yet, the action is allowed: PagerDuty decides.
    """
    newest: tuple[AsOf, IncidentStatus] | None = None
    for status in statuses:
        as_of = status.picture_as_of
        if as_of is not None and as_of.is_newer_than(newest and newest[0]):
            newest = as_of, status.status
    if newest is None:
        return None
    reason = ACTIONS[action].refused_statuses.get(newest[1])
    return None if reason is None else f"{action} is not possible: {reason}"
