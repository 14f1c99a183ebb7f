"""What PagerDuty answers can be stored by any database, whatever people wrote there."""

import json
from typing import Any

import pytest

from calmo_pagerduty.pagerduty.requests import ApiRequest, Method
from calmo_pagerduty.pagerduty.responses import ApiResponse, parse_response

READ = ApiRequest(method=Method.GET, path="/incidents")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a?b"),
        ("\N{FIRE}", "\N{FIRE}"),
        (r"C:\u0000", r"C:\u0000"),
        ("plain", "plain"),
    ],
)
def test_no_nul_and_no_lone_surrogate_comes_in(text: str, kept: str) -> None:
    body: dict[str, Any] = {"notes": [{"content": text, text: 1}]}
    answer = ApiResponse(200, {}, json.dumps(body).encode())
    assert parse_response(READ, answer) == {"notes": [{"content": kept, kept: 1}]}
    assert parse_response(READ, ApiResponse(200, {}, json.dumps([text]).encode())) == {"items": [kept]}
