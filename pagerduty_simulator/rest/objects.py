"""The full REST objects of users, teams, services, escalation policies and priorities."""

from datetime import UTC, datetime
from typing import Final

from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import (
    JsonObject,
    Site,
    policy_reference,
    service_reference,
    team_reference,
    user_reference,
)
from pagerduty_simulator.resources import (
    AutoPause,
    ContactMethod,
    EscalationPolicy,
    EscalationTarget,
    NotificationRule,
    Priority,
    ScheduleTarget,
    Service,
    SupportHours,
    Team,
    UrgencyRule,
    User,
)
from pagerduty_simulator.rest.account_site import AccountSite

#: When the services were made that an account began with.
_FIRST_SERVICES: Final = datetime(2024, 1, 1, tzinfo=UTC)


def as_object(reference: JsonObject) -> JsonObject:
    """Return the fields that a full object shares with its reference."""
    return reference | {"type": reference["type"].removesuffix("_reference")}


def schedule_reference(site: Site, schedule_id: str, name: str, kind: str) -> JsonObject:
    """Refer to a schedule of either kind."""
    path = "v3/schedules" if kind == "schedule_v3" else "schedules"
    return {
        "id": schedule_id,
        "type": f"{kind}_reference",
        "summary": name,
        "self": f"{site.api_url}/{path}/{schedule_id}",
        "html_url": f"{site.web_url}/schedules/{schedule_id}",
    }


def target_reference(site: Site, target: EscalationTarget) -> JsonObject:
    """Refer to a user or a schedule on a policy's level."""
    if isinstance(target, ScheduleTarget):
        return schedule_reference(site, target.id, target.name, target.kind)
    return user_reference(site, target)


def contact_method(site: Site, user: User, method: ContactMethod) -> JsonObject:
    """Return a user's contact method in full."""
    body: JsonObject = {
        "id": method.id,
        "type": f"{method.kind}_contact_method",
        "summary": method.label,
        "self": f"{site.api_url}/users/{user.id}/contact_methods/{method.id}",
        "html_url": None,
        "label": method.label,
        "address": method.address,
    }
    state: JsonObject = {"enabled": method.enabled, "blacklisted": method.blacklisted}
    if method.kind in {"phone", "sms", "whatsapp"}:
        return body | {"country_code": 49, **state}
    if method.kind == "push_notification":
        # The document knows no `enabled` for a device.
        return body | {"device_type": "android", "sounds": [], "blacklisted": method.blacklisted}
    return body | {"send_short_email": False, "enabled": method.enabled}


def notification_rule(site: Site, user: User, rule: NotificationRule, *, full_method: bool) -> JsonObject:
    """Return a user's notification rule in full; its contact method is a reference unless asked for."""
    method = user.contact_method(rule.contact_method_id)
    return {
        "id": rule.id,
        "type": "assignment_notification_rule",
        "summary": f"{rule.delay_minutes} minutes: channel {rule.contact_method_id}",
        "self": f"{site.api_url}/users/{user.id}/notification_rules/{rule.id}",
        "html_url": None,
        "start_delay_in_minutes": rule.delay_minutes,
        "urgency": rule.urgency,
        "contact_method": method
        and (
            contact_method(site, user, method)
            if full_method
            else _as_reference(contact_method(site, user, method))
        ),
    }


def _as_reference(body: JsonObject) -> JsonObject:
    """Return the reference to a full object."""
    known = ("id", "summary", "self", "html_url")
    return {name: body[name] for name in known} | {"type": f"{body['type']}_reference"}


def user_object(site: AccountSite, user: User, includes: frozenset[str] = frozenset()) -> JsonObject:
    """Return a user in full."""
    links = site.account.site
    teams = site.account.teams_of(user)
    methods = [contact_method(links, user, method) for method in user.contact_methods]
    if "contact_methods" not in includes:
        methods = [_as_reference(method) for method in methods]
    rules = [notification_rule(links, user, rule, full_method=False) for rule in user.notification_rules]
    if "notification_rules" not in includes:
        rules = [_as_reference(rule) for rule in rules]
    pick = team_object if "teams" in includes else team_reference
    return as_object(user_reference(links, user)) | {
        "name": user.name,
        "email": user.email,
        "time_zone": user.time_zone,
        "color": "purple",
        "role": user.role,
        "avatar_url": f"{links.web_url}/avatars/{user.id}.png",
        "description": None,
        "invitation_sent": False,
        "job_title": user.job_title,
        "created_via_sso": False,
        "contact_methods": methods,
        "notification_rules": rules,
        "teams": [pick(links, team) for team in teams],
    }


def team_object(site: Site, team: Team) -> JsonObject:
    """Return a team in full."""
    return as_object(team_reference(site, team)) | {
        "name": team.name,
        "description": team.description,
        "default_role": "manager",
    }


