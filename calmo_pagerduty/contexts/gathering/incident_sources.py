"""Readers of the sources about the incident itself, with one request or list each.

Source: PagerDuty's REST API, `GET /incidents/{id}` and the paths below it.
"""

from collections.abc import Mapping

from calmo_pagerduty.connections.background_client import PAGE_SIZE
from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.analysis import parse_incidents as read
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult, partial_result
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.pagerduty.errors import NotUnderstood

MAX_LOG_ENTRIES = 300
PAST_INCIDENT_LIMIT = 20
#: PagerDuty lists the newest first.
TRUNCATED_TEXT = "the newest {count} were read, there are more"


async def incident_details(job: SourceJob) -> SourceResult:
    answer = await job.client.get(job.path)
    item = answer.get("incident")
    incident = read.parse_this_incident(item) if isinstance(item, dict) else None
    if incident is None:
        raise NotUnderstood("PagerDuty's answer shows no incident", status=200, advice="try again")
    return SourceResult(
        codec.INCIDENT.to_json(incident),
        1,
        service_id=incident.service.id if incident.service else None,
        policy_id=incident.escalation_policy.id if incident.escalation_policy else None,
    )


async def alerts(job: SourceJob) -> SourceResult:
    items, whole = await job.client.list_items(f"{job.path}/alerts", "alerts")
    found = read.parse_all(read.parse_alert, items)
    return _list_result(codec.ALERTS.to_json(found), len(found), whole)


async def log(job: SourceJob) -> SourceResult:
    items, whole = await job.client.list_items(
        f"{job.path}/log_entries", "log_entries", MAX_LOG_ENTRIES, **{"include[]": "channels"}
    )
    found = sorted(read.parse_all(read.parse_log_line, items), key=lambda line: (line.at, line.id))
    return _list_result(codec.LINES.to_json(tuple(found)), len(found), whole)


async def notes(job: SourceJob) -> SourceResult:
    answer = await job.client.get(f"{job.path}/notes")
    found = sorted(
        read.parse_all(read.parse_note, as_objects(answer.get("notes"))), key=lambda line: (line.at, line.id)
    )
    newest = tuple(found[-PAGE_SIZE:])
    return _list_result(codec.LINES.to_json(newest), len(newest), len(newest) == len(found))


async def business_impact(job: SourceJob) -> SourceResult:
    answer = await job.client.get(f"{job.path}/business_services/impacts")
    found = read.parse_all(read.parse_impacted_service, as_objects(answer.get("services")))
    return SourceResult(codec.REFERENCES.to_json(found), len(found))


async def related_changes(job: SourceJob) -> SourceResult:
    answer = await job.client.get(f"{job.path}/related_change_events", limit=PAGE_SIZE)
    found = read.parse_all(read.parse_related_change, as_objects(answer.get("change_events")))
    return SourceResult(codec.CHANGES.to_json(found), len(found))


async def past_incidents(job: SourceJob) -> SourceResult:
    answer = await job.client.get(f"{job.path}/past_incidents", limit=PAST_INCIDENT_LIMIT)
    found = read.parse_all(read.parse_scored_incident, as_objects(answer.get("past_incidents")))
    return SourceResult(codec.SCORES.to_json(found), len(found))


async def related_incidents(job: SourceJob) -> SourceResult:
    answer = await job.client.get(f"{job.path}/related_incidents")
    found = read.parse_all(read.parse_related_incident, as_objects(answer.get("related_incidents")))
    return SourceResult(codec.IDS.to_json(found), len(found))


def _list_result(data: object, count: int, whole: bool) -> SourceResult:
    return (
        SourceResult(data, count)
        if whole
        else partial_result(data, count, TRUNCATED_TEXT.format(count=count))
    )


SOURCE_READERS: Mapping[Source, SourceReader] = {
    Source.INCIDENT: incident_details,
    Source.ALERTS: alerts,
    Source.LOG: log,
    Source.NOTES: notes,
    Source.BUSINESS_IMPACT: business_impact,
    Source.RELATED_CHANGES: related_changes,
    Source.PAST_INCIDENTS: past_incidents,
    Source.RELATED_INCIDENTS: related_incidents,
}
