"""Parse PagerDuty's JSON to the objects of a snapshot: policies, services, people, teams, maintenance.

Everything is optional: a missing or odd field becomes None or a default, an object without an id becomes
None. Names are sanitized; addresses of contact methods are never read. Pure.
Source: PagerDuty's REST API, `GET /escalation_policies`, `/services`, `/users`, `/teams/{id}/members`,
`/maintenance_windows`, `/standards/scores/technical_services`, `/business_services`,
`/service_dependencies/technical_services/{id}` and `/business_services/{id}`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import JsonObject, as_object, as_objects
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.pagerduty.webhook_events import MAX_NAME, parse_reference
from calmo_pagerduty.snapshots.dependency_model import (
    BusinessService,
    Dependency,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    ContactKind,
    ContactMethod,
    EscalationRule,
    MaintenanceWindow,
    NotificationRule,
    Policy,
    Service,
    StandardScore,
    SupportHours,
    Target,
    TargetKind,
    Team,
    Urgency,
    UrgencyKind,
    UrgencyRule,
    User,
)

T = TypeVar("T")

_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_TARGETS: Mapping[str, TargetKind] = {
    "user": TargetKind.USER,
    "user_reference": TargetKind.USER,
    "schedule": TargetKind.SCHEDULE,
    "schedule_reference": TargetKind.SCHEDULE,
    "schedule_v3": TargetKind.SCHEDULE,
    "schedule_v3_reference": TargetKind.SCHEDULE,
}
_ROUND_ROBIN = "round_robin"
_MANAGER = "manager"


def parse_all(parse: Callable[[JsonObject], T | None], items: Iterable[object]) -> tuple[T, ...]:
    """Parse a list's objects; leave out what `parse` returns None for."""
    parsed = (parse(item) for item in items if isinstance(item, dict))
    return tuple(value for value in parsed if value is not None)


def parse_id(value: object) -> str | None:
    """Return the id of an object or a reference; None if it could not be PagerDuty's."""
    identity = as_object(value).get("id")
    return identity if is_id(identity) else None


def is_id(value: object) -> bool:
    return isinstance(value, str) and INCIDENT_ID.fullmatch(value) is not None


def parse_ids(values: object) -> tuple[str, ...]:
    """Return the ids of a list of references, each once, in order."""
    ids = (parse_id(value) for value in as_objects(values))
    return tuple(dict.fromkeys(identity for identity in ids if identity is not None))


def parse_name(item: JsonObject, default: str = "") -> str:
    for text in (item.get("name"), item.get("summary")):
        if isinstance(text, str) and (name := sanitize_text(text, MAX_NAME).strip()):
            return name
    return default


def parse_url(item: JsonObject) -> str | None:
    """Return the object's link, if it leads to PagerDuty: people will click on it."""
    reference = parse_reference({"id": "any", "html_url": item.get("html_url")})
    return reference.url if reference else None


def parse_time(value: object) -> int | None:
    """Return an instant's epoch seconds. A text without an offset counts as UTC."""
    moment = parse_instant(value)
    return None if moment is None else int(moment.timestamp())


