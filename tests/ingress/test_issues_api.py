"""The REST API over issues: filters, pages, and who sees what."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import a_note, a_reference, an_event, minutes, new_id
from tests.support.doors import Doorway, make_key, save_pending

SHOP, BANK = "organization:shop", "organization:bank"

#: Events are days from being stale.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


class Reader:
    """Calls the API with one key."""

    def __init__(self, doorway: Doorway, scopes: Sequence[str] | None = None) -> None:
        self._client = doorway.client
        self._key = make_key(doorway.database, ["issues:read"], scopes)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self._client.get(path, params=query, headers=self._key)

    async def incidents(self, **query: Any) -> list[str]:
        answer = await self.get("/api/issues", **query)
        assert answer.status_code == 200, answer.text
        return [issue["incident_id"] for issue in answer.json()["issues"]]


async def an_issue(doorway: Doorway, webhook: str, minute: float = 0, **fields: Any) -> str:
    """Deliver one incident and return its id. Later minutes are later incidents."""
    incident = new_id()
    at = NOON + minutes(minute)
    kind = fields.pop("kind", EventType.TRIGGERED)
    await doorway.deliver(webhook, an_event(kind, incident, at=at, created_at=at.isoformat(), **fields))
    save_pending(doorway.database)
    return incident


@pytest.mark.each_database
async def test_an_issue_tells_all_that_is_promised(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    incident = await an_issue(doorway, webhook, priority=a_reference("priority", "PPRIO", "P1"))
    await doorway.deliver(webhook, a_note(incident, "Rolled back", at=NOON + minutes(5)))
    save_pending(doorway.database)
    reader = Reader(doorway)
    [listed] = (await reader.get("/api/issues")).json()["issues"]
    assert listed["incident_id"] == incident
    assert (listed["status"], listed["severity"], listed["colour"]) == ("triggered", "critical", "red")
    assert (listed["priority"], listed["urgency"], listed["number"]) == ("P1", "high", 42)
    assert listed["service"]["name"] == "Basket"
    assert [assignee["name"] for assignee in listed["assignees"]] == ["Robin Reyes"]
    assert (listed["created_at"], listed["scope"]) == (f"{NOON:%Y-%m-%dT%H:%M:%SZ}", "organization:acme")
    assert listed["workflow_url"].endswith(listed["workflow_id"])
    whole = (await reader.get(f"/api/issues/{listed['id']}")).json()
    timeline = whole.pop("timeline")
    assert whole.pop("context") is None
    assert whole == listed
    assert [(entry["event_type"], entry["moved"]) for entry in timeline] == [
        ("incident.triggered", True),
        ("incident.annotated", False),
    ]
    assert timeline[1]["summary"] == "note added by Robin Reyes: Rolled back"
    assert timeline[1]["actor"]["id"] == "PUSER1"


@pytest.mark.each_database
async def test_values_of_a_filter_are_alternatives_and_filters_narrow(doorway: Doorway) -> None:
    webhook, reader = doorway.a_webhook(), Reader(doorway)
    till = a_reference("service", "PSERVICE2", "Till")
    p1, p4 = (a_reference("priority", "PPRIO", name) for name in ("P1", "P4"))
    first = await an_issue(doorway, webhook, 1, priority=p1)
    second = await an_issue(doorway, webhook, 2, kind=EventType.ACKNOWLEDGED, priority=p4, service=till)
    third = await an_issue(doorway, webhook, 3, kind=EventType.RESOLVED, service=till)
    assert await reader.incidents() == [third, second, first]
    assert await reader.incidents(status="acknowledged") == [second]
    assert await reader.incidents(status=["acknowledged", "resolved"]) == [third, second]
    assert await reader.incidents(severity=["critical", "info"]) == [second, first]
    assert await reader.incidents(service="Till") == [third, second]
    assert await reader.incidents(service=["PSERVICE1", "Till"]) == [third, second, first]
    assert await reader.incidents(service="Till", status="resolved") == [third]
    assert await reader.incidents(incident=[first, third]) == [third, first]
    assert await reader.incidents(scope="organization:acme", incident=first) == [first]
    assert await reader.incidents(scope="organization:other") == []
    assert await reader.incidents(service="Till", severity="critical") == []


@pytest.mark.each_database
async def test_pages_hold_every_issue_once_also_those_of_one_moment(doorway: Doorway) -> None:
    webhook, reader = doorway.a_webhook(), Reader(doorway)
    made = {await an_issue(doorway, webhook, minute=number // 4) for number in range(11)}
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(10):
        page = (await reader.get("/api/issues", limit=3, **cursor)).json()
        seen += [issue["incident_id"] for issue in page["issues"]]
        if page["next_cursor"] is None:
            break
        assert len(page["issues"]) == 3
        cursor = {"cursor": page["next_cursor"]}
        # What arrives meanwhile is newer, and moves nothing that is still to come.
        await an_issue(doorway, webhook, minute=100)
    assert len(seen) == len(set(seen)) == 11
    assert set(seen) == made


async def test_a_last_page_that_is_full_has_no_next(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    for minute in range(2):
        await an_issue(doorway, webhook, minute)
    page = (await Reader(doorway).get("/api/issues", limit=2)).json()
    assert (len(page["issues"]), page["next_cursor"]) == (2, None)


@pytest.mark.each_database
@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "e30",
        "WzEsMl0",
        "W10",
        "/" * 50,
        "é",
        "\x00",
        # ["2026-06-01T12:00:00+00:00","\ud800"] and the same with a NUL, and without a zone
        "WyIyMDI2LTA2LTAxVDEyOjAwOjAwKzAwOjAwIiwiXHVkODAwIl0",
        "WyIyMDI2LTA2LTAxVDEyOjAwOjAwKzAwOjAwIiwiXHUwMDAwIl0",
        "WyIyMDI2LTA2LTAxVDEyOjAwOjAwIiwiYSJd",
    ],
)
async def test_a_cursor_that_we_did_not_give_is_400_and_named(doorway: Doorway, cursor: str) -> None:
    answer = await Reader(doorway).get("/api/issues", cursor=cursor)
    assert answer.status_code == 400
    assert "cursor" in answer.json()["error"]["message"]


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"Status": "triggered"}, "Status"),
        ({"status": "open"}, "status"),
        ({"severity": ["critical", "bad"]}, "severity.1"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"scope": "acme"}, "scope"),
        ({"service": "a\x00b"}, "service"),
        ({"incident": "\x00"}, "incident"),
    ],
)
async def test_a_parameter_that_is_wrong_is_400_and_named(
    doorway: Doorway, query: dict[str, Any], named: str
) -> None:
    answer = await Reader(doorway).get("/api/issues", **query)
    assert answer.status_code == 400, answer.text
    assert named in answer.json()["error"]["message"]


@pytest.mark.each_database
async def test_a_caller_sees_its_own_scopes_and_of_others_not_even_that_they_exist(doorway: Doorway) -> None:
    shops = await an_issue(doorway, doorway.a_webhook(scope=SHOP))
    banks = await an_issue(doorway, doorway.a_webhook(scope=BANK), minute=1)
    shop, bank = Reader(doorway, [SHOP]), Reader(doorway, [BANK])
    assert await shop.incidents() == [shops]
    assert await bank.incidents() == [banks]
    assert await Reader(doorway, [SHOP, BANK]).incidents() == [banks, shops]
    assert await Reader(doorway, []).incidents() == []
    assert await Reader(doorway).incidents() == [banks, shops]
    assert await shop.incidents(scope=BANK) == []
    assert await shop.incidents(incident=banks) == []
    [issue] = (await bank.get("/api/issues")).json()["issues"]
    foreign, missing = [
        await shop.get(f"/api/issues/{issue_id}") for issue_id in (issue["id"], "iss_" + "a" * 24)
    ]
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.text.replace(issue["id"], "X") == missing.text.replace("iss_" + "a" * 24, "X")


@pytest.mark.each_database
@pytest.mark.parametrize("issue_id", ["%00", "iss_", "iss_%FF", "x" * 5000, "é"])
async def test_an_id_that_is_none_of_ours_is_404(doorway: Doorway, issue_id: str) -> None:
    answer = await Reader(doorway).get(f"/api/issues/{issue_id}")
    assert answer.status_code == 404


GUARDED = ["/api/issues", "/api/issues/events", "/api/issues/iss_x", "/metrics"]


@pytest.mark.parametrize("path", GUARDED)
async def test_without_a_valid_key_the_answer_is_401(doorway: Doorway, path: str) -> None:
    good = make_key(doorway.database, ["issues:read", "metrics:read"])["Authorization"]
    bare = good.removeprefix("Bearer ")
    for given in (None, "", "Bearer", "Bearer ", "Basic abc", f"Basic {bare}", bare, good[:-1] + "!", "\x7f"):
        headers = {} if given is None else {"Authorization": given}
        answer = await doorway.client.get(path, headers=headers)
        assert answer.status_code == 401, given
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", GUARDED)
async def test_a_key_without_the_permission_is_403_and_told_which(doorway: Doorway, path: str) -> None:
    key = make_key(doorway.database, ["webhooks:write"])
    answer = await doorway.client.get(path, headers=key)
    assert answer.status_code == 403
    assert ":read" in answer.json()["error"]["message"]


async def test_metrics_are_for_operators_in_prometheus_form(doorway: Doorway) -> None:
    key = make_key(doorway.database, ["metrics:read"])
    answer = await doorway.client.get("/metrics", headers=key)
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE calmo_deliveries_total counter" in answer.text


@pytest.mark.each_database
async def test_issues_are_found_by_words_of_their_title_and_by_number(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    disk = await an_issue(doorway, webhook, 0, title="Disk 100% full", number=7)
    queue = await an_issue(doorway, webhook, 1, title="Queue grows", number=100)
    reader = Reader(doorway)
    assert await reader.incidents(text="disk 100%") == [disk]
    assert await reader.incidents(text="100") == [queue, disk]
    assert await reader.incidents(text="#7") == [disk]
    assert await reader.incidents(text="9" * 30) == []
    assert await reader.incidents(text="_") == []
