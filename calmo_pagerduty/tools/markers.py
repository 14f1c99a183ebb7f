"""What a write leaves in a text, so that it is recognised when it is looked for again."""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta

from calmo_pagerduty.pagerduty.requests import JsonObject

#: How far PagerDuty's clock and ours may differ.
CLOCK_TOLERANCE = timedelta(minutes=1)


def marker(call_id: str) -> str:
    """Return a short visible mark, such as `[calmo:k3v2m7qa]`: the same for the same call, always."""
    digest = hashlib.sha256(call_id.encode()).digest()
    return f"[calmo:{base64.b32encode(digest[:5]).decode().lower()}]"


def with_marker(text: str, call_id: str) -> str:
    return f"{text}\n\n{marker(call_id)}"


def find_marked(things: Iterable[JsonObject], call_id: str) -> JsonObject | None:
    """Return the first thing that holds the call's mark anywhere."""
    mark = marker(call_id)
    return next((thing for thing in things if mark in json.dumps(thing, default=str)), None)
