"""Read schedules of unknown kind (layer-based or shift-based): the wrong kind's API answers 400."""

from datetime import datetime

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import (
    InvalidRequest,
    NotFound,
    PagerDutyError,
    RateLimited,
    TokenRejected,
)
from calmo_pagerduty.pagerduty.request_builders import SubPlan, get, list_request
from calmo_pagerduty.pagerduty.requests import JsonObject, ListRequest, ListResult
from calmo_pagerduty.pagerduty.schedules import ScheduleKind

#: The most overrides or custom shifts that are read for one schedule and window.
MAX_SHIFT_CHANGES = 1000


def fetch_schedule(schedule_id: str, since: datetime | None = None, until: datetime | None = None) -> SubPlan:
    """Return the kind and PagerDuty's schedule, with its entries if a window is given.

    An upgrade changes the kind and keeps the id, so the kind is not cached.
    """
    try:
        answer = yield get(f"/schedules/{schedule_id}", since=since, until=until)
        return ScheduleKind.LAYERS, as_object(answer.get("schedule"))
    except InvalidRequest as refused:
        # PagerDuty doesn't guarantee the error's text, so try the other kind after any 400.
        query = {"since": since, "until": until, "include[]": "final_schedule" if since else None}
        try:
            answer = yield get(f"/v3/schedules/{schedule_id}", **query)
        except (InvalidRequest, NotFound):
            raise refused from None
        return ScheduleKind.SHIFTS, as_object(answer.get("schedule"))


def fetch_layer_overrides(schedule_id: str, since: datetime, until: datetime) -> SubPlan:
    """Return a layer-based schedule's overrides, which PagerDuty returns in one page."""
    answer = yield get(f"/schedules/{schedule_id}/overrides", since=since, until=until)
    return as_objects(answer.get("overrides"))


def fetch_shift_changes(schedule_id: str, items: str, since: datetime, until: datetime) -> SubPlan:
    """Return a shift-based schedule's `overrides` or `custom_shifts` in the window."""
    request = get(f"/v3/schedules/{schedule_id}/{items}", since=since, until=until)
    listed: ListResult = yield list_request(request, items, MAX_SHIFT_CHANGES)
    return listed


class ScheduleLister:
    """Lists layer-based, then shift-based schedules. If one list fails, the other is still returned."""

    def __init__(self, limit: int, after: str | None) -> None:
        kind, _, self._after = (after or "").partition(":")
        self._skip_layers = kind == ScheduleKind.SHIFTS.value
        self._limit = limit
        self.items: list[tuple[ScheduleKind, JsonObject]] = []
        self.next: str | None = None
        self.notes: list[str] = []
        self._failures: list[PagerDutyError] = []

    def list_both(self, layers: ListRequest, shifts: ListRequest) -> SubPlan:
        """Fill `items`, `next` and `notes`. Raises the first error if both lists fail."""
        if not self._skip_layers:
            yield from self._list_kind(ScheduleKind.LAYERS, layers, self._after or None)
            if self.next:
                return
        room = self._limit - len(self.items)
        if room < 1:
            self.next = f"{ScheduleKind.SHIFTS}:"
            return
        after = self._after if self._skip_layers else None
        yield from self._list_kind(
            ScheduleKind.SHIFTS, shifts.model_copy(update={"at_most": room}), after or None
        )
        if len(self._failures) == (1 if self._skip_layers else 2):
            raise self._failures[0]

    def _list_kind(self, kind: ScheduleKind, listing: ListRequest, after: str | None) -> SubPlan:
        try:
            listed: ListResult = yield listing.model_copy(update={"after": after})
        except (TokenRejected, RateLimited):
            raise
        except PagerDutyError as error:
            self._failures.append(error)
            self.notes.append(f"Schedules made of {kind} are missing: {error.message}.")
            return
        seen = {resource.get("id") for _, resource in self.items}
        self.items += [(kind, resource) for resource in listed.items if resource.get("id") not in seen]
        self.notes += listed.notes
        self.next = f"{kind}:{listed.next}" if listed.next else None
