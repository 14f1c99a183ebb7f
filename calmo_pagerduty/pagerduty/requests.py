"""Requests to PagerDuty's REST API as values: tools build them, the client sends them."""

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import Any

from pydantic import model_validator

from calmo_pagerduty.kernel.model import FrozenModel

JsonObject = dict[str, Any]


class Method(StrEnum):
    """The HTTP methods of PagerDuty's REST API."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


class Paging(StrEnum):
    """How an endpoint pages its list. Source: PagerDuty's REST documentation, "Pagination"."""

    NONE = "none"
    #: `limit` and `offset`, up to 10,000 items.
    CLASSIC = "classic"
    #: `limit` and `cursor`, until `next_cursor` is null.
    CURSOR = "cursor"
    #: `limit` and `starting_after` in the body, until `more` is false.
    ANALYTICS = "analytics"


class ApiRequest(FrozenModel):
    """One request. `path` begins with / and holds no query. `query` may hold a name several times."""

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: JsonObject | None = None
    #: True if PagerDuty needs to know the author: the connection's address is sent as `From`.
    in_the_name_of: bool = False
    #: True if the request counts against the account's daily analytics quota.
    daily_quota: bool = False

    @property
    def is_write(self) -> bool:
        """Analytics are read by POST; every other POST, PUT and DELETE writes."""
        return self.method is not Method.GET and not self.path.startswith("/analytics/")

    @model_validator(mode="after")
    def _check_path(self) -> "ApiRequest":
        if not self.path.startswith("/") or set(self.path) & set("?#\\ ") or "//" in self.path:
            raise ValueError("a path begins with one slash and holds no query, fragment or space")
        if any(part in {".", ".."} for part in self.path.split("/")):
            raise ValueError("a path doesn't climb")
        return self


class ListRequest(FrozenModel):
    """A list to read: its first request, the answer's field with the items, and how many to read."""

    request: ApiRequest
    #: The answer's field that holds the items, such as `incidents`.
    items: str
    paging: Paging
    #: The maximum number of items.
    at_most: int
    #: `next` of an earlier result; None starts at the beginning.
    after: str | None = None
    #: True if `since` and `until` may be narrowed to get past the 10,000 items of one search.
    divisible_by_time: bool = False
    page_size: int = 100
    #: Tells which items to keep, where PagerDuty can't filter; None keeps all. `at_most` counts kept items.
    keep: Callable[[JsonObject], bool] | None = None
    #: How many items to read at most in search of those to keep.
    read_at_most: int = 1_000


class ListResult(FrozenModel):
    """Items in order. `next` is the cursor for the following items; None at the end of the list."""

    items: tuple[JsonObject, ...] = ()
    next: str | None = None
    #: Notes for the reader, such as that a part is missing, and why.
    notes: tuple[str, ...] = ()
    #: How many items were read to find these.
    read: int = 0


#: A generator without I/O. It yields requests, is sent the answer (a JsonObject for an ApiRequest, a
#: ListResult for a ListRequest) or has PagerDutyError thrown into it, and returns the result.
Plan = Generator[ApiRequest | ListRequest, Any, JsonObject]
