"""Translates between rows and the models of workload."""

from typing import Any

from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.webhook_events import UnreadableBody, parse_event
from calmo_pagerduty.snapshots.model import Urgency
from calmo_pagerduty.workload.cover_requests import CoverReason, CoverRequest, CoverState
from calmo_pagerduty.workload.told_pages import BEGINS, ENDS, ToldEvent

_URGENCIES = {str(urgency): urgency for urgency in Urgency}
_LISTS = ("candidates", "asked", "declined")


def request_values(request: CoverRequest) -> dict[str, Any]:
    """Return a request's columns."""
    values = {name: getattr(request, name) for name in request.__slots__}
    return values | {name: list(values[name]) for name in _LISTS} | {"evidence": dict(request.evidence)}


def request_from_row(row: Any) -> CoverRequest:
    values = {name: getattr(row, name) for name in CoverRequest.__slots__}
    return CoverRequest(
        **values
        | {name: tuple(values[name]) for name in _LISTS}
        | {"reason": CoverReason(values["reason"]), "state": CoverState(values["state"])}
    )


def told_event(body: bytes) -> ToldEvent | None:
    """Return what a delivery's body tells of an incident's pages; None if it tells nothing."""
    event = parse_event(body)
    if isinstance(event, UnreadableBody) or event.snapshot is None:
        return None
    if event.incident_id is None or event.occurred_at is None or event.event_type not in BEGINS | ENDS:
        return None
    policy = event.snapshot.escalation_policy
    return ToldEvent(
        event_id=event.event_id,
        incident_id=event.incident_id,
        event_type=EventType(event.event_type),
        at=int(event.occurred_at.timestamp()),
        assignee_ids=tuple(person.id for person in event.snapshot.assignees),
        urgency=_URGENCIES.get(event.snapshot.urgency or ""),
        policy_id=None if policy is None else policy.id,
    )
