"""What is answered keeps to PagerDuty's published document, with the known exceptions."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.contacts import contact_method
from pagerduty_simulator.resources import AutoPause, SupportHours, UrgencyRule
from pagerduty_simulator.rest_api import OPERATIONS
from tests.pagerduty_simulator.rest.published_schema import PublishedSchema, folder
from tests.pagerduty_simulator.rest.requests_for_all import Ids, Request, reads, writes
from tests.support.chance import repeatable
from tests.support.rest_account import Api

# They need what another request made, or an account of another kind: tested where they belong.
ELSEWHERE = {
    "mergeIncidents",
    "getCurrentUser",
    "getMaintenanceWindow",
    "updateMaintenanceWindow",
    "deleteMaintenanceWindow",
    "getWebhookSubscription",
    "updateWebhookSubscription",
    "deleteWebhookSubscription",
    "enableWebhookSubscription",
    "testWebhookSubscription",
    "deleteScheduleOverride",
    "deleteOverride",
    "deleteCustomShift",
    "updateEvent",
    "deleteEvent",
}

# PagerDuty documents them, but the extract of its document that tests can use leaves them out: `test_people`,
# `test_standards` and `test_new_rotations` say what is answered.
NOT_IN_THE_EXTRACT = {
    "createServiceDependency",
    "createRotation",
    "getUserContactMethod",
    "getUserNotificationRules",
    "getUserNotificationRule",
    "listTeams",
    "getTeam",
    "listTeamUsers",
    "listStandards",
    "listResourceStandardsManyServices",
    "listResourceStandards",
}


@pytest.fixture(scope="module")
def published() -> PublishedSchema:
    return PublishedSchema()


@pytest.fixture
async def open_incident(past: Account, api: Api) -> dict[str, Any]:
    return await api.incident()


async def complaints_about(requests: Iterable[Request], api: Api, published: PublishedSchema) -> list[str]:
    found = []
    for operation_id, method, path, query, body in requests:
        response = await api.send(method, path, body, params=query)
        assert 200 <= response.status_code < 300, (operation_id, response.text)
        answer = response.json() if response.content else None
        found += published.complaints(operation_id, response.status_code, answer)
    return found


def configure(account: Account) -> None:
    """Give the first user and the first service something in every field that PagerDuty documents."""
    user, service = next(iter(account.users.values())), next(iter(account.services.values()))
    rng = repeatable(1)
    kinds = ("email", "phone", "sms", "push_notification", "whatsapp")
    methods = tuple(contact_method(kind, "301234567", rng, enabled=False, blacklisted=True) for kind in kinds)
    account.save_user(replace(user, contact_methods=methods))
    account.save_service(
        replace(
            service,
            urgency_rule=UrgencyRule("severity_based", "low"),
            support_hours=SupportHours("Tokyo", (1, 7), time(9), time(17, 30)),
            raises_urgency=True,
            acknowledgement_timeout=None,
            auto_resolve_timeout=None,
            auto_pause=AutoPause(enabled=True, timeout=0),
            is_disabled=True,
        )
    )


async def test_every_read_is_answered_as_the_document_says(
    published: PublishedSchema, open_incident: dict[str, Any], api: Api
) -> None:
    configure(api.site.account)
    assert await complaints_about(reads(Ids(api.site.account)), api, published) == []


async def test_every_write_is_answered_as_the_document_says(
    published: PublishedSchema, open_incident: dict[str, Any], api: Api
) -> None:
    assert await complaints_about(writes(Ids(api.site.account)), api, published) == []


async def test_reads_after_writes_still_are(
    published: PublishedSchema, open_incident: dict[str, Any], api: Api
) -> None:
    ids = Ids(api.site.account)
    await complaints_about(writes(ids), api, published)
    assert await complaints_about(reads(ids), api, published) == []


async def test_a_wrong_type_would_be_noticed(published: PublishedSchema) -> None:
    assert published.complaints("listPriorities", 200, {"priorities": "none"})
    assert published.complaints("getIncident", 200, {"incident": {"title": 5, "type": "incident"}})


async def test_no_operation_is_left_unasked(past: Account, api: Api) -> None:
    ids = Ids(api.site.account) if api.site.account.open_ids else None
    if ids is None:
        await api.incident()
        ids = Ids(api.site.account)
    asked = {request[0] for request in (*reads(ids), *writes(ids))}
    assert {operation.id for operation in OPERATIONS} - asked == ELSEWHERE | NOT_IN_THE_EXTRACT


def test_every_operation_that_the_product_can_need_is_served_at_its_path() -> None:
    rows = json.loads((folder() / "operations.json").read_text())["operations"]
    by_id = {row["operationId"]: row for row in rows}
    assert {operation.id for operation in OPERATIONS} - NOT_IN_THE_EXTRACT == set(by_id)
    for operation in OPERATIONS:
        if operation.id in NOT_IN_THE_EXTRACT:
            continue
        row = by_id[operation.id]
        pieces = ["{}" if piece.startswith("{") else piece for piece in row["path"].split("/")]
        assert (operation.method, operation.path) == (row["method"], "/".join(pieces))
        assert operation.from_required is (row["from_header"] == "required")
        assert operation.writes is (row["access"] == "write")
        assert row["scope"] in {None, operation.scope}
