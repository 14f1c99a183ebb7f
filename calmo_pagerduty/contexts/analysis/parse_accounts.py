"""PagerDuty's JSON about an account: services, what they depend on, people, who is on call, maintenance."""

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

#: An edge: who supports (its kind, its id), and who depends on it.
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
    )


def parse_business_service(item: Json) -> Node | None:
    service_id = parse_id(item)
    if service_id is None:
        return None
    team = parse_reference(item.get("team"))
    teams = (team.id,) if team else ()
    return Node(service_id, NodeKind.BUSINESS, _name(item) or service_id, parse_pagerduty_url(item), teams)


def parse_referenced_names(item: Json) -> Mapping[str, str]:
    """Return the names of a service's teams and policy, by id."""
    told = (*parse_references(item.get("teams")), parse_reference(item.get("escalation_policy")))
    return {ref.id: ref.name for ref in told if ref is not None and ref.name}


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
    """A row of who is on call, with the person as it names them."""
    level, who = item.get("escalation_level"), parse_reference(item.get("user"))
    if who is None or not isinstance(level, int) or isinstance(level, bool):
        return None
    return OnCall(level, who.id, parse_reference(item.get("schedule")), parse_instant(item.get("end"))), who


def parse_maintenance(item: Json) -> Maintenance | None:
    window_id = parse_id(item)
    start, end = parse_instant(item.get("start_time")), parse_instant(item.get("end_time"))
    if window_id is None or start is None or end is None:
        return None
    words = parse_sanitized_text(item.get("description") or item.get("summary"), MAX_NOTE_LENGTH) or ""
    services = tuple(ref.id for ref in parse_references(item.get("services")))
    return Maintenance(window_id, start, end, words, services, parse_pagerduty_url(item))


def parse_priority(item: Json) -> str | None:
    return _name(item)


def parse_priorities(items: Iterable[Json]) -> tuple[str, ...]:
    """Return the names in PagerDuty's order: the most severe first."""
    return tuple(dict.fromkeys(parse_all(parse_priority, items)))


def _name(item: Json) -> str | None:
    return parse_sanitized_text(item.get("name") or item.get("summary"), MAX_NAME)


def _end(value: object) -> tuple[str, str] | None:
    found = parse_reference(value)
    kind = found.type.removesuffix("_reference") if found else ""
    if found is None or kind not in _KINDS or parse_id({"id": found.id}) is None:
        return None
    return kind, found.id