def parse_count(value: object) -> int | None:
    """Return a whole number that is not negative."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def parse_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def parse_time_of_day(value: object) -> int | None:
    """Return seconds since midnight of `HH:MM:SS`."""
    match = _TIME_OF_DAY.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds if hours <= 24 and minutes < 60 and seconds < 60 else None


def parse_zone(value: object) -> str | None:
    return sanitize_text(value, 100).strip() or None if isinstance(value, str) else None


def parse_days(value: object) -> tuple[int, ...]:
    """Return days of the week, 1 is Monday, each once, in order."""
    days = value if isinstance(value, list) else []
    return tuple(sorted({day for day in days if parse_count(day) is not None and 1 <= day <= 7}))


def parse_policy(item: JsonObject) -> Policy | None:
    policy_id = parse_id(item)
    if policy_id is None:
        return None
    rules = as_objects(item.get("escalation_rules"))
    return Policy(
        id=policy_id,
        name=parse_name(item, policy_id),
        html_url=parse_url(item),
        rules=tuple(_escalation_rule(rule, policy_id, level) for level, rule in enumerate(rules, 1)),
        num_loops=parse_count(item.get("num_loops")) or 0,
        team_ids=parse_ids(item.get("teams")),
    )


def _escalation_rule(rule: JsonObject, policy_id: str, level: int) -> EscalationRule:
    targets = ((_TARGETS.get(str(target.get("type"))), target) for target in as_objects(rule.get("targets")))
    strategy = rule.get("escalation_rule_assignment_strategy")
    # The schema says a string, its example and PagerDuty's clients an object.
    named = as_object(strategy).get("type") if isinstance(strategy, dict) else strategy
    return EscalationRule(
        id=parse_id(rule) or f"{policy_id}:{level}",
        delay_minutes=parse_count(rule.get("escalation_delay_in_minutes")) or 0,
        targets=tuple(
            Target(kind, identity) for kind, target in targets if kind and (identity := parse_id(target))
        ),
        is_round_robin=named == _ROUND_ROBIN,
    )


def parse_service(item: JsonObject) -> Service | None:
    service_id = parse_id(item)
    if service_id is None:
        return None
    status = item.get("status")
    return Service(
        id=service_id,
        name=parse_name(item, service_id),
        html_url=parse_url(item),
        status=sanitize_text(status, 40) if isinstance(status, str) else "active",
        policy_id=parse_id(item.get("escalation_policy")),
        team_ids=parse_ids(item.get("teams")),
        support_hours=parse_support_hours(item.get("support_hours")),
        urgency=parse_urgency_rule(item.get("incident_urgency_rule")),
        # PagerDuty writes null for never; zero would mean the same.
        acknowledgement_timeout=parse_count(item.get("acknowledgement_timeout")) or None,
        auto_resolve_timeout=parse_count(item.get("auto_resolve_timeout")) or None,
        auto_pause_seconds=_auto_pause(item.get("auto_pause_notifications_parameters")),
        raises_urgency_with_support_hours=any(
            _raises_urgency(action) for action in as_objects(item.get("scheduled_actions"))
        ),
    )


def _raises_urgency(action: JsonObject) -> bool:
    """Return whether a scheduled action makes open incidents high urgency when support hours begin."""
    begins = as_object(action.get("at")).get("name") == "support_hours_start"
    return action.get("type") == "urgency_change" and action.get("to_urgency") == "high" and begins


def parse_support_hours(value: object) -> SupportHours | None:
    hours = as_object(value)
    start, end = parse_time_of_day(hours.get("start_time")), parse_time_of_day(hours.get("end_time"))
    days = parse_days(hours.get("days_of_week"))
    if start is None or end is None or not days:
        return None
    return SupportHours(parse_zone(hours.get("time_zone")) or "Etc/UTC", days, start, end)


def parse_urgency_rule(value: object) -> UrgencyRule | None:
    rule = as_object(value)
    match rule.get("type"):
        case "constant":
            urgency = parse_urgency(rule.get("urgency"))
            severity_based = rule.get("urgency") == "severity_based"
            kind = UrgencyKind.SEVERITY_BASED if severity_based else UrgencyKind.CONSTANT
            return UrgencyRule(kind, urgency) if urgency or severity_based else None
        case "use_support_hours":
            during, outside = (
                parse_urgency(as_object(rule.get(name)).get("urgency"))
                for name in ("during_support_hours", "outside_support_hours")
            )
            return UrgencyRule(UrgencyKind.USE_SUPPORT_HOURS, during, outside)
        case _:
            return None


def parse_urgency(value: object) -> Urgency | None:
    return Urgency(value) if isinstance(value, str) and value in tuple(Urgency) else None


def _auto_pause(value: object) -> int | None:
    """Return the pause in seconds: 0 if it is switched off, None if PagerDuty does not say.

    A timeout of 0 means the recommended one.
    """
    enabled = parse_flag(value.get("enabled")) if isinstance(value, dict) else None
    if not isinstance(value, dict) or enabled is None:
        return None
    if not enabled:
        return 0
    return parse_count(value.get("timeout")) or parse_count(value.get("recommended_timeout")) or None


def parse_user(item: JsonObject) -> User | None:
    user_id = parse_id(item)
    if user_id is None:
        return None
    role = item.get("role")
    return User(
        id=user_id,
        name=parse_name(item, user_id),
        html_url=parse_url(item),
        time_zone=parse_zone(item.get("time_zone")),
        role=sanitize_text(role, 40) if isinstance(role, str) else "",
        team_ids=parse_ids(item.get("teams")),
        contact_methods=_in_full(item.get("contact_methods"), parse_contact_method),
        notification_rules=_in_full(item.get("notification_rules"), parse_notification_rule),
    )


def _in_full(value: object, parse: Callable[[JsonObject], T | None]) -> tuple[T, ...] | None:
    """Parse a list of full objects; None if it is missing, or if PagerDuty sent mere references."""
    if not isinstance(value, list):
        return None
    if any(str(as_object(item).get("type")).endswith("_reference") for item in value):
        return None
    return parse_all(parse, value)


def parse_contact_method(item: JsonObject) -> ContactMethod | None:
    method_id, kind = parse_id(item), str(item.get("type")).removesuffix("_contact_method")
    if method_id is None or kind not in tuple(ContactKind):
        return None
    return ContactMethod(
        id=method_id,
        kind=ContactKind(kind),
        label=_label(item),
        is_enabled=parse_flag(item.get("enabled")),
        is_blacklisted=parse_flag(item.get("blacklisted")),
    )


def _label(item: JsonObject) -> str:
    """Return the label, unless somebody wrote the address into it."""
    label, address = item.get("label"), item.get("address")
    if not isinstance(label, str) or (isinstance(address, str) and address and address in label):
        return ""
    return sanitize_text(label, 60).strip()


def parse_notification_rule(item: JsonObject) -> NotificationRule | None:
    rule_id, method_id = parse_id(item), parse_id(item.get("contact_method"))
    urgency, delay = parse_urgency(item.get("urgency")), parse_count(item.get("start_delay_in_minutes"))
    # Other rules tell people of hand-offs and of new responders: they page nobody.
    if not str(item.get("type")).startswith("assignment_notification_rule"):
        return None
    if rule_id is None or method_id is None or urgency is None or delay is None:
        return None
    return NotificationRule(rule_id, urgency, delay, method_id)


def parse_team(item: JsonObject) -> Team | None:
    team_id = parse_id(item)
    return None if team_id is None else Team(team_id, parse_name(item, team_id), parse_url(item))


def parse_managers(members: Iterable[JsonObject]) -> tuple[str, ...]:
    """Return the ids of a team's members with the team role `manager`, in order."""
    managers = (parse_id(member.get("user")) for member in members if member.get("role") == _MANAGER)
    return tuple(sorted({manager for manager in managers if manager is not None}))


