"""Put a call's marker into a text that a write creates, so that a repeated attempt recognises the text."""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta

from calmo_pagerduty.pagerduty.requests import JsonObject

#: How far PagerDuty's clock and ours may differ.
CLOCK_TOLERANCE = timedelta(minutes=1)


def marker(call_id: str) -> str:
    """Return the call's marker, such as `[calmo:k3v2m7qa]`. The same call always has the same marker."""
    digest = hashlib.sha256(call_id.encode()).digest()
    return f"[calmo:{base64.b32encode(digest[:5]).decode().lower()}]"


def with_marker(text: str, call_id: str) -> str:
    return f"{text}\n\n{marker(call_id)}"


def find_marked(items: Iterable[JsonObject], call_id: str) -> JsonObject | None:
    """Return the first item that contains the call's marker in any field."""
    mark = marker(call_id)
    return next((item for item in items if mark in json.dumps(item, default=str)), None)


def find_text(items: Iterable[JsonObject], text: str) -> JsonObject | None:
    """Return the first item that has exactly this text in any field, apart from spaces at its ends."""
    return next((item for item in items if _holds(item, text.strip())), None)


def _holds(value: object, text: str) -> bool:
    if isinstance(value, str):
        return value.strip() == text
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(part, text) for part in parts)
