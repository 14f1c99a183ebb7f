"""The tool that applies a draft of schedule changes, if the schedule is still what the draft is for."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.request_builders import SubPlan, list_result, post, reference
from calmo_pagerduty.pagerduty.requests import JsonObject, Plan
from calmo_pagerduty.pagerduty.schedule_drafts import DraftChange, DraftState, OnCall, draft_state
from calmo_pagerduty.pagerduty.schedule_versions import structure_version
from calmo_pagerduty.pagerduty.schedules import ScheduleKind, parse_layer_schedule, parse_shift_schedule
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import Id, Time
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans.override_pieces import plan_overrides
from calmo_pagerduty.tools.plans.schedule_kinds import fetch_schedule

MAX_CHANGES = 100
MAX_WINDOW = timedelta(days=92)
_RECOMPUTE = "nothing was changed: take a new snapshot and compute the draft again"


class ShiftChange(Arguments):
    user_id: Id = Field(description="Who is to be on call.")
    replaced_user_id: Id | None = Field(None, description="Who is on call now; left out if nobody is.")
    start: Time
    end: Time

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end: it must be after start")
        if self.replaced_user_id == self.user_id:
            raise ValueError("replaced_user_id: it is user_id")
        return self


class ApplyScheduleDraft(Arguments):
    schedule_id: Id
    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="The schedule's version that the draft was computed from."
    )
    since: Time = Field(description="Where the version's time begins, as the draft says.")
    until: Time
    changes: tuple[ShiftChange, ...] = Field(min_length=1, max_length=MAX_CHANGES)

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if not timedelta(0) < self.until - self.since <= MAX_WINDOW:
            raise ValueError(f"until: it must be after since, by {MAX_WINDOW.days} days at most")
        if any(change.start < self.since or change.end > self.until for change in self.changes):
            raise ValueError("changes: they must lie within since and until")
        return self


def apply_schedule_draft(arguments: ApplyScheduleDraft, call: CallContext) -> Plan:
    kind, resource, state = yield from _read(arguments)
    if not state.is_current:
        # No `ChangedMeanwhile`: that is tried again, and this draft would be refused again.
        refusal = InvalidRequest(
            "The schedule is no longer the one that the draft was computed for", advice=_RECOMPUTE
        )
        refusal.changed_nothing = True
        raise refusal
    if any(change.end <= call.now.timestamp() for change in state.missing):
        raise InvalidRequest("A change of the draft lies in the past", advice=_RECOMPUTE)
    if state.missing and kind is ScheduleKind.LAYERS:
        yield from _add_overrides(arguments.schedule_id, state.missing)
    elif state.missing:
        yield from _add_shifts(arguments.schedule_id, resource, state.missing)
    _, _, after = yield from _read(arguments)
    notes = [f"{len(state.done)} of the changes were in force already."] if state.done else []
    if after.missing:
        notes.append(f"{len(after.missing)} changes are not in force yet: look at the schedule.")
    return list_result(
        (_shape(change, change not in after.missing) for change in _changes(arguments)), None, notes
    )


def _read(arguments: ApplyScheduleDraft) -> SubPlan:
    """Return kind, PagerDuty's schedule, and how the draft stands to it."""
    kind, resource = yield from fetch_schedule(arguments.schedule_id, arguments.since, arguments.until)
    window = Span(int(arguments.since.timestamp()), int(arguments.until.timestamp()))
    state: DraftState = draft_state(
        structure_version(kind, resource),
        _entries(kind, resource),
        window,
        arguments.version,
        _changes(arguments),
    )
    return kind, resource, state


def _changes(arguments: ApplyScheduleDraft) -> tuple[DraftChange, ...]:
    return tuple(
        DraftChange(
            int(change.start.timestamp()),
            int(change.end.timestamp()),
            change.user_id,
            change.replaced_user_id,
        )
        for change in arguments.changes
    )


def _entries(kind: ScheduleKind, resource: JsonObject) -> list[OnCall]:
    parse = parse_layer_schedule if kind is ScheduleKind.LAYERS else parse_shift_schedule
    return [
        (int(entry.start.timestamp()), int(entry.end.timestamp()), user_id)
        for entry in parse(resource).entries
        for user_id in entry.user_ids
    ]


def _add_overrides(schedule_id: str, changes: tuple[DraftChange, ...]) -> SubPlan:
    """Create all overrides by one request. PagerDuty answers with a status for each of them."""
    overrides = [
        {
            "start": _iso(change.start),
            "end": _iso(change.end),
            "user": reference(change.user_id, "user"),
            "time_zone": "UTC",
        }
        for change in changes
    ]
    answer: Any = yield post(f"/schedules/{schedule_id}/overrides", {"overrides": overrides})
    rows = answer if isinstance(answer, list) else next(iter(as_object(answer).values()), [])
    refused = [row for row in as_objects(rows) if isinstance(row.get("status"), int) and row["status"] >= 300]
    if refused:
        errors = refused[0].get("errors")
        reason = "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors or "")
        refusal = InvalidRequest(
            f"PagerDuty refused {len(refused)} of {len(changes)} overrides",
            advice=f"{reason[:200]}; the others are in force",
        )
        refusal.changed_nothing = len(refused) == len(changes)
        raise refusal


def _add_shifts(schedule_id: str, resource: JsonObject, changes: tuple[DraftChange, ...]) -> SubPlan:
    """Create overrides of single sources, and custom shifts where nobody is on call."""
    overrides: list[JsonObject] = []
    custom_shifts: list[JsonObject] = []
    for change in changes:
        planned = plan_overrides(
            resource, _moment(change.start), _moment(change.end), change.user_id, change.replaced_id
        )
        overrides += planned.overrides
        custom_shifts += planned.custom_shifts
    for items, bodies in (("overrides", overrides), ("custom_shifts", custom_shifts)):
        if bodies:
            yield post(f"/v3/schedules/{schedule_id}/{items}", {items: bodies})


def _shape(change: DraftChange, is_in_force: bool) -> JsonObject:
    return {
        "start": _iso(change.start),
        "end": _iso(change.end),
        "user_id": change.user_id,
        "replaces_user_id": change.replaced_id,
        "in_force": is_in_force,
    }


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _iso(seconds: int) -> str:
    return format_iso_utc(_moment(seconds))


TOOLS = (
    Tool(
        name="apply_schedule_draft",
        title="Apply schedule draft",
        description="Changes who is on call by a draft of swaps and handovers, as what-if optimise computes "
        "it. Refused if the schedule has changed since: then compute the draft again.",
        category=Category.ON_CALL,
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=ApplyScheduleDraft,
        plan=apply_schedule_draft,
        shape=Shape.LIST,
        columns=(
            Column("Start", "start"),
            Column("End", "end"),
            Column("User", "user_id"),
            Column("Replaces", "replaces_user_id"),
            Column("In force", "in_force"),
        ),
        operations=(
            "getSchedule",
            "getScheduleV3",
            "createScheduleOverride",
            "createOverrides",
            "createCustomShifts",
        ),
        scopes=("schedules.write", "schedules.read"),
        destructive=True,
    ),
)
