"""One request that succeeds for every operation, in an order in which each finds what it needs."""

from collections.abc import Iterator
from typing import Any

SINCE, UNTIL = "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"
LATER, LATEST = "2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z"
SPAN = {"since": SINCE, "until": UNTIL}

Request = tuple[str, str, str, dict[str, Any], Any]


class Ids:
    """The ids that the requests need, found in the account; answers add those that they make."""

    def __init__(self, account: Any) -> None:
        owned = account.belongings
        self.known: dict[str, str] = {
            "incident": next(iter(account.open_incident_ids())),
            "past": account.incident_order[-10],
            "service": next(iter(account.services)),
            "business": list(owned.business_services)[-1],
            "policy": next(iter(account.escalation_policies)),
            "user": next(iter(account.users)),
            "change": next(iter(owned.change_events)),
            "entry": account.log.entries[0].id,
            "layered": next(
                schedule.id for schedule in owned.schedules.values() if schedule.kind == "schedule"
            ),
            "shifted": next(
                schedule.id for schedule in owned.schedules.values() if schedule.kind == "schedule_v3"
            ),
        }
        shifted = owned.schedules[self.known["shifted"]]
        rotation = next(iter(shifted.rotations.values()))
        self.known |= {"rotation": rotation.id, "event": next(iter(rotation.events))}
        self.known["alert"] = owned.alerts[self.known["past"]][0].id

    def __getitem__(self, name: str) -> str:
        return self.known[name]


def reads(ids: Ids) -> Iterator[Request]:
    """Yield operationId, method, path, query and body of every read."""
    incident, past = f"/incidents/{ids['incident']}", f"/incidents/{ids['past']}"
    layered, shifted = f"/schedules/{ids['layered']}", f"/v3/schedules/{ids['shifted']}"
    rotation = f"{shifted}/rotations/{ids['rotation']}"
    for operation_id, path, query in (
        ("listIncidents", "/incidents", {"total": "true"}),
        ("getIncident", incident, {"include[]": ["custom_fields"]}),
        ("listIncidentLogEntries", f"{past}/log_entries", {"include[]": "channels"}),
        ("listIncidentNotes", f"{past}/notes", {}),
        ("listIncidentAlerts", f"{past}/alerts", {}),
        ("getIncidentAlert", f"{past}/alerts/{ids['alert']}", {}),
        ("getPastIncidents", f"{past}/past_incidents", {"total": "true"}),
        ("getRelatedIncidents", f"{past}/related_incidents", {}),
        ("getOutlierIncident", f"{past}/outlier_incident", {}),
        ("listIncidentRelatedChangeEvents", f"{incident}/related_change_events", {}),
        ("getIncidentImpactedBusinessServices", f"{incident}/business_services/impacts", {}),
        ("listServices", "/services", {"include[]": "auto_pause_notifications_parameters"}),
        ("getService", f"/services/{ids['service']}", {}),
        ("listServiceChangeEvents", f"/services/{ids['service']}/change_events", {}),
        (
            "getTechnicalServiceServiceDependencies",
            f"/service_dependencies/technical_services/{ids['service']}",
            {},
        ),
        (
            "getBusinessServiceServiceDependencies",
            f"/service_dependencies/business_services/{ids['business']}",
            {},
        ),
        (
            "listEscalationPolicies",
            "/escalation_policies",
            {"include[]": "escalation_rule_assignment_strategies"},
        ),
        ("getEscalationPolicy", f"/escalation_policies/{ids['policy']}", {}),
        ("listSchedules", "/schedules", {}),
        ("getSchedule", layered, SPAN),
        ("listScheduleOverrides", f"{layered}/overrides", SPAN),
        ("listScheduleUsers", f"{layered}/users", SPAN),
        ("listSchedulesAuditRecords", f"{layered}/audit/records", {}),
        ("listSchedulesV3", "/v3/schedules", {}),
        ("getScheduleV3", shifted, {**SPAN, "include[]": "final_schedule"}),
        ("listOverrides", f"{shifted}/overrides", SPAN),
        ("listCustomShifts", f"{shifted}/custom_shifts", SPAN),
        ("listRotations", f"{shifted}/rotations", {}),
        ("getRotation", rotation, {}),
        ("listEvents", f"{rotation}/events", {}),
        ("getEvent", f"{rotation}/events/{ids['event']}", {}),
        ("listSchedulesAuditRecordsV3", f"{shifted}/audit/records", {}),
        ("listOnCalls", "/oncalls", SPAN),
        ("listUsers", "/users", {}),
        ("getUser", f"/users/{ids['user']}", {}),
        ("getUserContactMethods", f"/users/{ids['user']}/contact_methods", {}),
        ("getAnalyticsIncidentsById", f"/analytics/raw{past}", {}),
        ("getAnalyticsIncidentResponsesById", f"/analytics/raw{past}/responses", {}),
        ("listLogEntries", "/log_entries", {"is_overview": "true"}),
        ("getLogEntry", f"/log_entries/{ids['entry']}", {}),
        ("listChangeEvents", "/change_events", {}),
        ("getChangeEvent", f"/change_events/{ids['change']}", {}),
        ("listBusinessServices", "/business_services", {}),
        ("getBusinessService", f"/business_services/{ids['business']}", {}),
        ("getBusinessServiceImpacts", "/business_services/impacts", {}),
        (
            "getBusinessServiceSupportingServiceImpacts",
            f"/business_services/{ids['business']}/supporting_services/impacts",
            {"additional_fields[]": ["services.highest_impacting_priority", "total_impacted_count"]},
        ),
        ("getBusinessServiceTopLevelImpactors", "/business_services/impactors", {}),
        ("listPriorities", "/priorities", {}),
        ("listAbilities", "/abilities", {}),
        ("getAbility", "/abilities/teams", {}),
        ("listWebhookSubscriptions", "/webhook_subscriptions", {}),
        ("listMaintenanceWindows", "/maintenance_windows", {}),
    ):
        yield operation_id, "GET", path, query, None
    yield from _analytics(ids)


