"""Makes the event facts, which travel to the incident's workflow, from a parsed event."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from calmo_pagerduty.deliveries.model import STALE_AFTER
from calmo_pagerduty.pagerduty.event_types import EVENT_TYPES, EventType, IssueAction, rule_of
from calmo_pagerduty.pagerduty.webhook_events import (
    WebhookEvent,
    parse_number,
    parse_priority,
    parse_reference_id,
    reference_items,
)

#: A sender's clock may be this far ahead of ours. Later times are not believed: such an event would hide
#: all that follows.
MAX_AHEAD = timedelta(minutes=5)
#: What travels in a signal is bounded: PagerDuty's ids are short, and an incident has few teams.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_TEAMS = 25


def is_stale(event: WebhookEvent, received_at: datetime) -> bool:
    """Tell whether PagerDuty would have given the event up long ago: it is a replay."""
    return event.occurred_at is not None and received_at - event.occurred_at > STALE_AFTER


def is_about_an_incident(event: WebhookEvent) -> bool:
    """Tell whether the event goes to an incident's workflow. Only the delivery log has other events."""
    return event.incident_id is not None and rule_of(event.event_type).action is not IssueAction.NONE


def is_ping(event: WebhookEvent) -> bool:
    """Tell whether PagerDuty only tests the webhook."""
    return event.event_type == EventType.PING


def is_unknown_type(event: WebhookEvent) -> bool:
    """Tell whether PagerDuty has added the event's type since this version."""
    return event.event_type not in EVENT_TYPES


def facts_json(event: WebhookEvent, received_at: datetime, stale: bool = False) -> str:
    """Return the event facts as JSON, without `seq`, which the inbox assigns. Times are UTC.

    An event without a valid time gets the time of its arrival, and one that is `stale` shows no incident:
    it joins the timeline and changes nothing else, because much may have happened since.
    """
    occurred_at = min(event.occurred_at or received_at, received_at + MAX_AHEAD)
    facts: dict[str, object] = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "occurred_at": occurred_at.isoformat(),
    }
    incident = event.data
    if event.shows_incident and not stale:
        facts |= {
            "shows_incident": True,
            "status": event.status,
            "priority": parse_priority(incident),
            "service_id": next(_ids([incident.get("service")]), None),
            "team_ids": list(islice(_ids(reference_items(incident.get("teams"))), MAX_TEAMS)),
            "number": parse_number(incident),
        }
    return json.dumps(facts, separators=(",", ":"))


def _ids(references: Iterable[object]) -> Iterator[str]:
    found = (parse_reference_id(reference) for reference in references)
    return (identity for identity in found if identity and _ID.fullmatch(identity))
