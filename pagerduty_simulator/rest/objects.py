"""The full REST objects of users, teams, services, escalation policies and priorities."""

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
    ContactMethod,
    EscalationPolicy,
    EscalationTarget,
    Priority,
    ScheduleTarget,
    Service,
    Team,
    User,
)
from pagerduty_simulator.rest.account_site import AccountSite

_AUTO_RESOLVE_SECONDS: Final = 14_400
ACKNOWLEDGEMENT_SECONDS: Final = 1_800


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
    if method.kind in {"phone", "sms", "whatsapp"}:
        return body | {"country_code": 49, "enabled": True, "blacklisted": False}
    if method.kind == "push_notification":
        return body | {"device_type": "android", "sounds": [], "blacklisted": False}
    return body | {"send_short_email": False, "enabled": True}


def user_object(site: AccountSite, user: User, includes: frozenset[str] = frozenset()) -> JsonObject:
    """Return a user in full."""
    links = site.account.site
    teams = teams_of(site, user)
    methods = [contact_method(links, user, method) for method in user.contact_methods]
    if "contact_methods" not in includes:
        known = ("id", "type", "summary", "self", "html_url")
        methods = [{name: method[name] for name in known} for method in methods]
        for method in methods:
            method["type"] += "_reference"
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
        "notification_rules": [],
        "teams": [pick(links, team) for team in teams],
    }


def teams_of(site: AccountSite, user: User) -> list[Team]:
    """Return the teams whose policies or schedules have the user."""
    teams: dict[str, Team] = {}
    for policy in site.account.escalation_policies.values():
        if any(user in level for level in policy.levels):
            teams |= {team.id: team for team in policy.teams}
    for schedule in site.account.belongings.schedules.values():
        if user.id in schedule.user_ids():
            teams |= {team.id: team for team in schedule.teams}
    return list(teams.values())


def team_object(site: Site, team: Team) -> JsonObject:
    """Return a team in full."""
    return as_object(team_reference(site, team)) | {"name": team.name, "description": None}


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
        rules.append(
            {
                "id": policy.rule_ids[index] if index < len(policy.rule_ids) else f"{policy.id}{index}",
                "escalation_delay_in_minutes": (
                    policy.delays_minutes[index] if index < len(policy.delays_minutes) else 30
                ),
                "targets": targets,
            }
        )
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
    created_at = service.created_at or site.account.now()
    policy = service.escalation_policy
    policy_now = site.account.escalation_policies.get(policy.id, policy)
    pick_team = team_object if "teams" in includes else team_reference
    full_policy = "escalation_policies" in includes
    return as_object(service_reference(links, service)) | {
        "name": service.name,
        "description": service.description,
        "created_at": wire_seconds(created_at),
        "status": service_status(site, service),
        "alert_creation": service.alert_creation,
        "auto_resolve_timeout": _AUTO_RESOLVE_SECONDS,
        "acknowledgement_timeout": ACKNOWLEDGEMENT_SECONDS,
        "escalation_policy": (
            policy_object(site, policy_now) if full_policy else policy_reference(links, policy_now)
        ),
        "teams": [pick_team(links, team) for team in service.teams],
        "incident_urgency_rule": {"type": "constant", "urgency": "high"},
        "integrations": [],
    }


def service_status(site: AccountSite, service: Service) -> str:
    """Return maintenance, critical (an incident is triggered), warning (acknowledged) or active."""
    now = site.account.now()
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
