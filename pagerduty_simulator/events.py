"""One event of the account, serialised once so that sending it costs little."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.references import JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its serialised body, and the fields that subscriptions filter on."""

    id: str
    event_type: EventType
    occurred_at: datetime
    incident_id: str | None
    service_id: str | None
    team_ids: tuple[str, ...]
    body: bytes = field(repr=False)

    def payload(self) -> JsonObject:
        """Parse the body again."""
        payload: JsonObject = json.loads(self.body)
        return payload
