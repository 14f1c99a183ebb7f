"""What a receiver must have come to in the end, computed as naively as possible.

Deliberately independent: it knows nothing but the bytes that were sent, and no clever fold. A
test compares a receiver's state with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pagerduty_simulator.events import Event


@dataclass(frozen=True, slots=True)
class ExpectedIncident:
    """The end state; status and priority are None as long as no event told the whole incident."""

    status: str | None
    priority: str | None
    event_ids: frozenset[str]


def expected_state(events: Iterable[Event]) -> dict[str, ExpectedIncident]:
    """Fold events in any order, duplicates included, into each incident's end state.

    The newest event that describes the whole incident, by occurred_at, tells its status and
    priority; notes and the like are only counted.
    """
    by_incident: dict[str, dict[str, dict[str, Any]]] = {}
    for event in events:
        envelope = event.payload()["event"]
        for incident_id in _incident_ids(envelope["data"]):
            by_incident.setdefault(incident_id, {})[envelope["id"]] = envelope
    return {incident_id: _end(seen) for incident_id, seen in by_incident.items()}


def _incident_ids(data: dict[str, Any]) -> set[str]:
    if data["type"] == "incident":
        return {data["id"]}
    if data["type"] == "incident_role_assignment":
        return {assignment["incident"]["id"] for assignment in data["incident_role_assignments"]}
    return {data["incident"]["id"]} if "incident" in data else set()


def _end(seen: dict[str, dict[str, Any]]) -> ExpectedIncident:
    told = [event for event in seen.values() if event["data"]["type"] == "incident"]
    if not told:
        return ExpectedIncident(None, None, frozenset(seen))
    # All moments have one form (UTC, milliseconds, Z), so their text sorts as they do.
    newest = max(told, key=lambda event: str(event["occurred_at"]))["data"]
    priority = newest["priority"]
    return ExpectedIncident(
        newest["status"], None if priority is None else priority["summary"], frozenset(seen)
    )
