"""Where a listing stopped, as an opaque text that a caller hands back to go on from there."""

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

#: Bounds in time: a caller who resumes may have newer defaults for them, so they are kept in the position.
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
    """A place in a listing.

    `second` and `handed` are what was handed out last: the second it is of, and the ids of that
    second, so that a window cut there hands nothing out twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    #: A digest of what is listed: a position is good for its own listing only.
    listing: _Short
    bounds: dict[_Short, _Short] = Field(default_factory=dict)
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    cursor: Annotated[str, Field(max_length=4000)] | None = None
    #: How many things of the next page were handed out already.
    skip: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    newest_first: bool | None = None
    in_time_order: bool = True
    second: datetime | None = None
    handed: tuple[_Short, ...] = ()
    #: The second at which the window was cut, if it was.
    edge: datetime | None = None


def start_cursor(listing: ListRequest, whose: str) -> ListCursor:
    """Return the place where a listing goes on. Raises InvalidRequest for another listing's `after`."""
    digest = _digest(listing, whose)
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
            advice="repeat the arguments that it came from, or leave it away to begin anew",
        )
    return position


def encode_cursor(position: ListCursor) -> str:
    """Return the position as an opaque text."""
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
    """Return the request with these bounds in time, wherever it holds its own."""
    body = request.body
    if body is not None and isinstance(body.get("filters"), dict):
        kept = {name: value for name, value in body["filters"].items() if name not in TIME_BOUNDS}
        filters = {name: value for name, value in bounds.items() if name not in {"since", "until"}}
        return request.model_copy(update={"body": {**body, "filters": {**kept, **filters}}})
    query = tuple(pair for pair in request.query if pair[0] not in TIME_BOUNDS)
    return request.model_copy(update={"query": (*query, *bounds.items())})


def _bounds(request: ApiRequest) -> dict[str, str]:
    filters = (request.body or {}).get("filters")
    pairs = filters.items() if isinstance(filters, dict) else request.query
    return {name: str(value) for name, value in pairs if name in TIME_BOUNDS and value is not None}


def _digest(listing: ListRequest, whose: str) -> str:
    request = with_bounds(listing.request, {})
    body: JsonObject = {
        name: value for name, value in (request.body or {}).items() if name not in {"limit", "starting_after"}
    }
    parts = [whose, request.method, request.path, request.query, body, listing.items, listing.paging]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
