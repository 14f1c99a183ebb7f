"""How severities and statuses look: a word, a shape and a colour, so that nobody needs the colour.

`shape` is a symbol of `templates/shapes.html`; `tone` is a class of `static/app.css`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.coverage.page_checklist import Verdict as CheckVerdict
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.escalation.drill import DrillState, PageVerdict
from calmo_pagerduty.findings.lifecycle import FindingState
from calmo_pagerduty.findings.model import FindingSeverity
from calmo_pagerduty.incidents.action_progress import Progress
from calmo_pagerduty.oncall.model import RunState
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.webhooks.findings import Level
from calmo_pagerduty.webhooks.lifecycle import WebhookState
from calmo_pagerduty.workload.cover_requests import CoverState


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

LOOK_OF_FINDING_SEVERITY: Mapping[FindingSeverity, Look] = {
    FindingSeverity.CRITICAL: Look("Critical", "octagon", "bad"),
    FindingSeverity.HIGH: Look("High", "triangle", "bad"),
    FindingSeverity.MEDIUM: Look("Medium", "diamond", "warn"),
    FindingSeverity.LOW: Look("Low", "circle", "info"),
    FindingSeverity.INFO: Look("Info", "circle", "info"),
}

LOOK_OF_FINDING_STATE: Mapping[FindingState, Look] = {
    FindingState.NEW: Look("New", "bell", "warn"),
    FindingState.RETURNED: Look("Returned", "bell", "bad"),
    FindingState.ACCEPTED: Look("Accepted", "eye", "info"),
    FindingState.DISMISSED: Look("Dismissed", "circle", "info"),
    FindingState.RESOLVED: Look("Resolved", "check", "good"),
}

LOOK_OF_CALL_STATE: Mapping[CallState, Look] = {
    CallState.WAITING: Look("Waiting", "bell", "warn"),
    CallState.RUNNING: Look("Running", "circle", "info"),
    CallState.DONE: Look("Done", "check", "good"),
    CallState.FAILED: Look("Failed", "octagon", "bad"),
    CallState.UNKNOWN: Look("Unknown: check at PagerDuty", "triangle", "bad"),
    CallState.DENIED: Look("Denied", "octagon", "info"),
    CallState.EXPIRED: Look("Expired", "circle", "info"),
    CallState.REFUSED: Look("Refused", "octagon", "warn"),
}

LOOK_OF_RISK: Mapping[Risk, Look] = {
    Risk.LOW: Look("Low risk", "circle", "good"),
    Risk.MEDIUM: Look("Medium risk", "diamond", "warn"),
    Risk.HIGH: Look("High risk", "triangle", "bad"),
}

LOOK_OF_PROGRESS: Mapping[Progress, Look] = {
    Progress.WAITING: Look("Waits for approval", "bell", "warn"),
    Progress.FILED: Look("Not sent yet", "circle", "info"),
    Progress.SENT: Look("Sent", "sent", "info"),
    Progress.ANSWERED: Look("Sent, not confirmed yet", "sent", "info"),
    Progress.CONFIRMED: Look("Confirmed", "check", "good"),
    Progress.UNCHANGED: Look("Was so already", "circle", "good"),
    Progress.UNKNOWN: Look("Unknown: check at PagerDuty", "triangle", "bad"),
    Progress.NOT_DONE: Look("Not done", "octagon", "bad"),
}

LOOK_OF_DELIVERY_STATE: Mapping[DeliveryState, Look] = {
    DeliveryState.PENDING: Look("Pending", "circle", "info"),
    DeliveryState.FORWARDED: Look("Forwarded", "sent", "info"),
    DeliveryState.APPLIED: Look("Applied", "check", "good"),
    DeliveryState.RECORDED: Look("Recorded", "check", "info"),
    DeliveryState.PAUSED: Look("Skipped: webhook paused", "circle", "warn"),
    DeliveryState.CONFLICT: Look("Conflict", "triangle", "warn"),
    DeliveryState.DEAD_LETTER: Look("Dead letter", "octagon", "bad"),
}

LOOK_OF_WEBHOOK_STATE: Mapping[WebhookState, Look] = {
    WebhookState.WAITING_FOR_SECRET: Look("Waits for its secret", "bell", "warn"),
    WebhookState.UNPROVEN: Look("Not proven yet", "triangle", "warn"),
    WebhookState.ARMED: Look("Armed", "check", "good"),
    WebhookState.PAUSED: Look("Paused", "circle", "info"),
    WebhookState.DISABLED_BY_PAGERDUTY: Look("Disabled by PagerDuty", "octagon", "bad"),
    WebhookState.DELETED: Look("Deleted", "circle", "info"),
}

LOOK_OF_LEVEL: Mapping[Level, Look] = {
    Level.ALARM: Look("Events get lost", "octagon", "bad"),
    Level.WARNING: Look("Warning", "triangle", "warn"),
    Level.NOTE: Look("Note", "circle", "info"),
}

LOOK_OF_VERDICT: Mapping[Verdict, Look] = {
    Verdict.ACCEPTED: Look("Accepted", "check", "good"),
    Verdict.DUPLICATE: Look("Duplicate", "circle", "info"),
    Verdict.CONFLICT: Look("Conflict", "octagon", "bad"),
    Verdict.PAUSED: Look("Stored while paused", "circle", "info"),
    Verdict.DEAD_LETTER: Look("Not understood", "octagon", "bad"),
    Verdict.UNKNOWN_WEBHOOK: Look("Unknown webhook", "triangle", "warn"),
    Verdict.DELETED_WEBHOOK: Look("Deleted webhook", "circle", "info"),
    Verdict.MISSING_SIGNATURE: Look("No signature", "triangle", "warn"),
    Verdict.LEGACY_PAYLOAD: Look("Old V1 or V2 webhook", "triangle", "warn"),
    Verdict.UNSUPPORTED_SCHEME: Look("Unknown signature scheme", "octagon", "bad"),
    Verdict.MISMATCH: Look("Wrong signature", "octagon", "bad"),
    Verdict.UNPROVEN: Look("Not proven yet", "triangle", "warn"),
    Verdict.GUARDED: Look("Asked to come back", "triangle", "warn"),
    Verdict.NO_SECRET: Look("No secret yet", "bell", "warn"),
    Verdict.TOO_LARGE: Look("Too large", "octagon", "bad"),
    Verdict.SLOW_BODY: Look("Too slow", "triangle", "warn"),
    Verdict.STORE_UNAVAILABLE: Look("Database away", "octagon", "bad"),
    Verdict.OVERLOADED: Look("Too many at once", "triangle", "warn"),
    Verdict.SHUTTING_DOWN: Look("Shutting down", "circle", "info"),
}

LOOK_OF_RUN_STATE: Mapping[RunState, Look] = {
    RunState.READING: Look("Reading", "eye", "info"),
    RunState.ANALYSING: Look("Analysing", "circle", "info"),
    RunState.COMPLETE: Look("Complete", "check", "good"),
    RunState.FAILED: Look("Failed", "octagon", "bad"),
}

LOOK_OF_DRILL_STATE: Mapping[DrillState, Look] = {
    DrillState.OPENING: Look("Opening", "sent", "info"),
    DrillState.WATCHING: Look("Watching", "eye", "info"),
    DrillState.DONE: Look("Done", "check", "good"),
    DrillState.UNRESOLVED: Look("Over, but look at the incident", "octagon", "bad"),
    DrillState.CANCELLED: Look("Cancelled", "circle", "info"),
    DrillState.REFUSED: Look("Not held", "triangle", "warn"),
}

LOOK_OF_PAGE_VERDICT: Mapping[PageVerdict, Look] = {
    PageVerdict.AS_SIMULATED: Look("As simulated", "check", "good"),
    PageVerdict.MISSING: Look("Not sent", "octagon", "bad"),
    PageVerdict.UNEXPECTED: Look("Not simulated", "triangle", "bad"),
    PageVerdict.NOT_DUE: Look("Not due yet", "circle", "info"),
}

LOOK_OF_COVER_STATE: Mapping[CoverState, Look] = {
    CoverState.OPEN: Look("Open", "bell", "warn"),
    CoverState.ACCEPTED: Look("Accepted", "check", "good"),
    CoverState.DECLINED: Look("Everybody declined", "octagon", "bad"),
    CoverState.WITHDRAWN: Look("Withdrawn", "circle", "info"),
    CoverState.EXPIRED: Look("Expired", "triangle", "warn"),
}

#: Of the checklist that says whether a page would come.
LOOK_OF_CHECK: Mapping[CheckVerdict, Look] = {
    CheckVerdict.OK: Look("OK", "check", "good"),
    CheckVerdict.PROBLEM: Look("Problem", "octagon", "bad"),
    CheckVerdict.UNKNOWN: Look("Unknown", "triangle", "warn"),
}
