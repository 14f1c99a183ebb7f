"""Compute the final state that a receiver must reach, as simply as possible.

Tests compare a receiver's state with it. It is deliberately independent: it uses only the sent bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pagerduty_simulator.events import Event


@dataclass(frozen=True, slots=True)
class ExpectedIncident:
    """The final state; status and priority are None if no event describes the whole incident."""

    status: str | None
    priority: str | None
    event_ids: frozenset[str]


def expected_state(events: Iterable[Event]) -> dict[str, ExpectedIncident]:
    """Fold events in any order, duplicates included, into each incident's final state.

    Status and priority come from the newest event, by occurred_at, that describes the whole incident; of
    the others only the ids count.
    """
    by_incident: dict[str, dict[str, dict[str, Any]]] = {}
    for event in events:
        envelope = event.payload()["event"]
        for incident_id in _incident_ids(envelope["data"]):
            by_incident.setdefault(incident_id, {})[envelope["id"]] = envelope
    return {incident_id: _end(by_id) for incident_id, by_id in by_incident.items()}


def _incident_ids(data: dict[str, Any]) -> set[str]:
    if data["type"] == "incident":
        return {data["id"]}
    if data["type"] == "incident_role_assignment":
        return {assignment["incident"]["id"] for assignment in data["incident_role_assignments"]}
    return {data["incident"]["id"]} if "incident" in data else set()


def _end(by_id: dict[str, dict[str, Any]]) -> ExpectedIncident:
    whole = [event for event in by_id.values() if event["data"]["type"] == "incident"]
    if not whole:
        return ExpectedIncident(None, None, frozenset(by_id))
    # All times have the same form (UTC, milliseconds, Z), so their texts sort by time.
    newest = max(whole, key=lambda event: str(event["occurred_at"]))["data"]
    priority = newest["priority"]
    return ExpectedIncident(
        newest["status"], None if priority is None else priority["summary"], frozenset(by_id)
    )
