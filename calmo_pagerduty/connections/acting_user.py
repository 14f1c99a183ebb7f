"""Finds the acting user: the PagerDuty user who appears as agent of a connection's writes."""

from typing import Any

from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.errors import Refused
from calmo_pagerduty.pagerduty.request_builders import get, list_request
from calmo_pagerduty.pagerduty.requests import ListResult, Plan


def acting_user(from_address: str | None) -> Plan:
    """Return the user object: a user token's owner, else the user with the From address.

    Returns {} if PagerDuty doesn't say, for instance because the token may not read users.
    Source: GET /users/me, GET /users.
    """
    try:
        answer = yield get("/users/me")
        return as_object(answer.get("user"))
    except Refused:
        if not from_address:
            return {}
    try:
        listed: ListResult = yield list_request(get("/users", query=from_address), "users", 25)
    except Refused:
        return {}
    address = from_address.casefold()
    matches: list[dict[str, Any]] = [
        user for user in listed.items if str(user.get("email") or "").casefold() == address
    ]
    return matches[0] if matches else {}
