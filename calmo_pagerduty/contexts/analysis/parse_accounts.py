"""Parse PagerDuty's JSON about an account: services, dependencies, people, on-calls, maintenance windows.

Each `parse_…` returns None for an object without what it needs, such as an id.
Source: PagerDuty's REST API, `GET /services`, `/business_services`, `/service_dependencies/…`, `/users`,
`/oncalls`, `/maintenance_windows`, `/priorities`.
"""

from collections.abc import Iterable, Mapping

from calmo_pagerduty.contexts.analysis.inputs import Maintenance, Node, NodeKind, OnCall, Person
from calmo_pagerduty.contexts.analysis.parse_incidents import (
    MAX_NOTE_LENGTH,
    Json,
    parse_all,
    parse_id,
    parse_pagerduty_url,
    parse_sanitized_text,
)
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.pagerduty.webhook_events import MAX_NAME, Reference, parse_reference, parse_references

#: The supporting service's kind and id, then the dependent service's.
Edge = tuple[str, str, str, str]
_KINDS = {kind.value: kind for kind in NodeKind}


def parse_service(item: Json) -> Node | None:
    service_id = parse_id(item)
    if service_id is None:
        return None
    policy = parse_reference(item.get("escalation_policy"))
    return Node(
        service_id,
        NodeKind.TECHNICAL,
        _name(item) or service_id,
        parse_pagerduty_url(item),
        tuple(team.id for team in parse_references(item.get("teams"))),
        policy.id if policy else None,
        parse_instant(item.get("created_at")),
    )


def parse_business_service(item: Json) -> Node | None:
    service_id = parse_id(item)
    if service_id is None:
        return None
    team = parse_reference(item.get("team"))
    teams = (team.id,) if team else ()
    return Node(service_id, NodeKind.BUSINESS, _name(item) or service_id, parse_pagerduty_url(item), teams)


def parse_referenced_names(item: Json) -> Mapping[str, str]:
    """Return the names of a service's teams and escalation policy, by id."""
    refs = (*parse_references(item.get("teams")), parse_reference(item.get("escalation_policy")))
    return {ref.id: ref.name for ref in refs if ref is not None and ref.name}


def parse_dependency(item: Json) -> Edge | None:
    supporting = _end(item.get("supporting_service"))
    dependent = _end(item.get("dependent_service"))
    return (*supporting, *dependent) if supporting and dependent else None


def parse_person(item: Json) -> Person | None:
    user_id = parse_id(item)
    if user_id is None:
        return None
    teams = tuple(team.id for team in parse_references(item.get("teams")))
    zone = parse_sanitized_text(item.get("time_zone"), 100)
    return Person(user_id, _name(item) or user_id, zone, url=parse_pagerduty_url(item), team_ids=teams)


def parse_on_call(item: Json) -> tuple[OnCall, Reference] | None:
    """Parse an on-call, with the reference to its user."""
    level, user = item.get("escalation_level"), parse_reference(item.get("user"))
    if user is None or not isinstance(level, int) or isinstance(level, bool):
        return None
    return OnCall(level, user.id, parse_reference(item.get("schedule")), parse_instant(item.get("end"))), user


def parse_maintenance(item: Json) -> Maintenance | None:
    window_id = parse_id(item)
    start, end = parse_instant(item.get("start_time")), parse_instant(item.get("end_time"))
    if window_id is None or start is None or end is None:
        return None
    description = parse_sanitized_text(item.get("description") or item.get("summary"), MAX_NOTE_LENGTH) or ""
    services = tuple(ref.id for ref in parse_references(item.get("services")))
    return Maintenance(window_id, start, end, description, services, parse_pagerduty_url(item))


def parse_priority(item: Json) -> str | None:
    return _name(item)


def parse_priorities(items: Iterable[Json]) -> tuple[str, ...]:
    """Return the priorities' names in PagerDuty's order, the most severe first."""
    return tuple(dict.fromkeys(parse_all(parse_priority, items)))


def _name(item: Json) -> str | None:
    return parse_sanitized_text(item.get("name") or item.get("summary"), MAX_NAME)


def _end(value: object) -> tuple[str, str] | None:
    service = parse_reference(value)
    kind = service.type.removesuffix("_reference") if service else ""
    if service is None or kind not in _KINDS or parse_id({"id": service.id}) is None:
        return None
    return kind, service.id
