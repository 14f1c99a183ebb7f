"""What the delivery log, its explanations and the keys answer is as the OpenAPI document says."""

from typing import Any

import pytest

from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import an_event, headers_for, new_id
from tests.support.documented import check
from tests.support.doors import Doorway, make_key, save_pending


@pytest.fixture
async def filled(doorway: Doorway) -> Doorway:
    webhook = doorway.a_webhook()
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, "QKNOWN"))
    save_pending(doorway.database)
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, new_id()))
    await doorway.post(webhook, b"{", headers_for(b"{"))
    await doorway.post(webhook, b"x", {})
    return doorway


@pytest.mark.parametrize(
    ("method", "path", "url", "body", "status"),
    [
        ("get", "/api/deliveries", "?limit=2", None, 200),
        ("get", "/api/deliveries", "?limit=x", None, 400),
        ("get", "/api/deliveries/{seq}", "/api/deliveries/1", None, 200),
        ("get", "/api/deliveries/{seq}", "/api/deliveries/9", None, 404),
        ("get", "/api/deliveries/export", "", None, 200),
        ("get", "/api/refusals", "", None, 200),
        ("get", "/api/refusals", "?cursor=x", None, 400),
        ("post", "/api/deliveries/replay", "", {"seqs": [1, 2, 3]}, 200),
        ("post", "/api/deliveries/replay", "", {"seqs": ["x"]}, 400),
        ("get", "/api/explain/{incident_id}", "/api/explain/QKNOWN", None, 200),
        ("get", "/api/explain/{incident_id}", "/api/explain/QNOBODY", None, 200),
        ("get", "/api/explain/{incident_id}", "/api/explain/Q-1", None, 404),
        ("get", "/api/api-keys", "", None, 200),
        ("post", "/api/api-keys", "", {"name": "x", "permissions": ["issues:read"]}, 201),
        ("post", "/api/api-keys", "", {"name": "x", "permissions": ["root"]}, 403),
        ("delete", "/api/api-keys/{id}", "/api/api-keys/x", None, 404),
    ],
)
async def test_each_answer_is_as_described(
    filled: Doorway, method: str, path: str, url: str, body: dict[str, Any] | None, status: int
) -> None:
    document = (await filled.client.get("/openapi.json")).json()
    key = make_key(filled.database, ALL_PERMISSIONS)
    target = url if url.startswith("/") else path + url
    answer = await filled.client.request(method, target, json=body, headers=key)
    assert answer.status_code == status, answer.text
    check(document, answer, method, path)
