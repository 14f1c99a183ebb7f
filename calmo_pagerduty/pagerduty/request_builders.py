"""Builders for plans: requests, list requests and results."""

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from typing import Any

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult, Method, Paging

ShapeItem = Callable[[JsonObject], JsonObject]

#: A part of a plan: it yields requests and returns a value to the plan.
SubPlan = Generator[ApiRequest | ListRequest, Any, Any]


def format_shown_time(text: Any) -> Any:
    """Return a time of PagerDuty in UTC, as results show it. A text that is no time stays as it is."""
    moment = parse_instant(text)
    return format_iso_utc(moment) if moment else text


def query_pairs(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return query pairs: None is left out, a list repeats the name, times become UTC."""
    return tuple((name, text) for name, value in parameters.items() for text in _texts(value))


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, tuple | list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [format_iso_utc(value) if isinstance(value, datetime) else str(value)]


def get(path: str, **query: Any) -> ApiRequest:
    """Build a GET request. Give lists under PagerDuty's documented name: `**{"include[]": …}`."""
    return ApiRequest(method=Method.GET, path=path, query=query_pairs(query))


def post(path: str, body: JsonObject, *, in_the_name_of: bool = False) -> ApiRequest:
    """Build a POST. `in_the_name_of`: PagerDuty wants a From header with a user's address."""
    return ApiRequest(method=Method.POST, path=path, body=body, in_the_name_of=in_the_name_of)


def put(path: str, body: JsonObject, *, in_the_name_of: bool = False) -> ApiRequest:
    """Build a PUT. `in_the_name_of`: PagerDuty wants a From header with a user's address."""
    return ApiRequest(method=Method.PUT, path=path, body=body, in_the_name_of=in_the_name_of)


def analytics_request(path: str, body: JsonObject) -> ApiRequest:
    """Build a request for analytics, which are read by POST and have a daily quota."""
    return ApiRequest(method=Method.POST, path=path, body=body, daily_quota=True)


def list_request(
    request: ApiRequest,
    items: str,
    limit: int,
    after: str | None = None,
    *,
    paging: Paging = Paging.CLASSIC,
    divisible: bool = False,
    keep: Callable[[JsonObject], bool] | None = None,
) -> ListRequest:
    """Build the request of a list, of which at most `limit` items are returned from `after` on.

    `keep` filters what PagerDuty can't: the list is read on until `limit` items are kept.
    """
    return ListRequest(
        request=request,
        items=items,
        paging=paging,
        at_most=limit,
        after=after,
        divisible_by_time=divisible,
        page_size=100 if keep else max(1, min(limit, 1000 if paging is Paging.ANALYTICS else 100)),
        keep=keep,
    )


def list_result(
    items: Iterable[JsonObject], next_: str | None = None, notes: Iterable[str] = ()
) -> JsonObject:
    """Return a tool's result for a list. `next_` is the cursor of the next page, None at the end."""
    return {"items": list(items), "next": next_, "notes": list(notes)}


def page_result(listed: ListResult, compact: ShapeItem, *notes: str) -> JsonObject:
    """Return a tool's result for a page, with each item made compact."""
    return list_result(map(compact, listed.items), listed.next, (*notes, *listed.notes))


def reference(id_: str, type_: str) -> JsonObject:
    """Return a reference to an object, as PagerDuty wants it in a body."""
    return {"id": id_, "type": f"{type_}_reference"}


def references(ids: Iterable[str], type_: str) -> list[JsonObject]:
    """Return a reference to each of the objects."""
    return [reference(id_, type_) for id_ in ids]


def without_none(fields: Mapping[str, Any]) -> JsonObject:
    """Return the fields whose value is not None."""
    return {name: value for name, value in fields.items() if value is not None}
