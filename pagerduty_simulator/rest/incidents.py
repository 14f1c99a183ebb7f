"""/incidents: the list with its filters and date rules, and a single incident."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from pagerduty_simulator.resources import Incident, IncidentStatus
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid
from pagerduty_simulator.rest.calls import Call, a_read, lookup, page
from pagerduty_simulator.rest.incident_objects import incident_object

_DEFAULT_SPAN: Final = timedelta(days=30)
# PagerDuty's six months are at most 184 days.
_MAX_SPAN: Final = timedelta(days=184)
_STATUSES: Final = frozenset(IncidentStatus)
_URGENCIES: Final = frozenset({"high", "low"})

_SORT_KEYS: Final[dict[str, Callable[[Incident], Any]]] = {
    "incident_number": lambda incident: incident.number,
    "created_at": lambda incident: incident.created_at,
    "resolved_at": lambda incident: (
        incident.resolved_at is None,
        incident.resolved_at or incident.created_at,
    ),
    "urgency": lambda incident: incident.urgency,
}


def find_incident(call: Call, incident_id: str) -> Incident:
    """Return an incident by its id or its number. Raises RestError (404)."""
    order = call.account.incident_order
    if incident_id.isdecimal() and 0 < int(incident_id) <= len(order):
        incident_id = order[int(incident_id) - 1]
    return lookup(call.account.incidents, incident_id)


def _get(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    return Answer(200, {"incident": incident_object(call, incident)})


def _list(call: Call) -> Answer:
    team_ids = call.set_of("team_ids")
    if team_ids:
        call.ability("teams")
    _check(call, "statuses", _STATUSES)
    _check(call, "urgencies", _URGENCIES)
    selected = [incident for incident in _candidates(call) if _matches(call, incident)]
    return page(call, "incidents", _sorted(call, selected), lambda incident: incident_object(call, incident))


def _check(call: Call, name: str, allowed: frozenset[Any]) -> None:
    for value in call.set_of(name):
        if value not in allowed:
            raise invalid(f"{name} has an unknown value")


def _candidates(call: Call) -> list[Incident]:
    """Return the incidents within the dates, oldest first, by binary search."""
    account, order = call.account, call.account.incident_order
    statuses = call.set_of("statuses")
    bounds = _bounds(call)
    if statuses and "resolved" not in statuses:
        ids = account.open_incident_ids()
        selected = [account.incidents[incident_id] for incident_id in ids]
        if bounds is None:
            return selected
        return [incident for incident in selected if bounds[0] <= incident.created_at < bounds[1]]
    first, last = 0, len(order)
    if bounds is not None:
        first = bisect_left(
            order, bounds[0], key=lambda incident_id: account.incidents[incident_id].created_at
        )
        last = bisect_left(
            order, bounds[1], key=lambda incident_id: account.incidents[incident_id].created_at
        )
    return [account.incidents[incident_id] for incident_id in order[first:last]]


def _bounds(call: Call) -> tuple[datetime, datetime] | None:
    """Return the requested span of time; None for all. Raises RestError (400) beyond six months."""
    date_range = call.parameter("date_range")
    if date_range == "all":
        return None
    if date_range:
        raise invalid("date_range may only be all")
    until = call.moment("until")
    since = call.moment("since")
    now = call.now
    end = until or (now + timedelta(seconds=1) if since is None else max(now, since) + timedelta(seconds=1))
    begin = since or end - _DEFAULT_SPAN
    if end - begin > _MAX_SPAN:
        raise RestError(ERRORS["range_too_wide"])
    return begin, end


def _matches(call: Call, incident: Incident) -> bool:
    query = call.query
    if not query:
        return True
    tests: tuple[tuple[str, frozenset[str]], ...] = (
        ("statuses[]", frozenset({str(incident.status)})),
        ("urgencies[]", frozenset({incident.urgency})),
        ("service_ids[]", frozenset({incident.service.id})),
        ("incident_key", frozenset({incident.incident_key})),
        ("team_ids[]", frozenset(team.id for team in incident.teams)),
        ("user_ids[]", frozenset(user.id for user in incident.assignees)),
    )
    return all(name not in query or not has.isdisjoint(query[name]) for name, has in tests)


def _sorted(call: Call, incidents: list[Incident]) -> list[Incident]:
    fields = (call.parameter("sort_by") or "").split(",")
    if fields == [""]:
        return incidents
    if len(fields) > 2:
        raise invalid("sort_by takes at most two fields")
    for field in reversed(fields):
        name, _, direction = field.partition(":")
        if name not in _SORT_KEYS or direction not in {"", "asc", "desc"}:
            raise invalid("sort_by has an unknown field or direction")
        incidents = sorted(incidents, key=_SORT_KEYS[name], reverse=direction == "desc")
    return incidents


OPERATIONS: Final = (
    a_read("listIncidents", "/incidents", _list, "incidents.read"),
    a_read("getIncident", "/incidents/{}", _get, "incidents.read"),
)
