"""What PagerDuty's answers mean: every row of the error table, in every form they come in."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.pagerduty import errors as api_errors
from calmo_pagerduty.pagerduty.errors import (
    InvalidRequest,
    NotUnderstood,
    PagerDutyError,
    RateLimited,
    RefusalReason,
)
from calmo_pagerduty.pagerduty.requests import ApiRequest, Method
from calmo_pagerduty.pagerduty.responses import (
    DEFAULT_RETRY_AFTER,
    MAX_MESSAGE_LENGTH,
    ApiResponse,
    parse_response,
)
from tests.support.scripted_wire import error

READ = ApiRequest(method=Method.GET, path="/incidents")
WRITE = ApiRequest(method=Method.PUT, path="/incidents/P1", body={})

#: status, body, the error's class, a word of its advice.
ROWS: list[tuple[int, Any, str, str]] = [
    (400, error("Wrong", 2001, ["No title"]), "InvalidRequest", "correct"),
    (400, error("Is resolved", 1001), "AlreadySo", "reopen"),
    (400, error("Is acknowledged", 1002), "AlreadySo", "already"),
    (400, error("Is merged", 1019), "AlreadySo", "already"),
    (400, error("Changed since", 1005), "ChangedMeanwhile", "read it again"),
    (400, error("No such level", 1006), "InvalidRequest", "no further level"),
    (400, error("Who?", 1007), "InvalidRequest", "assigned"),
    (400, error("Who asks?", 1008), "InvalidRequest", "From address"),
    (400, error("Not acknowledged", 1012), "InvalidRequest", "acknowledge the incident first"),
    (400, error("No policy", 1014), "InvalidRequest", "policy"),
    (400, error("Nobody", 1015), "InvalidRequest", "on call"),
    (400, error("No priority", 1020), "InvalidRequest", "priorities"),
    (400, error("Say who you are", 2016), "InvalidRequest", "From address"),
    (400, error("A date", 2004), "InvalidRequest", "UTC"),
    (400, error("Full", 2019), "InvalidRequest", "limit"),
    (400, error("No ability", 2014), "NotInPlan", "plan"),
    (400, error("Slow down", 2020), "RateLimited", "wait"),
    (401, error("No", 2006), "TokenRejected", "region"),
    (402, error("No ability", 2014), "NotInPlan", "plan"),
    (403, error("No", 2010), "AccessDenied", "role"),
    (403, error("Lost", 2018), "AccessDenied", "resolved"),
    (404, error("Gone", 2100), "NotFound", "id"),
    (405, error("Past", 5003), "InvalidRequest", "passed"),
    (405, None, "InvalidRequest", "allow"),
    (408, error("Too slow", 2016), "ServerFault", "later"),
    (410, None, "NotFound", "id"),
    (413, error("Too much"), "InvalidRequest", "less"),
    (418, None, "InvalidRequest", "correct"),
    (429, error("Slow down", 2020), "RateLimited", "wait"),
    (500, error("Oops", 2000), "ServerFault", "later"),
    (502, b"<html>Bad Gateway</html>", "ServerFault", "later"),
    (302, None, "Refused", "base URL"),
]


def answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> ApiResponse:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return ApiResponse(status, headers or {}, content)


def failure(
    answered: ApiResponse, request: ApiRequest = READ, secrets: tuple[str, ...] = ()
) -> PagerDutyError:
    with pytest.raises(PagerDutyError) as raised:
        parse_response(request, answered, secrets)
    return raised.value


@pytest.mark.parametrize(("status", "body", "kind", "advice"), ROWS)
def test_every_refusal_has_its_class_and_its_advice(status: int, body: Any, kind: str, advice: str) -> None:
    refused = failure(answer(status, body))
    assert type(refused).__name__ == kind
    assert refused.status == status
    assert advice in refused.advice and advice in str(refused)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Open incident with matching dedup key already exists here", RefusalReason.OPEN_INCIDENT_WITH_KEY),
        ("Offset+limit exceeds what is allowed", RefusalReason.BEYOND_REACH),
        ('Say so in the "From" header', RefusalReason.FROM_NEEDED),
        ("Requester User Not Found", RefusalReason.FROM_UNKNOWN),
        ("Not with an account-level access token", RefusalReason.ACCOUNT_TOKEN),
        ("A shift-based schedule", RefusalReason.SHIFT_BASED_SCHEDULE),
        ("A layer-based schedule", RefusalReason.LAYER_BASED_SCHEDULE),
        ("Something else", None),
    ],
)
def test_what_only_words_tell_is_recognised(words: str, meaning: RefusalReason | None) -> None:
    for body in (error(words), error("Wrong", 2002, [words]), {"error": words}):
        refused = failure(answer(400, body))
        assert isinstance(refused, InvalidRequest) and refused.meaning is meaning
        assert words in refused.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (error("Wrong", 2001, ["a", "b"]), "Wrong (a; b)"),
        (error("Wrong", 2001, "a"), "Wrong (a)"),
        (
            error("Wrong", 2001, {"event.start": ["too late", "odd"], "name": "x"}),
            "Wrong (event.start: too late; event.start: odd; name: x)",
        ),
        (error("Wrong", 2001, [{"name": ["taken"]}, 7, None]), "Wrong (name: taken)"),
        ({"error": ["a", "b"]}, "a; b"),
        ({"error": "a"}, "a"),
        ({"error": {"errors": ["a"]}}, "a"),
        ({"message": "a"}, "a"),
        (b'{"error": {"mess', "PagerDuty answered 400 without saying why"),
        (b"[" * 100_000, "PagerDuty answered 400 without saying why"),
        (b"\xff\xfe", "PagerDuty answered 400 without saying why"),
        (7, "PagerDuty answered 400 without saying why"),
    ],
)
def test_a_complaint_is_read_in_every_form(body: object, message: str) -> None:
    assert failure(answer(400, body)).message == message


@pytest.mark.parametrize(
    ("headers", "wait", "daily"),
    [
        ({"ratelimit-reset": "20"}, timedelta(seconds=20), False),
        ({"retry-after": "7"}, timedelta(seconds=7), False),
        ({}, DEFAULT_RETRY_AFTER, False),
        ({"ratelimit-reset": "soon"}, DEFAULT_RETRY_AFTER, False),
        ({"ratelimit-reset": "1700000000"}, DEFAULT_RETRY_AFTER, False),
        ({"ratelimit-reset": "99999"}, timedelta(minutes=5), False),
        (
            {"ratelimit-reset": "20", "daily-ratelimit-remaining": "0", "daily-ratelimit-reset": "30000"},
            timedelta(seconds=30000),
            True,
        ),
        (
            {"ratelimit-reset": "20", "daily-ratelimit-remaining": "3", "daily-ratelimit-reset": "30000"},
            timedelta(seconds=20),
            False,
        ),
    ],
)
def test_a_rate_limit_says_for_how_long(headers: dict[str, str], wait: timedelta, daily: bool) -> None:
    limited = failure(answer(429, None, headers))
    assert isinstance(limited, RateLimited)
    assert (limited.retry_after, limited.daily) == (wait, daily)


def test_a_success_may_be_empty_or_an_array() -> None:
    assert parse_response(WRITE, answer(204)) == {}
    assert parse_response(WRITE, answer(200, b" \n")) == {}
    assert parse_response(READ, answer(200, {"incidents": []})) == {"incidents": []}
    assert parse_response(WRITE, answer(201, [{"status": 400}])) == {"items": [{"status": 400}]}


@pytest.mark.parametrize("body", [b'{"incident": {"id"', b"<html></html>", b"7", b"null", b"[" * 100_000])
def test_a_success_that_is_no_object_is_not_understood(body: bytes) -> None:
    for request in (READ, WRITE):
        odd = failure(answer(200, body), request)
        assert isinstance(odd, NotUnderstood)
        assert odd.may_have_happened is request.is_write


def test_only_a_write_may_have_happened_when_pagerduty_has_trouble() -> None:
    assert failure(answer(500), WRITE).may_have_happened
    assert not failure(answer(500), READ).may_have_happened
    assert not failure(answer(429), WRITE).may_have_happened


def test_what_a_refusal_says_holds_no_secret_no_address_and_no_phone() -> None:
    said = 'ada@example.com, +1 415 555 01234; "Token token=abc" Bearer xyz s3cr3t\x1b[0m\nend' + "!" * 9000
    for body in (error(said, 2001, [said, {said: [said]}]), {"error": said}):
        refused = failure(answer(400, body, {"x-request-id": "r-1 s\x00"}), secrets=("s3cr3t",))
        for private in ("ada@", "555", "abc", "xyz", "s3cr3t", "\x1b", "\n"):
            assert private not in str(refused)
        assert "end!" in str(refused) and len(refused.message) < 8 * MAX_MESSAGE_LENGTH
        assert refused.request_id == "r-1 s"


@given(status=st.integers(300, 599), body=st.binary(max_size=60))
def test_any_refusal_is_an_error_of_the_tree(status: int, body: bytes) -> None:
    assert failure(answer(status, body)).status == status


@given(
    status=st.integers(300, 599),
    told=st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["message", "code", "errors"]), inner)
        ),
        max_leaves=8,
    ),
)
def test_any_complaint_is_an_error_of_the_tree(status: int, told: object) -> None:
    assert failure(answer(status, {"error": told})).status == status


def reference() -> Path:
    given = os.environ.get("CALMO_PAGERDUTY_REFERENCE")
    return Path(given) if given else Path(__file__).parents[3] / "shared" / "pagerduty"


def test_pagerdutys_own_examples_of_errors_are_understood() -> None:
    file = reference() / "rest-examples" / "_errors.json"
    if not file.exists():
        pytest.skip("PagerDuty's examples aren't here: set CALMO_PAGERDUTY_REFERENCE to their folder")
    for row in json.loads(file.read_text()):
        body = row["body_text"].encode() if "body_text" in row else row.get("body")
        refused = failure(answer(row["status"], body, row.get("headers")))
        assert type(refused) in vars(api_errors).values() and refused.advice, row["name"]
        told = row.get("body") and row["body"].get("error")
        if isinstance(told, dict):
            assert refused.code == told.get("code") and told["message"] in refused.message, row["name"]
