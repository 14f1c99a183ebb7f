"""Whatever is posted to the door: genuine deliveries are taken, all else is refused in one of few ways."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.support.builders import SECRET, an_event, headers_for
from tests.support.doors import Doorway

#: What an unsigned delivery may be answered: refused, or asked to come back.
REFUSED = {401, 429, 503}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
#: Names that payloads really have, so that wrong values stand in places that are looked at.
names = st.sampled_from(
    ["event", "id", "event_type", "occurred_at", "data", "type", "incident", "agent", "priority", "status",
     "service", "assignees", "teams", "created_at", "title", "content", "summary"]
)  # fmt: skip
payloads = st.recursive(
    json_values,
    lambda inner: st.dictionaries(names, inner, max_size=6) | st.lists(inner, max_size=3),
    max_leaves=20,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Any bytes, any JSON, JSON in the payload's shape, and a genuine payload with something wrong in it."""
    kind = draw(st.sampled_from(["bytes", "json", "event", "altered", "deep"]))
    if kind == "bytes":
        return draw(st.binary(max_size=400))
    if kind == "json":
        return json.dumps(draw(payloads)).encode()
    if kind == "event":
        return json.dumps({"event": draw(payloads)}).encode()
    if kind == "deep":
        depth = draw(st.integers(100, 20_000))
        return b"[" * depth + b"]" * depth
    payload: Any = an_event("incident.triggered", "Q1")
    part = payload["event"]
    if draw(st.booleans()):
        part = part["data"]
    part[draw(names)] = draw(payloads)
    return json.dumps(payload).encode()


headers = st.dictionaries(
    st.sampled_from(["X-PagerDuty-Signature", "X-Webhook-Id", "Content-Type", "X-Webhook-Subscription"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    max_size=4,
)


async def knock(doorway: Doorway, webhook: str, examples: int) -> None:
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(body=bodies(), given_headers=headers, signed=st.booleans())
    def knock_once(body: bytes, given_headers: dict[str, str], signed: bool) -> None:
        sent = {name.encode(): value.encode("latin-1") for name, value in given_headers.items()}
        if signed:
            sent |= {name.encode(): value.encode() for name, value in headers_for(body, SECRET).items()}
        posted = doorway.client.post(
            f"/webhooks/pagerduty/{webhook}", content=body, headers=list(sent.items())
        )
        answer = asyncio.run_coroutine_threadsafe(posted, loop).result(30)
        if signed:
            assert answer.status_code == 202, (answer.status_code, body[:200])
        else:
            assert answer.status_code in REFUSED, answer.status_code

    await asyncio.to_thread(knock_once)


async def test_signed_nonsense_is_taken_and_unsigned_is_refused(door: Doorway) -> None:
    await knock(door, door.a_webhook(), examples=300)


@pytest.mark.torture
async def test_signed_nonsense_is_taken_in_a_long_run(door: Doorway) -> None:
    await knock(door, door.a_webhook(), examples=60_000)