def _analytics(ids: Ids) -> Iterator[Request]:
    body = {"filters": {}, "time_zone": "Europe/Berlin"}
    for name, path in (
        ("getAnalyticsMetricsIncidentsAll", "metrics/incidents/all"),
        ("getAnalyticsMetricsIncidentsService", "metrics/incidents/services"),
        ("getAnalyticsMetricsIncidentsServiceAll", "metrics/incidents/services/all"),
        ("getAnalyticsMetricsIncidentsTeam", "metrics/incidents/teams"),
        ("getAnalyticsMetricsIncidentsTeamAll", "metrics/incidents/teams/all"),
        ("getAnalyticsMetricsIncidentsEscalationPolicy", "metrics/incidents/escalation_policies"),
        ("getAnalyticsMetricsIncidentsEscalationPolicyAll", "metrics/incidents/escalation_policies/all"),
        ("getAnalyticsMetricsRespondersAll", "metrics/responders/all"),
        ("getAnalyticsMetricsRespondersTeam", "metrics/responders/teams"),
        ("getAnalyticsIncidents", "raw/incidents"),
        ("getAnalyticsResponderIncidents", f"raw/responders/{ids['user']}/incidents"),
    ):
        yield name, "POST", f"/analytics/{path}", {}, body


def writes(ids: Ids) -> Iterator[Request]:
    """Yield every write that works on what is there already."""
    incident, user = f"/incidents/{ids['incident']}", {"id": ids["user"], "type": "user_reference"}
    service = {"id": ids["service"], "type": "service_reference"}
    layered, shifted = f"/schedules/{ids['layered']}", f"/v3/schedules/{ids['shifted']}"
    target = {"responder_request_target": user}
    named = {"type": "incident", "title": "Search is slow", "service": service}
    members = [{"type": "user_member", "user_id": ids["user"]}]
    window = {"type": "maintenance_window", "start_time": LATER, "end_time": LATEST, "services": [service]}
    rule = {"escalation_delay_in_minutes": 5, "targets": [user]}
    policy = {"type": "escalation_policy", "name": "New", "escalation_rules": [rule]}
    shift: dict[str, Any] = {"type": "custom_shift", "start_time": LATER, "end_time": LATEST}
    shift |= {"assignments": [{"type": "shift_assignment", "member": members[0]}]}
    override: dict[str, Any] = {"type": "override_shift", "rotation_id": ids["rotation"]}
    override |= {"start_time": LATER, "end_time": LATEST}
    override |= {"overridden_member": members[0], "overriding_member": {"type": "empty_member"}}
    zoned = [{"date_time": f"2026-02-0{day}T09:00:00Z", "time_zone": "UTC"} for day in (2, 3)]
    event: dict[str, Any] = {
        "name": "Extra",
        "start_time": zoned[0],
        "end_time": zoned[1],
        "effective_since": LATER,
    }
    event |= {"recurrence": ["RRULE:FREQ=WEEKLY"]}
    event |= {"assignment_strategy": {"type": "every_member_assignment_strategy", "members": members}}
    subscription: dict[str, Any] = {"type": "webhook_subscription", "events": ["incident.triggered"]}
    subscription |= {"filter": {"type": "account_reference"}}
    subscription |= {"delivery_method": {"type": "http_delivery_method", "url": "https://calmo.example/"}}
    shared = {"overrides": [{"start": LATER, "end": LATEST, "user": user}]}
    renamed = {"schedule": {"name": "Renamed", "time_zone": "UTC"}}
    layer: dict[str, Any] = {"name": "Only", "start": LATER, "users": [{"user": user}]}
    layer |= {"rotation_virtual_start": LATER, "rotation_turn_length_seconds": 86_400}
    for operation_id, method, path, body in (
        ("createIncident", "POST", "/incidents", {"incident": named}),
        ("updateIncident", "PUT", incident, {"incident": {"type": "incident", "status": "acknowledged"}}),
        ("createIncidentSnooze", "POST", f"{incident}/snooze", {"duration": 60}),
        ("createIncidentNote", "POST", f"{incident}/notes", {"note": {"content": "A note"}}),
        ("createIncidentStatusUpdate", "POST", f"{incident}/status_updates", {"message": "Better"}),
        (
            "createIncidentResponderRequest",
            "POST",
            f"{incident}/responder_requests",
            {"requester_id": ids["user"], "message": "Help", "responder_request_targets": [target]},
        ),
        (
            "cancelIncidentResponderRequest",
            "PUT",
            f"{incident}/responder_requests/cancel",
            {"requester_id": ids["user"], "responder_request_targets": [user]},
        ),
        (
            "updateIncidents",
            "PUT",
            "/incidents",
            {"incidents": [{"id": ids["incident"], "type": "incident_reference", "title": "Other"}]},
        ),
        ("createEscalationPolicy", "POST", "/escalation_policies", {"escalation_policy": policy}),
        (
            "updateEscalationPolicy",
            "PUT",
            f"/escalation_policies/{ids['policy']}",
            {"escalation_policy": {"type": "escalation_policy", "description": "Changed"}},
        ),
        ("createScheduleOverride", "POST", f"{layered}/overrides", shared),
        ("updateSchedule", "PUT", layered, {"schedule": renamed["schedule"] | {"schedule_layers": [layer]}}),
        ("updateScheduleV3", "PUT", shifted, renamed),
        ("createCustomShifts", "POST", f"{shifted}/custom_shifts", {"custom_shifts": [shift]}),
        ("createOverrides", "POST", f"{shifted}/overrides", {"overrides": [override]}),
        ("createEvent", "POST", f"{shifted}/rotations/{ids['rotation']}/events", {"event": event}),
        ("createMaintenanceWindow", "POST", "/maintenance_windows", {"maintenance_window": window}),
        (
            "createWebhookSubscription",
            "POST",
            "/webhook_subscriptions",
            {"webhook_subscription": subscription},
        ),
    ):
        yield operation_id, method, path, {}, body