def parse_business_service(item: JsonObject) -> BusinessService | None:
    service_id = parse_id(item)
    if service_id is None:
        return None
    team_id = parse_id(item.get("team"))
    teams = (team_id,) if team_id else ()
    return BusinessService(service_id, parse_name(item, service_id), parse_url(item), teams)


def parse_dependency(item: JsonObject, read_at: int) -> Dependency | None:
    """Return a dependency as it was read; None if it names no two services."""
    supporting = _service_key(item.get("supporting_service"))
    dependent = _service_key(item.get("dependent_service"))
    if supporting is None or dependent is None:
        return None
    return Dependency(supporting, dependent, first_seen=read_at, last_seen=read_at)


def _service_key(reference: object) -> ServiceKey | None:
    identity, kind = parse_id(reference), str(as_object(reference).get("type")).removesuffix("_reference")
    # PagerDuty's REST API also says `service` where it means a technical one.
    kind = ServiceKind.TECHNICAL if kind == "service" else kind
    return ServiceKey(ServiceKind(kind), identity) if identity and kind in tuple(ServiceKind) else None


def parse_maintenance(item: JsonObject) -> MaintenanceWindow | None:
    window_id = parse_id(item)
    start, end = parse_time(item.get("start_time")), parse_time(item.get("end_time"))
    if window_id is None or start is None or end is None or start >= end:
        return None
    return MaintenanceWindow(window_id, start, end, parse_ids(item.get("services")))


def parse_scores(resource: JsonObject) -> tuple[StandardScore, ...]:
    """Return a resource's scores against the active standards."""
    resource_id: Any = resource.get("resource_id")
    if not is_id(resource_id):
        return ()
    return parse_all(lambda row: _score(row, resource_id), as_objects(resource.get("standards")))


def _score(row: JsonObject, resource_id: str) -> StandardScore | None:
    standard_id, passed = parse_id(row), parse_flag(row.get("pass"))
    if standard_id is None or passed is None or row.get("active") is False:
        return None
    return StandardScore(standard_id, parse_name(row, standard_id), resource_id, passed)
