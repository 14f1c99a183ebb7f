"""Drills as rows."""

from datetime import datetime, timedelta

from calmo_pagerduty.deliveries.drill_keys import KEY_PREFIX
from calmo_pagerduty.escalation.drill import DrillState
from calmo_pagerduty.escalation.drill_store import Drill
from tests.support.builders import new_id


def new_drill(connection_id: str, now: datetime, incident_id: str | None = None) -> Drill:
    """Return a drill that is being watched, on the service of the small snapshot."""
    return Drill(
        id=new_id("drill_"),
        connection_id=connection_id,
        service_id="PSHOP",
        key_id="key",
        state=DrillState.WATCHING,
        incident_key=KEY_PREFIX + new_id(),
        watch_seconds=300,
        asked_at=now,
        incident_id=incident_id,
        opened_at=now,
        deadline_at=now + timedelta(minutes=10),
    )
