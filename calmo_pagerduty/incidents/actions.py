"""What people and agents do to an incident from here: one table of actions, and what becomes of each.

An operation is one action on one issue, under the id of the tool call that carries it out. PagerDuty
tells of it again by webhook: see `domain.echoes`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from calmo_pagerduty.kernel.as_of import AsOf
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.event_types import SNOOZED, EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls.model import CallState

Given = Mapping[str, Any]

#: How the timeline knows what was done from here, and what PagerDuty answered to it.
OPERATION = "op:"
ANSWER = "answer:"
#: The error of a call that the incident's state forbids.
ACTION_REFUSED = "ActionRefused"


class Action(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    REASSIGN = "reassign"
    ESCALATE = "escalate"
    SET_PRIORITY = "set_priority"
    ADD_NOTE = "add_note"
    SNOOZE = "snooze"
    REQUEST_RESPONDERS = "request_responders"


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


class Expectation(FrozenModel):
    """An event that PagerDuty sends of it. `shows`: what the event must say, where it says it at all."""

    event_type: str
    shows: Mapping[str, Any] = {}
    at_most: int = 1


class Echo(FrozenModel):
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
    expected: tuple[Expectation, ...]
    filed_at: datetime
    #: When the incident's workflow took it over.
    accepted_at: datetime | None = None
    #: As whom PagerDuty knows us: the agent of our writes' events. None isn't known.
    agent: Reference | None = None
    sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    answered_at: datetime | None = None
    echoes: tuple[Echo, ...] = ()
    #: Whether the timeline has its entry.
    is_told: bool = False

    @property
    def entry_id(self) -> str:
        return f"{OPERATION}{self.id}"

    @property
    def answer_id(self) -> str:
        return f"{ANSWER}{self.id}"


class BadAction(ValueError):
    """There is no such action, or it doesn't take these arguments; the message says so."""


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One row: the tool that does it, with what, when it makes no sense, and what PagerDuty will tell."""

    tool: str
    #: Given the call's arguments and its mark in texts.
    expects: Callable[[Given, str], tuple[Expectation, ...]]
    #: The tool's arguments that a caller may give; of `needs` at least one.
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    #: What the action itself means, as the tool's arguments.
    means: Given = field(default_factory=dict)
    #: How the incident must not stand, and why.
    refuses: Mapping[IncidentStatus, str] = field(default_factory=dict)


def _event(event_type: str) -> Callable[[Given, str], tuple[Expectation, ...]]:
    return lambda _given, _mark: (Expectation(event_type=event_type),)


def _reassigned(given: Given, _mark: str) -> tuple[Expectation, ...]:
    assignees = sorted(given["assignee_ids"])
    return (Expectation(event_type=EventType.REASSIGNED, shows={"assignees": assignees}),)


def _escalated(given: Given, _mark: str) -> tuple[Expectation, ...]:
    escalated = Expectation(event_type=EventType.ESCALATED)
    if policy := given.get("escalation_policy_id"):
        delegated = Expectation(event_type=EventType.DELEGATED, shows={"escalation_policy": policy})
        return (delegated, escalated) if given.get("escalation_level") else (delegated,)
    return (escalated,)


def _prioritised(given: Given, _mark: str) -> tuple[Expectation, ...]:
    return (Expectation(event_type=EventType.PRIORITY_UPDATED, shows={"priority": given["priority_id"]}),)


def _annotated(_given: Given, mark: str) -> tuple[Expectation, ...]:
    return (Expectation(event_type=EventType.ANNOTATED, shows={"mark": mark}),)


def _responders_added(_given: Given, mark: str) -> tuple[Expectation, ...]:
    # One event for each person, and a policy stands for nobody knows how many.
    return (Expectation(event_type=EventType.RESPONDER_ADDED, shows={"mark": mark}, at_most=100),)


_RESOLVED = {IncidentStatus.RESOLVED: "it is resolved already; reopen it first"}
_NOT_RESOLVED = "it is not resolved; only a resolved incident is reopened"

ACTIONS: Mapping[Action, ActionRow] = {
    Action.ACKNOWLEDGE: ActionRow(
        "update_incident", _event(EventType.ACKNOWLEDGED), means={"status": "acknowledged"},
        refuses={**_RESOLVED, IncidentStatus.ACKNOWLEDGED: "it is acknowledged already"},
    ),
    Action.RESOLVE: ActionRow(
        "resolve_incident", _event(EventType.RESOLVED), takes=("resolution",),
        refuses={IncidentStatus.RESOLVED: "it is resolved already"},
    ),
    Action.REOPEN: ActionRow(
        "update_incident", _event(EventType.REOPENED), means={"status": "triggered", "reopen": True},
        refuses={IncidentStatus.TRIGGERED: _NOT_RESOLVED, IncidentStatus.ACKNOWLEDGED: _NOT_RESOLVED},
    ),
    Action.REASSIGN: ActionRow(
        "update_incident", _reassigned, takes=("assignee_ids",), needs=("assignee_ids",), refuses=_RESOLVED,
    ),
    Action.ESCALATE: ActionRow(
        "update_incident", _escalated, takes=("escalation_level", "escalation_policy_id"),
        needs=("escalation_level", "escalation_policy_id"), refuses=_RESOLVED,
    ),
    Action.SET_PRIORITY: ActionRow(
        "update_incident", _prioritised, takes=("priority_id",), needs=("priority_id",),
    ),
    Action.ADD_NOTE: ActionRow("add_incident_note", _annotated, takes=("content",), needs=("content",)),
    Action.SNOOZE: ActionRow(
        "snooze_incident", _event(SNOOZED), takes=("seconds",), needs=("seconds",),
        refuses={
            **_RESOLVED,
            IncidentStatus.TRIGGERED: "it is not acknowledged; only an acknowledged incident is snoozed",
        },
    ),
    Action.REQUEST_RESPONDERS: ActionRow(
        "request_responders", _responders_added, takes=("message", "targets"), needs=("targets",),
        refuses=_RESOLVED,
    ),
}  # fmt: skip


def action_of(name: str) -> Action:
    """Return the action of this name. Raises BadAction."""
    if name not in tuple(Action):
        raise BadAction(f"there is no action {name[:60]!r}; there are: {', '.join(Action)}")
    return Action(name)


def tool_arguments(action: Action, incident_id: str, given: Given) -> dict[str, Any]:
    """Return the arguments of the action's tool. Raises BadAction."""
    row = ACTIONS[action]
    if unknown := sorted(set(given) - set(row.takes)):
        known = ", ".join(row.takes) or "no arguments"
        raise BadAction(f"{str(unknown[0])[:60]}: {action} has no such argument; it takes: {known}")
    if row.needs and all(given.get(name) in (None, "", [], ()) for name in row.needs):
        raise BadAction(f"{row.needs[0]}: {action} needs {' or '.join(row.needs)}")
    return {"incident_id": incident_id, **given, **row.means}


class Standing(FrozenModel):
    """How an incident stands, as of which event; `status` is a guess until one has shown it."""

    status: IncidentStatus
    as_of: datetime | None = None
    as_of_seq: int = 0

    @property
    def picture_as_of(self) -> AsOf | None:
        return AsOf.of(self.as_of, self.as_of_seq)


def refusal_of(action: Action, *known: Standing) -> str | None:
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
    reason = ACTIONS[action].refuses.get(newest[1])
    return None if reason is None else f"{action} is not possible: {reason}"
