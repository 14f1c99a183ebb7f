"""The API's responses as values, and the errors in PagerDuty's documented and observed shapes.

Source: PagerDuty's REST documentation, "Errors"; shapes marked "seen" come only from clients.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: `body` is sent as JSON, `text` as it is."""

    status: int
    body: Any = None
    text: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())


class RestError(Exception):
    """Ends a request with this response."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


def error_answer(status: int, code: int | None, message: str, errors: Any = None) -> Answer:
    """Return an error in the usual shape; `errors` may be a list, a string or an object."""
    error: dict[str, Any] = {"message": message}
    if code is not None:
        error["code"] = code
    if errors is not None:
        error["errors"] = errors
    return Answer(status, {"error": error})


def refused(status: int, code: int | None, message: str, errors: Any = None) -> RestError:
    """Return an exception with an error in the usual shape."""
    return RestError(error_answer(status, code, message, errors))


def invalid(*errors: str, code: int = 2001) -> RestError:
    """Return the exception of a failed validation (400)."""
    return refused(400, code, "Invalid Input Provided", list(errors))


def invalid_v3(field_name: str, *errors: str) -> RestError:
    """Return the exception of a failed validation in /v3, where `errors` maps fields to messages."""
    return refused(400, 2001, "Invalid Request", {field_name: list(errors)})


def as_v3(answer: Answer) -> Answer:
    """Return the refusal as /v3 shapes it; a list of errors becomes one of no field in particular."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("errors"), list):
        return answer
    return replace(answer, body={"error": {**error, "errors": {"base": error["errors"]}}})


def not_found() -> RestError:
    """Return the exception for 404."""
    return RestError(ERRORS["not_found"])


# All kinds of refusals, by a name for tests: `faults.fail_next("access_lost")`.
ERRORS: Final[Mapping[str, Answer]] = MappingProxyType(
    {
        "rate_limited": error_answer(429, 2020, "Rate Limit Exceeded"),
        "empty_429": Answer(429),
        "not_a_hash": error_answer(400, 2001, "Invalid Input Provided", ["params must be a Hash"]),
        "range_too_wide": error_answer(400, 2001, "Invalid Input Provided", [" is invalid."]),
        "offset_too_large": error_answer(
            400,
            2002,
            "Arguments Caused Error",
            ["Offset+limit goes beyond the 10000 records that can be listed; narrow the time range"],
        ),
        "open_key": error_answer(
            400,
            2002,
            "Arguments Caused Error",
            ["Open incident with matching dedup key already exists on this service"],
        ),
        "from_missing": error_answer(400, 2016, 'This action needs a user\'s address in the "From" header'),
        "from_unknown": error_answer(400, 1008, "Requester User Not Found", []),
        "already_resolved": error_answer(400, 1001, "Incident Already Resolved"),
        "already_acknowledged": error_answer(400, 1002, "Incident Already Acknowledged"),
        "incident_changed": error_answer(400, 1005, "Incident was changed since it was read"),
        "account_token": Answer(400, {"error": "An account's token has no user of its own"}),
        "shift_based": error_answer(
            400, None, "This is a shift-based schedule. Use the v3 Schedules API to access it."
        ),
        "layer_based": error_answer(
            400, None, "This is a layer-based schedule. Use the v2 Schedules API to access it."
        ),
        "errors_is_text": error_answer(400, 2001, "Invalid Input Provided", "Name is taken"),
        "error_is_list": Answer(400, {"error": ["Name is taken"]}),
        "errors_is_map": error_answer(400, 2001, "Invalid Request", {"event.name": ["cannot be blank"]}),
        "unauthenticated": error_answer(401, 2006, "Authentication failed"),
        "no_ability": error_answer(402, 2014, "Missing Account Ability"),
        "access_denied": error_answer(403, 2010, "Access Denied"),
        "access_lost": error_answer(403, 2018, "Access Denied: access may end when an incident is resolved"),
        "not_found": error_answer(404, 2100, "Not Found"),
        "window_over": error_answer(405, 5003, "A maintenance window of the past cannot be ended"),
        "too_slow": error_answer(408, 2016, "The request took too long to process"),
        "too_large": error_answer(413, None, "Request Entity Too Large"),
        "unprocessable": error_answer(422, 2001, "Invalid Input Provided", ["ids cannot be processed"]),
        "internal_error": error_answer(500, 2000, "An internal error has occurred"),
        "unavailable": Answer(503),
        "html_error": Answer(
            502, text="<html><body>Bad Gateway</body></html>", headers=(("content-type", "text/html"),)
        ),
    }
)
