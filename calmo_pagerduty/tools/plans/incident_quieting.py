"""Tools that put incidents aside: snoozing one, merging several. Each is safe to repeat."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.pagerduty.errors import AlreadySo
from calmo_pagerduty.pagerduty.request_builders import Asking, get, post, put, references
from calmo_pagerduty.pagerduty.requests import JsonObject, Plan
from calmo_pagerduty.tools.model import Call
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.fields import Id
from calmo_pagerduty.tools.plans.incidents import OneIncident, changes_an_incident
from calmo_pagerduty.tools.plans.markers import CLOCKS


class SnoozeIncident(OneIncident):
    seconds: int = Field(ge=60, le=604_800, description="Until it is triggered again.")


def snooze_incident(arguments: SnoozeIncident, call: Call) -> Plan:
    path = f"/incidents/{arguments.incident_id}"
    if call.repeated:
        answer = yield get(path)
        thing = object_of(answer.get("incident"))
        if _is_snoozed_until(thing, call.first_attempt_at + timedelta(seconds=arguments.seconds)):
            return shapes.incident_in_full(thing)
    answer = yield post(f"{path}/snooze", {"duration": arguments.seconds}, in_the_name_of=True)
    return shapes.incident_in_full(object_of(answer.get("incident")))


def _is_snoozed_until(thing: JsonObject, wanted: datetime) -> bool:
    ends = [
        instant_of(action.get("at"))
        for action in objects_of(thing.get("pending_actions"))
        if action.get("type") == "unacknowledge"
    ]
    return any(end is not None and end >= wanted - CLOCKS for end in ends)


class MergeIncidents(OneIncident):
    source_incident_ids: tuple[Id, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _into_another(self) -> Self:
        if self.incident_id in self.source_incident_ids:
            raise ValueError("source_incident_ids: an incident isn't merged into itself")
        return self


def merge_incidents(arguments: MergeIncidents, call: Call) -> Plan:
    path = f"/incidents/{arguments.incident_id}"
    sources = list(arguments.source_incident_ids)
    if call.repeated:
        sources = yield from _not_merged_yet(sources, arguments.incident_id)
    if sources:
        body = {"source_incidents": references(sources, "incident")}
        try:
            yield put(f"{path}/merge", body, in_the_name_of=True)
        except AlreadySo:
            pass  # They were merged before.
    # PagerDuty answers a merge with a reference only.
    answer = yield get(path)
    return shapes.incident_in_full(object_of(answer.get("incident")))


def _not_merged_yet(sources: list[str], target_id: str) -> Asking:
    remaining = []
    for source in sources:
        answer = yield get(f"/incidents/{source}")
        reason = object_of(object_of(answer.get("incident")).get("resolve_reason"))
        if object_of(reason.get("incident")).get("id") != target_id:
            remaining.append(source)
    return remaining


TOOLS = (
    changes_an_incident(
        name="snooze_incident",
        title="Snooze incident",
        description="Changes an acknowledged incident: it stays quiet for a time, then triggers again.",
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
