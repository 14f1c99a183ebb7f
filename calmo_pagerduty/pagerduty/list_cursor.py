"""The cursor of a listing: the position where it stopped, as an opaque text for the next call."""

import base64
import binascii
import hashlib
import json
from datetime import datetime
from typing import Annotated, Final

from pydantic import ConfigDict, Field, ValidationError

from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest

#: Parameters that bound a listing in time. The cursor holds them, since their defaults change with time.
TIME_BOUNDS: Final = (
    "since",
    "until",
    "created_at_start",
    "created_at_end",
    "date_range_start",
    "date_range_end",
    "updated_after",
)
_MAX_TOKEN_LENGTH: Final = 500_000

_Short = Annotated[str, Field(max_length=100)]


class ListCursor(FrozenModel):
    """A position in a listing. Times are UTC.

    `second` is the creation time of the last returned item, in whole seconds. `handed` are the ids of the
    items already returned from that second, so that a search that is cut there returns none of them twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    #: Digest of the listing: a cursor is valid for its own listing only.
    listing: _Short
    bounds: dict[_Short, _Short] = Field(default_factory=dict)
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    cursor: Annotated[str, Field(max_length=4000)] | None = None
    #: How many items of the next page were already returned.
    skip: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    newest_first: bool | None = None
    in_time_order: bool = True
    second: datetime | None = None
    handed: tuple[_Short, ...] = ()
    #: The second at which the search was cut; None if it wasn't.
    edge: datetime | None = None


def start_cursor(listing: ListRequest, connection_id: str) -> ListCursor:
    """Return the position where a listing goes on. Raises InvalidRequest for another listing's `after`."""
    digest = _digest(listing, connection_id)
    if listing.after is None:
        return ListCursor(listing=digest, bounds=_bounds(listing.request))
    position = _decode_cursor(listing.after)
    if position is None:
        raise InvalidRequest(
            "this isn't a position in a list", advice="pass on `next` of an earlier answer unchanged"
        )
    if position.listing != digest or not set(position.bounds) <= set(TIME_BOUNDS):
        raise InvalidRequest(
            "this is a position in another list",
            advice="repeat the arguments that it came from, or omit it to start again",
        )
    return position


def encode_cursor(position: ListCursor) -> str:
    """Return the position as opaque text (base64url of JSON)."""
    plain = position.model_dump_json(exclude_defaults=True)
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _decode_cursor(text: str) -> ListCursor | None:
    if len(text) > _MAX_TOKEN_LENGTH or not text.isascii():
        return None
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        position = ListCursor.model_validate_json(plain)
    except (binascii.Error, ValidationError, ValueError):
        return None
    zoned = all(at is None or at.tzinfo is not None for at in (position.second, position.edge))
    return position if zoned else None


def with_bounds(request: ApiRequest, bounds: dict[str, str]) -> ApiRequest:
    """Return the request with its time bounds replaced, in its query or in its body's filters."""
    body = request.body
    if body is not None and isinstance(body.get("filters"), dict):
        others = {name: value for name, value in body["filters"].items() if name not in TIME_BOUNDS}
        filters = {name: value for name, value in bounds.items() if name not in {"since", "until"}}
        return request.model_copy(update={"body": {**body, "filters": {**others, **filters}}})
    query = tuple(pair for pair in request.query if pair[0] not in TIME_BOUNDS)
    return request.model_copy(update={"query": (*query, *bounds.items())})


def _bounds(request: ApiRequest) -> dict[str, str]:
    filters = (request.body or {}).get("filters")
    pairs = filters.items() if isinstance(filters, dict) else request.query
    return {name: str(value) for name, value in pairs if name in TIME_BOUNDS and value is not None}


def _digest(listing: ListRequest, connection_id: str) -> str:
    request = with_bounds(listing.request, {})
    body: JsonObject = {
        name: value for name, value in (request.body or {}).items() if name not in {"limit", "starting_after"}
    }
    parts = [connection_id, request.method, request.path, request.query, body, listing.items, listing.paging]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
