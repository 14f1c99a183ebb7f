"""The synthetic incident of a webhook's end-to-end test. No id of PagerDuty's looks like its id."""

import json
from datetime import datetime

from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.requests import JsonObject

#: PagerDuty's incident ids have at most 14 characters.
SYNTHETIC_PREFIX = "QCALMOTEST"
SYNTHETIC_TITLE = "Test of a webhook by Calmo"


def is_synthetic(ref: IncidentRef) -> bool:
    """Tell whether the incident is one of our self-tests, which PagerDuty does not know."""
    return ref.incident_id.startswith(SYNTHETIC_PREFIX)


def synthetic_event(event_type: EventType, event_id: str, incident_id: str, now: datetime) -> bytes:
    """Return a delivery's body with an event of the synthetic incident, in PagerDuty's form."""
    status = "resolved" if event_type is EventType.RESOLVED else "triggered"
    event: JsonObject = {
        "id": event_id,
        "event_type": str(event_type),
        "resource_type": "incident",
        "occurred_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": None,
        "client": {"name": "Calmo webhook test"},
        "data": {
            "id": incident_id,
            "type": "incident",
            "status": status,
            "created_at": format_iso_utc(now),
            "title": SYNTHETIC_TITLE,
            "service": None,
            "assignees": [],
            "escalation_policy": None,
            "teams": [],
            "priority": None,
            "urgency": "low",
            "resolve_reason": None,
        },
    }
    return json.dumps({"event": event}, separators=(",", ":")).encode()
