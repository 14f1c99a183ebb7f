"""Builders of the short `*_reference` objects that PagerDuty uses to refer to an object."""

from dataclasses import dataclass
from typing import Any

from pagerduty_simulator.resources import EscalationPolicy, Incident, Priority, Service, Team, User

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """The account's two addresses; `self` links begin with the first, `html_url` with the second."""

    api_url: str = "https://api.pagerduty.com"
    web_url: str = "https://lantern-lane.pagerduty.com"


def _reference(site: Site, kind: str, path: str, object_id: str, summary: str | None) -> JsonObject:
    return {
        "html_url": f"{site.web_url}/{path}/{object_id}",
        "id": object_id,
        "self": f"{site.api_url}/{path}/{object_id}",
        "summary": summary,
        "type": f"{kind}_reference",
    }


def user_reference(site: Site, user: User) -> JsonObject:
    """Point at a user."""
    return _reference(site, "user", "users", user.id, user.name)


def team_reference(site: Site, team: Team) -> JsonObject:
    """Point at a team."""
    return _reference(site, "team", "teams", team.id, team.name)


def service_reference(site: Site, service: Service) -> JsonObject:
    """Point at a service."""
    return _reference(site, "service", "services", service.id, service.name)


def policy_reference(site: Site, policy: EscalationPolicy) -> JsonObject:
    """Point at an escalation policy."""
    return _reference(site, "escalation_policy", "escalation_policies", policy.id, policy.name)


def incident_reference(site: Site, incident: Incident) -> JsonObject:
    """Point at an incident; its summary is the bare title."""
    return _reference(site, "incident", "incidents", incident.id, incident.title)


def priority_reference(site: Site, priority: Priority) -> JsonObject:
    """Point at a priority; all of them share one web page."""
    reference = _reference(site, "priority", "priorities", priority.id, priority.name)
    reference["html_url"] = f"{site.web_url}/account/incident_priorities"
    return reference


def action_reference(site: Site, action_id: str, name: str) -> JsonObject:
    """Point at an automation action."""
    reference = _reference(site, "action", "automation/actions", action_id, name)
    reference["html_url"] = f"{site.web_url}/rundeck-actions/actions/{action_id}"
    return reference


def workflow_reference(site: Site, workflow_id: str, name: str) -> JsonObject:
    """Point at an incident workflow."""
    reference = _reference(site, "incident_workflow", "incident_workflows", workflow_id, name)
    reference["html_url"] = f"{site.web_url}/incident-workflows/workflows/{workflow_id}"
    return reference


def workflow_trigger_reference(site: Site, trigger_id: str, name: str) -> JsonObject:
    """Point at a workflow's trigger, which has no web page."""
    reference = _reference(site, "workflow_trigger", "incident_workflows/triggers", trigger_id, name)
    reference["html_url"] = None
    return reference
