"""Tracks a listing's order in time, so that a search beyond PagerDuty's limit can be continued.

PagerDuty returns at most 10,000 items of one search. A narrower search, which begins in the second where
the first one ended, returns the rest. The cursor holds the ids of that second's returned items.
"""

from datetime import datetime, timedelta
from typing import Final

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.pagerduty.list_cursor import ListCursor
from calmo_pagerduty.pagerduty.requests import JsonObject, ListRequest

#: The fields that hold an item's creation time, which `since` and `until` compare.
_TIME_FIELDS: Final = ("created_at", "timestamp")
#: Values of `sort_by` that sort by time. Without `sort_by`, the items' times show the order.
_SORTED_BY_TIME: Final = frozenset({"created_at", "incident_number"})


def advance_past(position: ListCursor, item: JsonObject) -> ListCursor | None:
    """Return the position after an item; None if the item was returned before."""
    at = _second_of(item)
    if at is None:
        return position.model_copy(update={"in_time_order": False})
    identity = item["id"]
    if _was_handed_out(position, at, identity):
        return None
    if at == position.second:
        return position.model_copy(update={"handed": (*position.handed, identity)})
    update: dict[str, object] = {"second": at, "handed": (identity,)}
    if position.second is not None:
        newest_first = at < position.second
        if position.newest_first not in {None, newest_first}:
            return position.model_copy(update={"in_time_order": False})
        update["newest_first"] = newest_first
    return position.model_copy(update=update)


def _was_handed_out(position: ListCursor, at: datetime, identity: str) -> bool:
    if position.edge is not None and _is_before(at, position.edge, position.newest_first):
        return True
    return at == position.second and identity in position.handed


def narrowed_cursor(listing: ListRequest, position: ListCursor) -> ListCursor | None:
    """Return the first position of the narrower search; None if narrowing could lose items."""
    at = position.second
    if at is None or not _can_be_narrowed(listing, position) or at == position.edge:
        return None
    if position.newest_first:
        # One second more, because PagerDuty may or may not include `until` itself.
        bounds = {**position.bounds, "until": format_iso_utc(at + timedelta(seconds=1))}
    else:
        bounds = {**position.bounds, "since": format_iso_utc(at)}
    return position.model_copy(update={"bounds": bounds, "offset": 0, "skip": 0, "edge": at})


def _can_be_narrowed(listing: ListRequest, position: ListCursor) -> bool:
    if not listing.divisible_by_time or not position.in_time_order or position.newest_first is None:
        return False
    query = dict(listing.request.query)
    sorted_by = query.get("sort_by", "created_at").split(",")[0].split(":")[0]
    # Without `since`, a new `until` could also move the default of `since`.
    begins = not position.newest_first or "since" in position.bounds
    return sorted_by in _SORTED_BY_TIME and query.get("date_range") != "all" and begins


def _is_before(at: datetime, edge: datetime, newest_first: bool | None) -> bool:
    return at > edge if newest_first else at < edge


def _second_of(item: JsonObject) -> datetime | None:
    text = next((item[name] for name in _TIME_FIELDS if isinstance(item.get(name), str)), None)
    if text is None or not isinstance(item.get("id"), str):
        return None
    at = parse_instant(text)
    return at and at.replace(microsecond=0)
