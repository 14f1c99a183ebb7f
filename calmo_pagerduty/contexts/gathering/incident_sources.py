"""The sources that are about the incident itself: one request each."""

from collections.abc import Mapping

from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.requests import PAGE
from calmo_pagerduty.contexts.analysis import reading_incidents as read
from calmo_pagerduty.contexts.gathering.source import Found, Gather, Gathering, partial
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.json_values import objects_of
from calmo_pagerduty.pagerduty.errors import NotUnderstood

MOST_ENTRIES = 300
PAST_WANTED = 20
#: The newest are shown.
NOT_ALL = "the newest {count} were read, there are more"


async def the_incident(gathering: Gathering) -> Found:
    answer = await gathering.reading.get(gathering.path)
    item = answer.get("incident")
    found = read.this_incident(item) if isinstance(item, dict) else None
    if found is None:
        raise NotUnderstood("PagerDuty's answer shows no incident", status=200, advice="try again")
    return Found(
        facts.INCIDENT.json(found), 1, service_id=found.service.id if found.service else None,
        policy_id=found.escalation_policy.id if found.escalation_policy else None,
    )  # fmt: skip


async def alerts(gathering: Gathering) -> Found:
    items, whole = await gathering.reading.listed(f"{gathering.path}/alerts", "alerts")
    found = read.read_all(read.alert, items)
    return _listed(facts.ALERTS.json(found), len(found), whole)


async def log(gathering: Gathering) -> Found:
    items, whole = await gathering.reading.listed(
        f"{gathering.path}/log_entries", "log_entries", MOST_ENTRIES, **{"include[]": "channels"}
    )
    found = sorted(read.read_all(read.log_line, items), key=lambda line: (line.at, line.id))
    return _listed(facts.LINES.json(tuple(found)), len(found), whole)


async def notes(gathering: Gathering) -> Found:
    answer = await gathering.reading.get(f"{gathering.path}/notes")
    found = sorted(
        read.read_all(read.note, objects_of(answer.get("notes"))), key=lambda line: (line.at, line.id)
    )
    newest = tuple(found[-PAGE:])
    return _listed(facts.LINES.json(newest), len(newest), len(newest) == len(found))


async def business_impact(gathering: Gathering) -> Found:
    answer = await gathering.reading.get(f"{gathering.path}/business_services/impacts")
    found = read.read_all(read.impacted_service, objects_of(answer.get("services")))
    return Found(facts.REFERENCES.json(found), len(found))


async def related_changes(gathering: Gathering) -> Found:
    answer = await gathering.reading.get(f"{gathering.path}/related_change_events", limit=PAGE)
    found = read.read_all(read.related_change, objects_of(answer.get("change_events")))
    return Found(facts.CHANGES.json(found), len(found))


async def past_incidents(gathering: Gathering) -> Found:
    answer = await gathering.reading.get(f"{gathering.path}/past_incidents", limit=PAST_WANTED)
    found = read.read_all(read.scored_incident, objects_of(answer.get("past_incidents")))
    return Found(facts.SCORES.json(found), len(found))


async def related_incidents(gathering: Gathering) -> Found:
    answer = await gathering.reading.get(f"{gathering.path}/related_incidents")
    found = read.read_all(read.related_incident, objects_of(answer.get("related_incidents")))
    return Found(facts.IDS.json(found), len(found))


def _listed(data: object, count: int, whole: bool) -> Found:
    return Found(data, count) if whole else partial(data, count, NOT_ALL.format(count=count))


GATHERS: Mapping[Source, Gather] = {
    Source.INCIDENT: the_incident,
    Source.ALERTS: alerts,
    Source.LOG: log,
    Source.NOTES: notes,
    Source.BUSINESS_IMPACT: business_impact,
    Source.RELATED_CHANGES: related_changes,
    Source.PAST_INCIDENTS: past_incidents,
    Source.RELATED_INCIDENTS: related_incidents,
}
