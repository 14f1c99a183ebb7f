"""Parses an HTTP response: to its JSON object, or to an error with advice. Pure.

An error holds PagerDuty's message, redacted and cut short, and never the body.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from calmo_pagerduty.kernel.json_values import storable_text
from calmo_pagerduty.kernel.redaction import redact, redact_secrets
from calmo_pagerduty.pagerduty.error_table import advice_for, error_class, reason_of_message
from calmo_pagerduty.pagerduty.errors import NotUnderstood, PagerDutyError, RateLimited, ServerFault
from calmo_pagerduty.pagerduty.rate_limits import parse_seconds, rate_headers
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject

#: The wait after a 429 that doesn't state one.
DEFAULT_RETRY_AFTER: Final = timedelta(seconds=15)
#: Limits are per minute and per day, so a longer wait in a header is cut to these.
MAX_RETRY_AFTER: Final = timedelta(minutes=5)
MAX_DAILY_RETRY_AFTER: Final = timedelta(hours=25)

CHECK_FIRST_ADVICE: Final = "check whether it took effect before repeating it"
MAX_MESSAGE_LENGTH: Final = 400
_DETAILS: Final = 5
#: How a NUL or a surrogate begins in JSON, or NUL itself. PostgreSQL stores neither in JSON.
_UNSTORABLE: Final = re.compile(rb"\\u(0000|[dD][89a-fA-F])")


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """One HTTP response. Header names are in lower case. `body` is empty if an error's body didn't arrive."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str | None:
        """PagerDuty's id of the request, for its support."""
        return _redacted_line(self.headers.get("x-request-id", ""))[:80] or None


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The contents of PagerDuty's error object."""

    message: str = ""
    code: int | None = None
    details: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        details = "; ".join(self.details[:_DETAILS])
        return f"{self.message} ({details})" if self.message and details else self.message or details


def parse_response(request: ApiRequest, answer: ApiResponse, secrets: Sequence[str] = ()) -> JsonObject:
    """Return the response's JSON object: {} if empty, {"items": [...]} for a bare array.

    `secrets` are removed from error messages. Raises PagerDutyError.
    """
    if 200 <= answer.status < 300:
        return _object(request, answer)
    raise error_of_response(request, answer, secrets)


def error_of_response(
    request: ApiRequest, answer: ApiResponse, secrets: Sequence[str] = ()
) -> PagerDutyError:
    """Return the error for a response outside 2xx."""
    body = _parse_error_body(answer.body, secrets)
    error = error_class(answer.status, body.code)
    meaning = reason_of_message(body.text)
    message = body.text or _default_message(answer)
    advice = advice_for(error, answer.status, body.code, meaning)
    fields: dict[str, Any] = {
        "status": answer.status,
        "code": body.code,
        "advice": advice,
        "request_id": answer.request_id,
    }
    result = _rate_limited(answer, message, fields) if error is RateLimited else error(message, **fields)
    result.meaning = meaning
    if isinstance(result, ServerFault):
        result.may_have_happened = request.is_write
    return result


def _default_message(answer: ApiResponse) -> str:
    if 300 <= answer.status < 400:
        return f"PagerDuty redirected the call ({answer.status}), and a token is never sent elsewhere"
    return f"PagerDuty answered {answer.status} without saying why"


def _rate_limited(answer: ApiResponse, message: str, fields: Mapping[str, Any]) -> RateLimited:
    rates = rate_headers(answer.headers)
    reset, longest, daily = rates.reset, MAX_RETRY_AFTER, rates.is_daily_quota_spent
    if daily:
        reset, longest = rates.daily_reset, MAX_DAILY_RETRY_AFTER
        fields = {**fields, "advice": "the account's analytics quota of the day is spent: wait for its reset"}
    wait = reset or parse_seconds(answer.headers.get("retry-after")) or DEFAULT_RETRY_AFTER
    return RateLimited(message, retry_after=min(wait, longest), daily=daily, **fields)


def _object(request: ApiRequest, answer: ApiResponse) -> JsonObject:
    if not answer.body.strip():
        return {}
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if _UNSTORABLE.search(answer.body):
        value = _storable(value)
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {"items": value}
    raise undocumented_response(request, "PagerDuty's answer isn't a JSON object", answer)


def _storable(value: Any) -> Any:
    """Return the JSON value with texts that any database can store: no NUL, no lone surrogate."""
    if isinstance(value, str):
        return storable_text(value, len(value))
    if isinstance(value, dict):
        return {storable_text(name, len(name)): _storable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    return value


def undocumented_response(
    request: ApiRequest, message: str, answer: ApiResponse | None = None
) -> NotUnderstood:
    """Return the error for a response that PagerDuty doesn't document."""
    error = NotUnderstood(
        message,
        status=answer.status if answer else None,
        advice="check whether it took effect before repeating it" if request.is_write else "try again",
        request_id=answer.request_id if answer else None,
    )
    error.may_have_happened = request.is_write
    return error


def _parse_error_body(body: bytes, secrets: Sequence[str]) -> ErrorBody:
    """Parse `{"error": …}` in every form that PagerDuty has been observed to send."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody()
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return ErrorBody(details=tuple(_redacted_line(text, secrets) for text in _texts(error)))
    message, code = error.get("message"), error.get("code")
    return ErrorBody(
        message=_redacted_line(message, secrets) if isinstance(message, str) else "",
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        details=tuple(_redacted_line(text, secrets) for text in _texts(error.get("errors"))),
    )


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a string, a list, or a map from a field to its texts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
        yield from (text for item in value if isinstance(item, dict) for text in _texts(item))
    elif isinstance(value, dict):
        for field, problems in value.items():
            yield from (f"{field}: {text}" for text in _flat(problems))


def _flat(problems: object) -> list[str]:
    items = problems if isinstance(problems, list) else [problems]
    return [item for item in items if isinstance(item, str)]


def _redacted_line(text: str, secrets: Sequence[str] = ()) -> str:
    """Return one short line without secrets, addresses and phone numbers."""
    # Secrets are removed first, because the cut could leave a part of a secret.
    text = redact_secrets(text, secrets)[: 4 * MAX_MESSAGE_LENGTH]
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(redact(printable).split())[:MAX_MESSAGE_LENGTH]
