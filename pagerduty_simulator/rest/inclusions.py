"""What `include[]` may ask for, by operation.

Source: PagerDuty's REST documentation; `body` of an incident and the users of a team are seen to work.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pagerduty_simulator.rest.answers import invalid

_INCIDENT: Final = (
    "acknowledgers agents assignees conference_bridge escalation_policies first_trigger_log_entries"
    " priorities services teams users"
)
_LOG: Final = "incidents services channels teams"
_SERVICE: Final = "escalation_policies teams integrations auto_pause_notifications_parameters"
_POLICY: Final = "services teams targets escalation_rule_assignment_strategies"
_USER: Final = "contact_methods notification_rules teams subdomains"
_WINDOW: Final = "teams services users"

INCLUSIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        operation: frozenset(names.split())
        for operation, names in {
            "listIncidents": _INCIDENT,
            "getIncident": f"{_INCIDENT} custom_fields body",
            "listIncidentLogEntries": _LOG,
            "listLogEntries": _LOG,
            "getLogEntry": _LOG,
            "listIncidentAlerts": "services first_trigger_log_entries incidents",
            "listServices": _SERVICE,
            "getService": _SERVICE,
            "listEscalationPolicies": _POLICY,
            "getEscalationPolicy": _POLICY,
            "listSchedules": "schedule_layers overrides_subschedule final_schedule",
            "getScheduleV3": "final_schedule",
            "listOnCalls": "escalation_policies users schedules",
            "listUsers": _USER,
            "getUser": f"{_USER} calendar_urls",
            "getCurrentUser": f"{_USER} calendar_urls",
            "listTeamUsers": "users",
            "listMaintenanceWindows": _WINDOW,
            "getMaintenanceWindow": _WINDOW,
        }.items()
    }
)


def check_inclusions(operation_id: str, query: Mapping[str, Sequence[str]]) -> None:
    """Raises RestError (400) if `include[]` asks for what the operation does not have."""
    known = INCLUSIONS.get(operation_id)
    if known is None:
        return
    for name in query.get("include[]", ()):
        if name not in known:
            raise invalid(f"include[] must be one of: {', '.join(sorted(known))}")
