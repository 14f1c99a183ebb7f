"""Bodies as people see them: what they say stays, what is secret or personal is masked."""

import json

import pytest

from calmo_pagerduty.deliveries.redacted_bodies import redact_body
from calmo_pagerduty.kernel.redaction import MASK

CANARIES = {
    "an API key of ours": f"calmo_{'a' * 16}_{'b' * 52}_{'0' * 8}",
    "a webhook's address": f"wh_{'a' * 32}",
    "a bearer token": "Bearer abcdef0123456789",
    "a REST key": "Token token=y_NbAkKc66ryYTWUXYEu",
    "a user's token": "u+canarytoken-0123456789",
    "an Events key": "e93facc04764012d7bfb002500d5d1a6",
    "a password": "password=hunter2canary",
    "an address": "robin.reyes@shop.example.org",
    "a number": "+49 30 1234-5678",
}


@pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES)
@pytest.mark.parametrize(
    "body", ['{"event": {"data": {"title": "so: %s."}}}', '[["%s"]]', '{"%s": 1}', "no JSON: %s !"]
)
def test_a_secret_in_a_text_is_masked_wherever_it_stands(secret: str, body: str) -> None:
    shown = redact_body((body % secret).encode())
    assert secret not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "name", ["client_secret", "token", "Authorization", "routing_key", "email", "phone", "conference_number"]
)
def test_a_field_whose_name_says_secret_is_masked_unless_it_holds_nothing(name: str) -> None:
    body = json.dumps({"data": {name: {"x": "canary"}, "other": {name: None}}})
    assert json.loads(redact_body(body.encode())) == {"data": {name: MASK, "other": {name: None}}}


def test_what_an_event_says_stays() -> None:
    event = {
        "event": {
            "id": "01DEN0V3VIM3I9GI5BJ5KZFW7T",
            "event_type": "incident.conference_bridge.updated",
            "occurred_at": "2026-06-01T12:00:00.000Z",
            "data": {"id": "Q2XKABC", "number": 42, "title": "Basket is slow: 500+ errors", "teams": []},
        }
    }
    assert json.loads(redact_body(json.dumps(event).encode())) == event


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a": NaN}', b'"\\ud800"'])
def test_whatever_the_bytes_there_is_a_text(body: bytes) -> None:
    redact_body(body).encode()
