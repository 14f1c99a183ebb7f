"""The words that plans are made of: requests, listings, and the three shapes of results."""

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from typing import Any

from calmo_pagerduty.kernel.instants import instant_of, iso_utc
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, Listed, Listing, Method, Paging

Compact = Callable[[JsonObject], JsonObject]

#: A part of a plan: it asks, and returns something that the plan goes on with.
Asking = Generator[ApiRequest | Listing, Any, Any]


def moment_shown(text: Any) -> Any:
    """Return PagerDuty's time as results show it, in UTC; what is no time is left as it is."""
    moment = instant_of(text)
    return iso_utc(moment) if moment else text


def pairs(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return a query: None is left out, several values repeat the name, instants are UTC."""
    return tuple((name, text) for name, value in parameters.items() for text in _texts(value))


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, tuple | list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [iso_utc(value) if isinstance(value, datetime) else str(value)]


def get(path: str, **query: Any) -> ApiRequest:
    """`include` and other sets are given under the name that PagerDuty documents, by `**{"ids[]": …}`."""
    return ApiRequest(method=Method.GET, path=path, query=pairs(query))


def post(path: str, body: JsonObject, *, in_the_name_of: bool = False) -> ApiRequest:
    return ApiRequest(method=Method.POST, path=path, body=body, in_the_name_of=in_the_name_of)


def put(path: str, body: JsonObject, *, in_the_name_of: bool = False) -> ApiRequest:
    return ApiRequest(method=Method.PUT, path=path, body=body, in_the_name_of=in_the_name_of)


def analytics(path: str, body: JsonObject) -> ApiRequest:
    """Analytics are read by POST, and have a quota per day."""
    return ApiRequest(method=Method.POST, path=path, body=body, daily_quota=True)


def listing(
    request: ApiRequest,
    items: str,
    limit: int,
    after: str | None = None,
    *,
    paging: Paging = Paging.CLASSIC,
    divisible: bool = False,
) -> Listing:
    return Listing(
        request=request,
        items=items,
        paging=paging,
        at_most=limit,
        after=after,
        divisible_by_time=divisible,
        page_size=max(1, min(limit, 1000 if paging is Paging.ANALYTICS else 100)),
    )


def list_result(
    items: Iterable[JsonObject], next_: str | None = None, notes: Iterable[str] = ()
) -> JsonObject:
    return {"items": list(items), "next": next_, "notes": list(notes)}


def listed_result(listed: Listed, compact: Compact, *notes: str) -> JsonObject:
    return list_result(map(compact, listed.items), listed.next, (*notes, *listed.notes))


def reference(id_: str, type_: str) -> JsonObject:
    return {"id": id_, "type": f"{type_}_reference"}


def references(ids: Iterable[str], type_: str) -> list[JsonObject]:
    return [reference(id_, type_) for id_ in ids]


def given(fields: Mapping[str, Any]) -> JsonObject:
    """Return the fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}
