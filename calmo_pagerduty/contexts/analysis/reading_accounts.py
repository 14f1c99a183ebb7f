"""PagerDuty's JSON about an account: services, what they depend on, people, who is on call, maintenance."""

from collections.abc import Iterable, Mapping

from calmo_pagerduty.contexts.analysis.reading_incidents import (
    MAX_WORDS,
    Json,
    clean_text_of,
    identity,
    link_of,
    read_all,
)
from calmo_pagerduty.contexts.analysis.surroundings import Maintenance, Node, NodeKind, OnCall, Person
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.pagerduty.webhook_events import MAX_NAME, Reference, reference_of, references_of

#: An edge: who supports (its kind, its id), and who depends on it.
Edge = tuple[str, str, str, str]
_KINDS = {kind.value: kind for kind in NodeKind}


def service(item: Json) -> Node | None:
    service_id = identity(item)
    if service_id is None:
        return None
    policy = reference_of(item.get("escalation_policy"))
    return Node(
        service_id, NodeKind.TECHNICAL, _name(item) or service_id, link_of(item),
        tuple(team.id for team in references_of(item.get("teams"))), policy.id if policy else None,
    )  # fmt: skip


def business_service(item: Json) -> Node | None:
    service_id = identity(item)
    if service_id is None:
        return None
    team = reference_of(item.get("team"))
    teams = (team.id,) if team else ()
    return Node(service_id, NodeKind.BUSINESS, _name(item) or service_id, link_of(item), teams)


def names_beside(item: Json) -> Mapping[str, str]:
    """Return the names of a service's teams and policy, by id."""
    told = (*references_of(item.get("teams")), reference_of(item.get("escalation_policy")))
    return {ref.id: ref.name for ref in told if ref is not None and ref.name}


def relationship(item: Json) -> Edge | None:
    supporting = _end(item.get("supporting_service"))
    dependent = _end(item.get("dependent_service"))
    return (*supporting, *dependent) if supporting and dependent else None


def person(item: Json) -> Person | None:
    user_id = identity(item)
    if user_id is None:
        return None
    teams = tuple(team.id for team in references_of(item.get("teams")))
    zone = clean_text_of(item.get("time_zone"), 100)
    return Person(user_id, _name(item) or user_id, zone, url=link_of(item), team_ids=teams)


def on_call(item: Json) -> tuple[OnCall, Reference] | None:
    """A row of who is on call, with the person as it names them."""
    level, who = item.get("escalation_level"), reference_of(item.get("user"))
    if who is None or not isinstance(level, int) or isinstance(level, bool):
        return None
    return OnCall(level, who.id, reference_of(item.get("schedule")), instant_of(item.get("end"))), who


def maintenance(item: Json) -> Maintenance | None:
    window_id = identity(item)
    start, end = instant_of(item.get("start_time")), instant_of(item.get("end_time"))
    if window_id is None or start is None or end is None:
        return None
    words = clean_text_of(item.get("description") or item.get("summary"), MAX_WORDS) or ""
    services = tuple(ref.id for ref in references_of(item.get("services")))
    return Maintenance(window_id, start, end, words, services, link_of(item))


def priority(item: Json) -> str | None:
    return _name(item)


def priorities(items: Iterable[Json]) -> tuple[str, ...]:
    """Return the names in PagerDuty's order: the most severe first."""
    return tuple(dict.fromkeys(read_all(priority, items)))


def _name(item: Json) -> str | None:
    return clean_text_of(item.get("name") or item.get("summary"), MAX_NAME)


def _end(value: object) -> tuple[str, str] | None:
    found = reference_of(value)
    kind = found.type.removesuffix("_reference") if found else ""
    if found is None or kind not in _KINDS or identity({"id": found.id}) is None:
        return None
    return kind, found.id
