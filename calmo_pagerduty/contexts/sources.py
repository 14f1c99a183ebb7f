"""The sources of an incident's context and their states. A failed source degrades the context."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

#: How far back past incidents and changes are relevant to a new incident.
INCIDENT_LOOKBACK = timedelta(days=180)
CHANGE_LOOKBACK = timedelta(days=30)


class Source(StrEnum):
    """The sources of a context. `SOURCES` says how each is read."""

    INCIDENT = "incident"
    ALERTS = "alerts"
    LOG = "log"
    NOTES = "notes"
    SERVICE = "service"
    DEPENDENCIES = "dependencies"
    BUSINESS_IMPACT = "business_impact"
    OPEN_INCIDENTS = "open_incidents"
    CHANGES = "changes"
    RELATED_CHANGES = "related_changes"
    PAST_INCIDENTS = "past_incidents"
    RELATED_INCIDENTS = "related_incidents"
    HISTORY = "history"
    ON_CALL = "on_call"
    MAINTENANCE = "maintenance"
    PRIORITIES = "priorities"


class SourceState(StrEnum):
    """How the reading of a source ended, or that it goes on."""

    GATHERING = "gathering"
    COMPLETE = "complete"
    #: Some of the data is missing: it was not read, or not yet.
    PARTIAL = "partial"
    FORBIDDEN = "forbidden"
    NOT_IN_PLAN = "not_in_plan"
    #: The incident lacks what the source is about, such as a service.
    NOT_APPLICABLE = "not_applicable"
    UNAVAILABLE = "unavailable"


class SourceRule(NamedTuple):
    """A source's title for readers, and the longest time to wait for it, retries included."""

    title: str
    timeout: timedelta


SOURCES: Mapping[Source, SourceRule] = MappingProxyType(
    {
        Source.INCIDENT: SourceRule("The incident", timedelta(seconds=60)),
        Source.ALERTS: SourceRule("Alerts", timedelta(seconds=45)),
        Source.LOG: SourceRule("Log entries", timedelta(seconds=45)),
        Source.NOTES: SourceRule("Notes", timedelta(seconds=30)),
        Source.SERVICE: SourceRule("Service", timedelta(seconds=30)),
        Source.DEPENDENCIES: SourceRule("Dependencies", timedelta(seconds=90)),
        Source.BUSINESS_IMPACT: SourceRule("Business impact", timedelta(seconds=30)),
        Source.OPEN_INCIDENTS: SourceRule("Incidents around it", timedelta(seconds=45)),
        Source.CHANGES: SourceRule("Changes", timedelta(seconds=60)),
        Source.RELATED_CHANGES: SourceRule("Changes that PagerDuty relates", timedelta(seconds=30)),
        Source.PAST_INCIDENTS: SourceRule("Past incidents by PagerDuty", timedelta(seconds=30)),
        Source.RELATED_INCIDENTS: SourceRule("Related incidents by PagerDuty", timedelta(seconds=30)),
        Source.HISTORY: SourceRule("The account's history", timedelta(seconds=90)),
        Source.ON_CALL: SourceRule("Who is on call", timedelta(seconds=45)),
        Source.MAINTENANCE: SourceRule("Maintenance windows", timedelta(seconds=30)),
        Source.PRIORITIES: SourceRule("Priorities", timedelta(seconds=30)),
    }
)
