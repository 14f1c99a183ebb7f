"""Tools that snooze and merge incidents. Each is safe to repeat."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import AlreadySo
from calmo_pagerduty.pagerduty.request_builders import SubPlan, get, post, put, references
from calmo_pagerduty.pagerduty.requests import JsonObject, Plan
from calmo_pagerduty.tools.fields import Id
from calmo_pagerduty.tools.markers import CLOCK_TOLERANCE
from calmo_pagerduty.tools.model import CallContext
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.incidents import IncidentArguments, changes_an_incident


class SnoozeIncident(IncidentArguments):
    seconds: int = Field(ge=60, le=604_800, description="Time until it triggers again.")


def snooze_incident(arguments: SnoozeIncident, call: CallContext) -> Plan:
    path = f"/incidents/{arguments.incident_id}"
    if call.repeated:
        answer = yield get(path)
        resource = as_object(answer.get("incident"))
        if _is_snoozed_until(resource, call.first_attempt_at + timedelta(seconds=arguments.seconds)):
            return shapes.shape_incident_details(resource)
    answer = yield post(f"{path}/snooze", {"duration": arguments.seconds}, in_the_name_of=True)
    return shapes.shape_incident_details(as_object(answer.get("incident")))


def _is_snoozed_until(resource: JsonObject, end_at: datetime) -> bool:
    ends = [
        parse_instant(action.get("at"))
        for action in as_objects(resource.get("pending_actions"))
        if action.get("type") == "unacknowledge"
    ]
    return any(end is not None and end >= end_at - CLOCK_TOLERANCE for end in ends)


class MergeIncidents(IncidentArguments):
    source_incident_ids: tuple[Id, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        if self.incident_id in self.source_incident_ids:
            raise ValueError("source_incident_ids: an incident isn't merged into itself")
        return self


def merge_incidents(arguments: MergeIncidents, call: CallContext) -> Plan:
    path = f"/incidents/{arguments.incident_id}"
    sources = list(arguments.source_incident_ids)
    if call.repeated:
        sources = yield from _unmerged_sources(sources, arguments.incident_id)
    if sources:
        body = {"source_incidents": references(sources, "incident")}
        try:
            yield put(f"{path}/merge", body, in_the_name_of=True)
        except AlreadySo:
            pass  # An earlier attempt merged them.
    # PagerDuty answers a merge with a reference only.
    answer = yield get(path)
    return shapes.shape_incident_details(as_object(answer.get("incident")))


def _unmerged_sources(sources: list[str], target_id: str) -> SubPlan:
    remaining = []
    for source in sources:
        answer = yield get(f"/incidents/{source}")
        reason = as_object(as_object(answer.get("incident")).get("resolve_reason"))
        if as_object(reason.get("incident")).get("id") != target_id:
            remaining.append(source)
    return remaining


TOOLS = (
    changes_an_incident(
        name="snooze_incident",
        title="Snooze incident",
        description="Snoozes an acknowledged incident: it stays quiet for a time, then triggers again.",
        arguments=SnoozeIncident,
        plan=snooze_incident,
        operations=("createIncidentSnooze", "getIncident"),
        idempotent=False,
    ),
    changes_an_incident(
        name="merge_incidents",
        title="Merge incidents",
        description="Moves the alerts of other incidents into this open one, and resolves those. It can't be "
        "undone.",
        arguments=MergeIncidents,
        plan=merge_incidents,
        operations=("mergeIncidents", "getIncident"),
        destructive=True,
    ),
)
