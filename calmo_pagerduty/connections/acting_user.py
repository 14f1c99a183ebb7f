"""As whom PagerDuty knows a connection's writes: the agent of the events that tell of them."""

from typing import Any

from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.errors import Refused
from calmo_pagerduty.pagerduty.request_builders import get, list_request
from calmo_pagerduty.pagerduty.requests import ListResult, Plan


def acting_user(from_address: str | None) -> Plan:
    """Return the user: a user token's owner, else whose address goes along as From. Nothing if PagerDuty
    doesn't say: a token may lack the right to look at users.
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
    wanted = from_address.casefold()
    found: list[dict[str, Any]] = [
        user for user in listed.items if str(user.get("email") or "").casefold() == wanted
    ]
    return found[0] if found else {}
