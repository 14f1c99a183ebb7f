"""Named scenarios as data, and how to play them on an account, in time or at once."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.account_state import OperationRefused
from pagerduty_simulator.clocks import Clock, ManualClock
from pagerduty_simulator.events import Event
from pagerduty_simulator.resources import Incident
from pagerduty_simulator.shop import online_shop


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the account, `at_seconds` after the scenario's start.

    `incident` is the scenario's name for an incident; empty for an operation without one. Arguments
    name people, services, policies and priorities; "latest" is the incident's latest task or action
    invocation.
    """

    at_seconds: float
    incident: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: its steps in the order of time."""

    name: str
    steps: tuple[Step, ...]

    @property
    def length(self) -> timedelta:
        """The duration at speed 1."""
        return timedelta(seconds=self.steps[-1].at_seconds)


class Stage:
    """An account on which a scenario runs, with the ids of the scenario's incidents."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._incident_ids: dict[str, str] = {}

    def perform(self, step: Step) -> tuple[Event, ...]:
        """Carry out one step and return its events."""
        operation: Callable[..., tuple[Event, ...]] = getattr(self.account, step.operation)
        if step.operation == "trigger":
            events = operation(**self._arguments(step))
            incident_id = events[0].incident_id
            self._incident_ids[step.incident] = str(incident_id)
            return events
        if not step.incident:
            return operation(**self._arguments(step))
        return operation(self._incident_ids[step.incident], **self._arguments(step))

    def _arguments(self, step: Step) -> dict[str, Any]:
        return {
            name: None if value is None else self._resolve(step.incident, name, value)
            for name, value in step.arguments.items()
        }

    def _resolve(self, incident: str, argument: str, value: Any) -> Any:
        """Turn a name into the id that the operation needs. Raises KeyError for an unknown name."""
        if argument in _OBJECTS_BY_ARGUMENT:
            return _id_by_name(_OBJECTS_BY_ARGUMENT[argument](self.account), value)
        if argument == "assignee_ids":
            return tuple(_id_by_name(self.account.users, name) for name in value)
        if argument == "into_incident_id":
            return self._incident_ids[value]
        if argument in _LATEST_OF_INCIDENT:
            now = self.account.incident(self._incident_ids[incident])
            return _LATEST_OF_INCIDENT[argument](now)
        return value


# Arguments that are ids of the account's objects, given by name.
_OBJECTS_BY_ARGUMENT: Final[Mapping[str, Callable[[Account], Mapping[str, Any]]]] = {
    "by": lambda account: account.users,
    "user_id": lambda account: account.users,
    "service_id": lambda account: account.services,
    "escalation_policy_id": lambda account: account.escalation_policies,
    "priority_id": lambda account: account.priorities,
}

# Arguments that are ids made by an earlier step, given as "latest".
_LATEST_OF_INCIDENT: Final[Mapping[str, Callable[[Incident], str]]] = {
    "task_id": lambda incident: incident.tasks[-1].id,
    "invocation_id": lambda incident: incident.action_invocations[-1].id,
}


def _id_by_name(named: Mapping[str, Any], name: str) -> str:
    for object_id, candidate in named.items():
        if candidate.name == name:
            return object_id
    raise KeyError(name)


async def play(
    scenario: Scenario,
    account: Account,
    publish: Callable[[tuple[Event, ...]], None],
    clock: Clock,
) -> None:
    """Play the scenario in the clock's time, and publish each step's events as they happen.

    Others may act on its incidents meanwhile. If the account then refuses a step, such as resolving a
    resolved incident, the step is skipped.
    """
    stage, begun_at = Stage(account), clock.now()
    for step in scenario.steps:
        due = begun_at + timedelta(seconds=step.at_seconds)
        await clock.sleep(due - clock.now())
        publish(account.run_due_steps())
        with contextlib.suppress(OperationRefused):
            publish(stage.perform(step))


def events_of(scenario: Scenario, *, seed: int, begins_at: datetime) -> tuple[Event, ...]:
    """Return all events of the scenario without waiting; the same arguments give the same events."""
    clock = ManualClock(begins_at)
    stage = Stage(online_shop(now=clock.now, seed=seed))
    events: tuple[Event, ...] = ()
    for step in scenario.steps:
        clock.advance(begins_at + timedelta(seconds=step.at_seconds) - clock.now())
        events += stage.perform(step)
    return events


def in_order(*steps: Step) -> tuple[Step, ...]:
    """Return the steps of several incidents, sorted by time."""
    return tuple(sorted(steps, key=lambda step: step.at_seconds))
