"""/change_events, the change events of a service, and those related to an incident."""

import re
from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.belongings import ChangeEvent
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject, service_reference
from pagerduty_simulator.rest.answers import Answer, invalid
from pagerduty_simulator.rest.calls import Call, a_read, limit_of, lookup, page
from pagerduty_simulator.rest.incidents import find_incident
from pagerduty_simulator.rest.service_graph import neighbours

_UTC_ONLY: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# How long before an incident a related change may be.
_SUSPICIOUS_FOR: Final = timedelta(hours=24)
_AT_ONCE: Final = timedelta(milliseconds=1)


def _object(call: Call, change: ChangeEvent) -> JsonObject:
    return {
        "id": change.id,
        "type": "change_event",
        "summary": change.summary,
        "self": f"{call.links.api_url}/change_events/{change.id}",
        "html_url": None,
        "timestamp": wire_seconds(change.timestamp),
        "source": change.source,
        "services": [service_reference(call.links, service) for service in change.services],
        "custom_details": change.details,
        "links": [{"href": change.href, "text": "What was changed"}],
        "images": [],
        "routing_key": "",
    }


def _moment(call: Call, name: str) -> datetime | None:
    """Parse a time; only UTC with a Z is accepted here. Raises RestError (400)."""
    text = call.parameter(name)
    if text is not None and not _UTC_ONLY.fullmatch(text):
        raise invalid(f"{name} must be a UTC date with Z")
    return call.moment(name)


def _listed(call: Call, service_id: str | None) -> Answer:
    since, until, team_ids = _moment(call, "since"), _moment(call, "until"), call.set_of("team_ids")
    if team_ids:
        call.ability("teams")
    changes = [
        change
        for change in _between(call.account.belongings.changes(service_id), since, until)
        if not team_ids or any(team.id in team_ids for service in change.services for team in service.teams)
    ]
    answer = page(call, "change_events", changes, lambda change: _object(call, change))
    # Seen in PagerDuty's examples: a page without limit and offset.
    return Answer(200, answer.body | {"limit": None, "offset": None})


def _between(
    newest_first: list[ChangeEvent], since: datetime | None, until: datetime | None
) -> list[ChangeEvent]:
    """Return the changes in [since, until)."""
    first, last = 0, len(newest_first)
    if until is not None:
        first = bisect_right(newest_first, -until.timestamp(), key=_backwards)
    if since is not None:
        last = bisect_right(newest_first, -since.timestamp(), key=_backwards)
    return newest_first[first:last]


def _backwards(change: ChangeEvent) -> float:
    return -change.timestamp.timestamp()


def _of_service(call: Call) -> Answer:
    return _listed(call, lookup(call.account.services, call.parameters[0]).id)


def _get(call: Call) -> Answer:
    change = lookup(call.account.belongings.change_events, call.parameters[0])
    return Answer(200, {"change_event": _object(call, change)})


def _related(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    neighbour_nodes = neighbours(
        call.account.belongings.dependencies, ("technical_service", incident.service.id)
    )
    neighbour_ids = {service_id for _, service_id in neighbour_nodes}
    rows: list[JsonObject] = []
    begin, end = incident.created_at - _SUSPICIOUS_FOR, incident.created_at + _AT_ONCE
    for change in _between(call.account.belongings.changes(), begin, end):
        ids = {service.id for service in change.services}
        reason = None
        if incident.service.id in ids:
            reason = "most_recent"
        elif ids & neighbour_ids:
            reason = "related_service"
        if reason is not None:
            rows.append(_object(call, change) | {"correlation_reason": {"reason": reason}})
    return Answer(200, {"change_events": rows[: limit_of(call)]})


OPERATIONS: Final = (
    a_read("listChangeEvents", "/change_events", lambda call: _listed(call, None), "change_events.read"),
    a_read("getChangeEvent", "/change_events/{}", _get, "change_events.read"),
    a_read("listServiceChangeEvents", "/services/{}/change_events", _of_service, "services.read"),
    a_read(
        "listIncidentRelatedChangeEvents", "/incidents/{}/related_change_events", _related, "incidents.read"
    ),
)
