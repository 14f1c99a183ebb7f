"""All tools, in the order of the documentation and of lists."""

from collections.abc import Mapping
from types import MappingProxyType

from calmo_pagerduty.tools.model import Tool
from calmo_pagerduty.tools.plans import (
    analytics,
    escalation_policies,
    incident_insights as context,
    incident_messages,
    incident_quieting,
    incident_writes,
    incidents,
    reports,
    rotation_drafts,
    schedule_changes,
    schedule_drafts,
    schedule_overrides,
    schedules,
    services,
    teams,
    users,
)

_ROWS = (
    *incidents.TOOLS,
    *incident_writes.TOOLS,
    *incident_quieting.TOOLS,
    *incident_messages.TOOLS,
    *services.TOOLS,
    *escalation_policies.TOOLS,
    *schedules.TOOLS,
    *schedule_overrides.TOOLS,
    *schedule_changes.TOOLS,
    *schedule_drafts.TOOLS,
    *rotation_drafts.TOOLS,
    *users.TOOLS,
    *teams.TOOLS,
    *analytics.TOOLS,
    *reports.TOOLS,
    *context.TOOLS,
)

#: Every tool by its name.
TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in _ROWS})

if len(TOOLS) != len(_ROWS):
    raise ValueError("two tools have the same name")
