"""A parsed request, the operation that handles it, and helpers for both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pagerduty_simulator.account import Account
from pagerduty_simulator.references import JsonObject, Site
from pagerduty_simulator.resources import User
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid, not_found
from pagerduty_simulator.rest.tokens import Token

_FURTHEST_OFFSET: Final = 10_000

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(slots=True)
class Call:
    """A permitted request: path parameters, query, body and acting user."""

    site: AccountSite
    token: Token
    parameters: tuple[str, ...]
    query: dict[str, list[str]]
    body: JsonObject = field(default_factory=dict)
    user: User | None = None
    request_id: str = ""

    @property
    def account(self) -> Account:
        """The served account."""
        return self.site.account

    @property
    def links(self) -> Site:
        """The base addresses of links."""
        return self.site.account.site

    @property
    def by(self) -> str | None:
        """The id of the acting user, for the account's operations."""
        return None if self.user is None else self.user.id

    @property
    def now(self) -> datetime:
        """The account's present, UTC."""
        return self.site.account.now()

    def parameter(self, name: str) -> str | None:
        """Return a query parameter's last value, or None."""
        values = self.query.get(name)
        return values[-1] if values else None

    def set_of(self, name: str) -> frozenset[str]:
        """Return the values of a repeated parameter, `name` without its brackets."""
        return frozenset(self.query.get(f"{name}[]", ()))

    def includes(self, what: str) -> bool:
        """Return whether include[] has this value."""
        return what in self.query.get("include[]", ())

    def moment(self, name: str) -> datetime | None:
        """Return a time of the query in UTC; None if absent. Raises RestError if it can't be parsed."""
        text = self.parameter(name)
        return None if text is None else parse_moment(text, name)

    def span(self, since_default: datetime, until_default: datetime) -> tuple[datetime, datetime]:
        """Return since and until. Raises RestError if until is before since."""
        since = self.moment("since") or since_default
        until = self.moment("until") or until_default
        if until < since:
            raise invalid("until must not be before since")
        return since, until

    def ability(self, name: str) -> None:
        """Check that the account's plan has the ability. Raises RestError (402)."""
        if name not in self.site.abilities:
            raise RestError(ERRORS["no_ability"])

    def wrapped(self, root: str) -> JsonObject:
        """Return the object under the body's root key. Raises RestError if it is missing."""
        value = self.body.get(root)
        if not isinstance(value, dict):
            raise invalid(f"{root.replace('_', ' ').capitalize()} cannot be empty")
        return value


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation with PagerDuty's operationId as `id`; `path` has {} for each parameter."""

    id: str
    method: str
    path: str
    handle: Handler
    scope: str | None
    writes: bool = False
    from_required: bool = False
    takes_body: bool = False
    ability: str | None = None


def a_read(
    operation_id: str, path: str, handle: Handler, scope: str | None, *, ability: str | None = None
) -> Operation:
    """Return a GET operation."""
    return Operation(operation_id, "GET", path, handle, scope, ability=ability)


def a_write(
    operation_id: str,
    method: str,
    path: str,
    handle: Handler,
    scope: str | None,
    *,
    from_required: bool = False,
    ability: str | None = None,
    takes_body: bool | None = None,
) -> Operation:
    """Return a writing operation; by default all methods but DELETE take a body."""
    takes = method != "DELETE" if takes_body is None else takes_body
    return Operation(operation_id, method, path, handle, scope, True, from_required, takes, ability)


def parse_moment(text: Any, name: str) -> datetime:
    """Parse an ISO 8601 time; without an offset it is UTC. Raises RestError (400)."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise invalid(f"{name} is not a date") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def lookup(owned: dict[str, Value], object_id: str) -> Value:
    """Return the object with this id. Raises RestError (404)."""
    if object_id not in owned:
        raise not_found()
    return owned[object_id]


def reference_id(value: Any, what: str) -> str:
    """Return the id of a reference in a body. Raises RestError (400)."""
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise invalid(f"{what} must be a reference with an id")
    return str(value["id"])


def _number(call: Call, name: str, default: int) -> int:
    text = call.parameter(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise invalid(f"{name.capitalize()} must be a whole number")
    return int(text)


def limit_of(call: Call, default: int = 25, largest: int = 100) -> int:
    """Return the parameter `limit`, at most `largest`. Raises RestError (400) for less than 1."""
    limit = _number(call, "limit", default)
    if limit < 1:
        raise invalid("limit must be at least 1")
    return min(limit, largest)


def page(
    call: Call,
    root: str,
    items: Sequence[Item],
    render: Callable[[Item], Any],
    *,
    default: int = 25,
    largest: int = 100,
) -> Answer:
    """Return a page of classic (offset) pagination; only the page's items are rendered.

    Raises RestError (400, code 2002) beyond 10,000 records.
    """
    limit, offset = limit_of(call, default, largest), _number(call, "offset", 0)
    if limit + offset > _FURTHEST_OFFSET:
        raise RestError(ERRORS["offset_too_large"])
    return Answer(
        200,
        {
            root: [render(item) for item in items[offset : offset + limit]],
            "limit": limit,
            "offset": offset,
            "more": offset + limit < len(items),
            "total": len(items) if call.parameter("total") == "true" else None,
        },
    )
