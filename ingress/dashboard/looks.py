"""How severities and statuses look: a word, a shape and a colour, so that nobody needs the colour.

`shape` is a symbol of `templates/shapes.html`; `tone` is a class of `static/app.css`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.pagerduty.event_types import IncidentStatus


class Look(NamedTuple):
    """How a value looks."""

    word: str
    shape: str
    tone: str


LOOK_OF_SEVERITY: Mapping[Severity, Look] = {
    Severity.CRITICAL: Look("Critical", "octagon", "bad"),
    Severity.WARNING: Look("Warning", "triangle", "warn"),
    Severity.MEDIUM: Look("Medium", "diamond", "warn"),
    Severity.INFO: Look("Info", "circle", "info"),
}

LOOK_OF_STATUS: Mapping[IncidentStatus, Look] = {
    IncidentStatus.TRIGGERED: Look("Triggered", "bell", "bad"),
    IncidentStatus.ACKNOWLEDGED: Look("Acknowledged", "eye", "info"),
    IncidentStatus.RESOLVED: Look("Resolved", "check", "good"),
}