def priority_object(site: Site, priority: Priority) -> JsonObject:
    """Return a priority in full."""
    return {
        "id": priority.id,
        "type": "priority",
        "summary": priority.name,
        "self": f"{site.api_url}/priorities/{priority.id}",
        "html_url": None,
        "name": priority.name,
        "description": f"Incidents of priority {priority.name}",
    }


def policy_object(
    site: AccountSite, policy: EscalationPolicy, includes: frozenset[str] = frozenset()
) -> JsonObject:
    """Return an escalation policy in full, with stable ids of its rules."""
    links = site.account.site
    services = [
        service for service in site.account.services.values() if service.escalation_policy.id == policy.id
    ]
    rules = []
    for index, level in enumerate(policy.levels):
        targets = [
            user_object(site, target)
            if "targets" in includes and isinstance(target, User)
            else target_reference(links, target)
            for target in level
        ]
        rule: JsonObject = {
            "id": policy.rule_id(index),
            "escalation_delay_in_minutes": policy.delay_minutes(index),
            "targets": targets,
        }
        if "escalation_rule_assignment_strategies" in includes:
            # The document says a string; its example and PagerDuty's own clients have an object.
            rule["escalation_rule_assignment_strategy"] = {"type": policy.strategy(index)}
        rules.append(rule)
    pick_team = team_object if "teams" in includes else team_reference
    return as_object(policy_reference(links, policy)) | {
        "name": policy.name,
        "description": policy.description,
        "num_loops": policy.num_loops,
        "on_call_handoff_notifications": policy.on_call_handoff_notifications,
        "escalation_rules": rules,
        "services": [service_reference(links, service) for service in services],
        "teams": [pick_team(links, team) for team in policy.teams],
    }


def service_object(site: AccountSite, service: Service, includes: frozenset[str] = frozenset()) -> JsonObject:
    """Return a technical service in full, with its status."""
    links = site.account.site
    created_at = service.created_at or _FIRST_SERVICES
    policy = service.escalation_policy
    policy_now = site.account.escalation_policies.get(policy.id, policy)
    pick_team = team_object if "teams" in includes else team_reference
    full_policy = "escalation_policies" in includes
    body = as_object(service_reference(links, service)) | {
        "name": service.name,
        "description": service.description,
        "created_at": wire_seconds(created_at),
        "status": service_status(site, service),
        **_last_incident(site, service),
        "alert_creation": service.alert_creation,
        "auto_resolve_timeout": service.auto_resolve_timeout,
        "acknowledgement_timeout": service.acknowledgement_timeout,
        "escalation_policy": (
            policy_object(site, policy_now) if full_policy else policy_reference(links, policy_now)
        ),
        "teams": [pick_team(links, team) for team in service.teams],
        "incident_urgency_rule": _urgency_rule(service.urgency_rule),
        "support_hours": service.support_hours and _support_hours(service.support_hours),
        "scheduled_actions": [_RAISE_URGENCY] if service.raises_urgency else [],
        "integrations": [],
    }
    if "auto_pause_notifications_parameters" in includes:
        pause = service.auto_pause or AutoPause(enabled=False, timeout=300)
        body["auto_pause_notifications_parameters"] = {"enabled": pause.enabled, "timeout": pause.timeout}
    return body


_RAISE_URGENCY: Final[JsonObject] = {
    "type": "urgency_change",
    "at": {"type": "named_time", "name": "support_hours_start"},
    "to_urgency": "high",
}


def _urgency_rule(rule: UrgencyRule) -> JsonObject:
    if rule.outside is None:
        return {"type": "constant", "urgency": rule.during}
    return {
        "type": "use_support_hours",
        "during_support_hours": {"type": "constant", "urgency": rule.during},
        "outside_support_hours": {"type": "constant", "urgency": rule.outside},
    }


def _support_hours(hours: SupportHours) -> JsonObject:
    return {
        "type": "fixed_time_per_day",
        "time_zone": hours.time_zone,
        "days_of_week": list(hours.days_of_week),
        "start_time": hours.start_time.isoformat(),
        "end_time": hours.end_time.isoformat(),
    }


def _last_incident(site: AccountSite, service: Service) -> JsonObject:
    """Return when the service's most recent incident was created; nothing if it has had none."""
    for incident in reversed(site.account.incidents.values()):
        if incident.service.id == service.id:
            return {"last_incident_timestamp": wire_seconds(incident.created_at)}
    return {}


def service_status(site: AccountSite, service: Service) -> str:
    """Return disabled, maintenance, critical (an incident is triggered), warning or active."""
    now = site.account.now()
    if service.is_disabled:
        return "disabled"
    for window in site.account.belongings.maintenance_windows.values():
        if window.start <= now < window.end and any(covered.id == service.id for covered in window.services):
            return "maintenance"
    status = "active"
    for incident_id in site.account.open_ids:
        incident = site.account.incidents[incident_id]
        if incident.service.id == service.id:
            if incident.status == "triggered":
                return "critical"
            status = "warning"
    return status
