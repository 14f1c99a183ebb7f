"""What is asked of PagerDuty's REST API, as values: tools say it, the client sends it."""

from collections.abc import Generator
from enum import StrEnum
from typing import Any

from pydantic import model_validator

from calmo_pagerduty.kernel.model import FrozenModel

JsonObject = dict[str, Any]


class Method(StrEnum):
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


class Paging(StrEnum):
    """How an endpoint hands out a long list. Source: PagerDuty's REST documentation, "Pagination"."""

    NONE = "none"
    #: `limit` and `offset`, up to 10,000 things.
    CLASSIC = "classic"
    #: `limit` and `cursor`, until `next_cursor` is null.
    CURSOR = "cursor"
    #: `limit` and `starting_after` in the body, until `more` is false.
    ANALYTICS = "analytics"


class ApiRequest(FrozenModel):
    """One call. `path` begins with / and holds no query; a repeated parameter is repeated in `query`."""

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: JsonObject | None = None
    #: Whether the call is made in somebody's name: the connection's address goes along as `From`.
    in_the_name_of: bool = False
    #: Whether it counts against the account's daily analytics quota.
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
    """A long list: its first request, where the things are in each answer, how many are wanted."""

    request: ApiRequest
    #: The answer's field that holds the things, such as `incidents`.
    items: str
    paging: Paging
    #: How many things are wanted at most.
    at_most: int
    #: Where an earlier listing stopped; None begins at the beginning.
    after: str | None = None
    #: Whether `since` and `until` may be narrowed, to get past the 10,000 that one listing can reach.
    divisible_by_time: bool = False
    page_size: int = 100


class ListResult(FrozenModel):
    """Things in order. `next` is where it stopped, None if there is nothing more."""

    items: tuple[JsonObject, ...] = ()
    next: str | None = None
    #: What the reader must know, in words: that a part is missing, and why.
    notes: tuple[str, ...] = ()


#: A conversation with PagerDuty without I/O: it yields what is to be asked, is sent what came back
#: (the answer's object, or what was listed), has PagerDutyError thrown into it, and returns a result.
Plan = Generator[ApiRequest | ListRequest, Any, JsonObject]
