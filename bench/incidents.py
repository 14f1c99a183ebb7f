"""Generate incidents with realistic webhook payloads of 2 to 4 KB."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pagerduty_simulator.events import Event
from pagerduty_simulator.shop import online_shop

_TITLE = "One order in five fails at the payment step; " * 9
_NOTE = "Rolled back the release of this morning; errors are falling, queues are still long. " * 12


class Incident(NamedTuple):
    id: str
    events: tuple[Event, ...]


class IncidentGenerator:
    """Generates incidents of one account; generators with different seeds never share an id."""

    def __init__(self, seed: int) -> None:
        self._account = online_shop(now=lambda: datetime.now(UTC), seed=seed)
        self._chance = random.Random(seed)
        self._services = list(self._account.services)
        self._people = list(self._account.users)
        self._priorities = list(self._account.priorities)

    def incidents(self, count: int) -> list[Incident]:
        """Return incidents of four events: triggered, acknowledged, annotated, resolved."""
        return [self._full_lifecycle() for _ in range(count)]

    def triggered(self, count: int) -> list[Incident]:
        """Return incidents of one event: triggered."""
        return [Incident(*self._trigger()) for _ in range(count)]

    def acknowledged(self, incidents: Sequence[Incident]) -> list[Event]:
        """Return one further event of each incident."""
        return [
            event
            for incident in incidents
            for event in self._account.acknowledge(incident.id, by=self._user_id())
        ]

    def annotated(self, incident: Incident) -> Event:
        (event,) = self._account.annotate(incident.id, _NOTE, by=self._user_id())
        return event

    def _full_lifecycle(self) -> Incident:
        incident_id, events = self._trigger()
        account = self._account
        events += account.acknowledge(incident_id, by=self._user_id())
        events += account.annotate(incident_id, _NOTE, by=self._user_id())
        events += account.resolve(incident_id, by=self._user_id())
        return Incident(incident_id, events)

    def _trigger(self) -> tuple[str, tuple[Event, ...]]:
        events = self._account.trigger(
            self._chance.choice(self._services),
            _TITLE,
            priority_id=self._chance.choice(self._priorities),
            assignee_ids=tuple(self._people[:4]),
        )
        return str(events[0].incident_id), events

    def _user_id(self) -> str:
        return self._chance.choice(self._people)


def interleaved(incidents: Sequence[Incident], together: int) -> list[Event]:
    """Return the events of `together` incidents at a time in turn: an incident's next event comes `together`
    events after its last.
    """
    ordered = []
    for start in range(0, len(incidents), together):
        group = incidents[start : start + together]
        ordered += [
            event for turn in zip(*(incident.events for incident in group), strict=True) for event in turn
        ]
    return ordered
