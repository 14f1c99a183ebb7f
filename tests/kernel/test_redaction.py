"""What is secret or personal is masked everywhere; identifiers, times and versions stay."""

import json
import re

import pytest
from hypothesis import assume, given, strategies as st

from calmo_pagerduty.deliveries.redacted_bodies import redact_body
from calmo_pagerduty.kernel.redaction import MASK, PATTERNS, redact, redact_secrets
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.requests import ApiRequest, Method
from calmo_pagerduty.pagerduty.responses import ApiResponse, error_of_response

#: A text of each kind, and the part of it that must not be shown.
SECRETS = {
    "API key of ours": [f"calmo_{'a' * 16}_{'b' * 52}_{'0' * 8}"],
    "webhook address": [f"wh_{'a' * 32}"],
    "bearer or REST token": ["Bearer |abcdef0123456789", "Token token=|y_NbAkKc66ryYTWUXYEu", "bearer |xyz"],
    "basic credentials": ["Basic |dXNlcjpwYXNzd29yZA=="],
    "user's REST key": ["u+canarytoken-0123456789"],
    "OAuth token": ["pdus+_0XBPWQQ_a1b2c3d4"],
    "integration key": ["e93facc04764012d7bfb002500d5d1a6", "E93FACC04764012D7BFB002500D5D1A6"],
    "named secret": [
        "password=|hunter2canary",
        "secret: |s3cr3t",
        "api_key=|k4n4ry",
        "token: |abc123",
        "passwd=|isabella",
    ],
    "e-mail address": [
        "robin.reyes@shop.example.org",
        "ops@localhost",
        "müller@beispiel.de",
        "root@10.0.0.1",
        "a+b@x.io",
    ],
    "number with country code": ["+49 30 1234-5678", "+1(234)-567-8910", "+14155551212", "0049 30 1234567"],
    "number with area code": [
        "555-123-4567",
        "(415) 555-1212",
        "1-800-555-0199",
        "555.123.4567",
        "030 1234-5678",
        "(0171) 2345678",
        "01711234567",
    ],
    "number that is called one": [
        "phone |12 34 56 78",
        "SMS to |1234567",
        "tel.: |040-123456",
        "Fax: |98765432",
    ],
    "North American number": ["4155551212", "14155551212"],
}
CASES = [(kind, *text.rpartition("|")[::2]) for kind, texts in SECRETS.items() for text in texts]

#: From PagerDuty's documentation and the payloads of its API.
HARMLESS = [
    "Q2XKABC",
    "PT4KHLK",
    "01DEN0V3VIM3I9GI5BJ5KZFW7T",
    "Q1V5SMM9Q4RAZ7",
    "14f11d6d-0000-4000-8000-3edbff0ad3b7",
    "2026-06-01T12:00:00.000Z",
    "2026-06-01 12:00:00",
    "2026-06-01 - 2026-06-08",
    "2026-06-01T12:00:00+02:00",
    "01.06.2026 08:15",
    "06-01-2026",
    "12:30:45.123",
    "1780315200",
    "1780315200123",
    "v1.2.3",
    "3.11.7-rc.1",
    "react@18.2.0",
    "image@sha256:" + "0f34" * 16,
    "10.0.0.1:8080",
    "192.168.100.200",
    "2001:db8::1",
    "commit a1b2c3d4e5f6",
    "build 20260601.1234",
    "500 errors in 3000 ms",
    "90% of 1,000,000",
    "incident #4711",
    "Basket is slow: 500+ errors",
    "arn:aws:sns:us-east-1:123456789012:topic",
    "https://acme.pagerduty.com/incidents/Q2XKABC",
    "password: is too short",
    "token: You are not permitted",
    "account-level access token",
    "mobile checkout failed 3 times",
    "phone 2 of 3",
    "call 2026-06-01 at 10",
]


def test_there_is_an_example_of_each_pattern() -> None:
    assert list(SECRETS) == list(PATTERNS)


@pytest.mark.parametrize(("kind", "before", "secret"), CASES)
def test_each_pattern_masks_its_kind_by_itself(kind: str, before: str, secret: str) -> None:
    pattern, replacement = PATTERNS[kind]
    assert pattern.sub(replacement, before + secret) == before + MASK


@pytest.mark.parametrize(("kind", "before", "secret"), CASES)
@pytest.mark.parametrize("text", ["%s", "so: %s!", "ask (%s), please", "first\n%s\nlast", '"%s"'])
def test_a_secret_passes_neither_a_shown_body_nor_the_words_of_a_refusal(
    kind: str, before: str, secret: str, text: str
) -> None:
    said = text % (before + secret)
    body = redact_body(json.dumps({"event": {"title": said}}, ensure_ascii=False).encode())
    words = _refused(said).message
    for shown in (redact(said), body, words):
        assert secret not in shown, kind
        assert MASK in shown


@pytest.mark.parametrize("text", HARMLESS)
def test_identifiers_times_and_versions_stay(text: str) -> None:
    assert redact(text) == text
    assert json.loads(redact_body(json.dumps({"title": text}).encode())) == {"title": text}
    assert _refused(text).message == text


#: What the two engines before this one masked.
_BEFORE = (
    r"calmo_[a-z2-7]{16}_[a-z2-7]{52}_[0-9a-f]{8}",
    r"\bwh_[a-z2-7]{32}",
    r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
    r"(?i)\btoken\s?token=\S+",
    r"\bu\+[A-Za-z0-9_-]{16,}",
    r"\bpdus\+\S{8,}",
    r"\b[0-9a-f]{32}\b",
    r"(?i)\b(?:password|passwd|secret|api[_-]?key|token)\s*[=:]\s*(?!is|too|you)\S+",
    r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,7}[a-z]{2,8}\b",
    r"(?<![\w.+])\+\d[\d ().-]{6,18}\d",
    r"(?i)\b(?:token token=|bearer )\S+",
)


@pytest.mark.parametrize("pattern", _BEFORE)
@given(data=st.data())
def test_what_was_masked_before_is_masked_still(pattern: str, data: st.DataObject) -> None:
    secret = data.draw(st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii")))
    # A secret of asterisks stands in every mask, and `token: has` may begin a sentence.
    assume("*" not in secret and not re.search(r"(?i)[=:]\s*[a-z']{1,8}[.,;:!?)]*$", secret))
    assert secret not in redact(f"so: {secret} !")


def test_known_secrets_are_masked_wherever_they_stand_and_an_empty_one_nowhere() -> None:
    assert redact_secrets("a canary, acanary!", ["canary", ""]) == f"a {MASK}, a{MASK}!"


def _refused(said: str) -> PagerDutyError:
    body = json.dumps({"error": {"message": said}}).encode()
    return error_of_response(ApiRequest(method=Method.GET, path="/x"), ApiResponse(400, {}, body))
