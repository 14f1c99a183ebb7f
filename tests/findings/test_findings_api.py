"""The inbox over REST: filters, pages, history, decisions, and who sees persons."""

from typing import Any

import pytest
from prometheus_client import generate_latest

from calmo_pagerduty.findings.model import Finding, FindingSeverity
from calmo_pagerduty.findings.service import FindingService
from ingress.findings.counting import FindingCounter
from ingress.findings.models import encode_position
from tests.support.connected import add_connection
from tests.support.documented import check
from tests.support.doors import Doorway, make_key
from tests.support.findings import ANA, DAY, NOON, RETAIL, a_finding, a_gap, a_result

SHOP = "organization:shop"
READ, WRITE, PERSONS, ISSUES = "findings:read", "findings:write", "persons:read", "issues:read"
BURDENED = a_finding(
    "PANA",
    code="too_many_nights",
    title="Ana Lima bears 9 nights",
    entities=(ANA, RETAIL),
    about_persons=True,
    severity=FindingSeverity.MEDIUM,
)


class Inbox:
    """Calls the API with one key."""

    def __init__(self, doorway: Doorway) -> None:
        self.doorway = doorway
        self.connection = add_connection(doorway.database, doorway.keyring, SHOP)

    async def record(self, *findings: Finding, now: int = NOON) -> None:
        await FindingService(self.doorway.database).record(self.connection, a_result(*findings, now=now))

    async def ask(self, method: str, path: str, *permissions: str, **given: Any) -> Any:
        """Return the answer's JSON; it has the status 200 and is as the OpenAPI document says."""
        key = make_key(self.doorway.database, permissions or (READ, WRITE, PERSONS), [SHOP])
        answer = await self.doorway.client.request(method, path, headers=key, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, *permissions: str, **given: Any) -> tuple[int, str]:
        key = make_key(self.doorway.database, permissions or (READ, WRITE, PERSONS), [SHOP])
        answer = await self.doorway.client.request(method, path, headers=key, **given)
        return answer.status_code, answer.json()["error"]["message"]


@pytest.fixture
def inbox(doorway: Doorway) -> Inbox:
    return Inbox(doorway)


async def test_the_inbox_shows_the_worst_first_in_pages(inbox: Inbox) -> None:
    await inbox.record(a_gap("a", 0.1), a_gap("b", 0.9), a_gap("c", None), BURDENED)
    keys, cursor = [], None
    while True:
        page = await inbox.ask(
            "GET", "/api/findings", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
        )
        keys += [(found["severity"], found["expected_dropped_incidents"]) for found in page["findings"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert keys == [("high", 0.9), ("high", 0.1), ("high", None), ("medium", None)]


async def test_a_finding_says_what_it_rests_on_and_what_to_do(inbox: Inbox) -> None:
    await inbox.record(a_gap())
    [listed] = (await inbox.ask("GET", "/api/findings"))["findings"]
    shown = await inbox.ask("GET", f"/api/findings/{listed['id']}")
    history = shown.pop("history")
    assert shown == listed
    assert listed["starts_at"] == "2026-06-02T12:00:00Z"
    assert listed["ends_at"] == "2026-06-02T16:00:00Z"
    assert listed["evidence"] == [{"words": "no level has anybody for 4 h", "data": {"seconds": 14400}}]
    assert listed["recommendation"] and listed["how_to_verify"] and listed["how_to_undo"]
    assert [(event["kind"], event["evidence"]) for event in history] == [("found", listed["evidence"])]
    issue = await inbox.ask("GET", f"/api/issues/{listed['issue_id']}", ISSUES)
    assert (issue["origin"], issue["finding_id"]) == ("finding", listed["id"])
    assert issue["expected_dropped_incidents"] == 0.42
    assert issue["workflow_id"] == f"pd-oncall:{inbox.connection}"


async def test_a_decision_has_an_author_a_time_and_a_reason_and_can_be_undone(inbox: Inbox) -> None:
    await inbox.record(a_gap())
    [listed] = (await inbox.ask("GET", "/api/findings"))["findings"]
    path = f"/api/findings/{listed['id']}"
    accepted = await inbox.ask("POST", f"{path}/accept")
    again = await inbox.ask("POST", f"{path}/accept")
    assert (accepted["state"], accepted["decided_by"]) == ("accepted", "test")
    assert again == accepted
    dismissed = await inbox.ask("POST", f"{path}/dismiss", json={"reason": "closed at night"})
    assert (dismissed["state"], dismissed["reason"]) == ("dismissed", "closed at night")
    undone = await inbox.ask("POST", f"{path}/undo")
    assert (undone["state"], undone["decided_by"], undone["reason"]) == ("new", None, None)
    assert [(event["kind"], event["author"], event["reason"]) for event in undone["history"]] == [
        ("found", None, None),
        ("accepted", "test", None),
        ("dismissed", "test", "closed at night"),
        ("undone", "test", None),
    ]
    audited = await inbox.ask("GET", "/api/audit", "audit:read")
    outcomes = [row["record"]["outcome"] for row in audited["rows"]]
    assert outcomes == ["finding undone", "finding dismissed", "finding accepted"]
    assert "closed at night" not in str(audited)


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "a\x00b"}, {"reason": "x" * 1001}]
)
async def test_who_dismisses_says_why(inbox: Inbox, body: dict[str, str]) -> None:
    await inbox.record(a_gap())
    [listed] = (await inbox.ask("GET", "/api/findings"))["findings"]
    status, message = await inbox.refused("POST", f"/api/findings/{listed['id']}/dismiss", json=body)
    assert status == 400
    assert "reason" in message


async def test_a_resolved_finding_takes_no_decision(inbox: Inbox) -> None:
    await inbox.record(a_gap())
    await inbox.record(now=NOON + DAY)
    [listed] = (await inbox.ask("GET", "/api/findings", params={"state": "resolved"}))["findings"]
    status, message = await inbox.refused("POST", f"/api/findings/{listed['id']}/accept")
    assert (status, message) == (409, f"finding {listed['id']} is resolved: there is nothing to accept")


async def test_who_may_not_see_persons_sees_neither_name_nor_figure(inbox: Inbox) -> None:
    await inbox.record(BURDENED)
    await inbox.record(a_finding(), now=NOON)
    whole = await inbox.ask("GET", "/api/findings", params={"entity": "PANA"})
    [listed] = whole["findings"]
    assert listed["title"] == BURDENED.title
    for path in ("/api/findings", f"/api/findings/{listed['id']}"):
        told = str(await inbox.ask("GET", path, READ))
        assert "Ana" not in told and "PANA" not in told and "9 nights" not in told
    shown = await inbox.ask("GET", f"/api/findings/{listed['id']}", READ)
    assert shown["is_hidden"] and shown["title"] == "Too many nights: a person"
    assert [entity["name"] for entity in shown["entities"]] == ["Retail"]
    none = await inbox.ask("GET", "/api/findings", READ, params={"entity": "PANA"})
    assert none["findings"] == []
    status, message = await inbox.refused("POST", f"/api/findings/{listed['id']}/accept", READ, WRITE)
    assert status == 409
    assert PERSONS in message


async def test_an_issue_of_a_finding_refuses_what_pagerduty_would_have_to_do(inbox: Inbox) -> None:
    await inbox.record(a_gap())
    [issue] = (await inbox.ask("GET", "/api/issues", ISSUES, params={"origin": "finding"}))["issues"]
    assert (await inbox.ask("GET", "/api/issues", ISSUES, params={"origin": "incident"}))["issues"] == []
    rights = (ISSUES, "tools:read", "tools:write")
    for path, body in (("actions", {"action": "resolve"}), ("context", {})):
        status, message = await inbox.refused("POST", f"/api/issues/{issue['id']}/{path}", *rights, json=body)
        assert status == 409, message
        assert f"calmo-pagerduty findings show {issue['finding_id']}" in message
    status, _ = await inbox.refused("GET", f"/api/issues/{issue['id']}/context", ISSUES)
    assert status == 409


@pytest.mark.parametrize(
    "cursor", ["x", "é", encode_position(None) or "W10", "WzEsMl0", "W251bGwsMSwyXQ", "WzEsMSwxZTk5XQ"]
)
async def test_a_foreign_cursor_is_refused(inbox: Inbox, cursor: str) -> None:
    status, message = await inbox.refused("GET", "/api/findings", params={"cursor": cursor})
    assert status == 400
    assert "cursor" in message


@pytest.mark.parametrize("number", ["0", "9" * 18, "9" * 19, "x", "-1", "１", "1.5"])
async def test_what_is_no_finding_is_not_found(inbox: Inbox, number: str) -> None:
    assert (await inbox.refused("GET", f"/api/findings/{number}"))[0] == 404
    assert (await inbox.refused("POST", f"/api/findings/{number}/accept"))[0] == 404


async def test_answers_are_as_the_document_says(inbox: Inbox) -> None:
    await inbox.record(a_gap(), BURDENED)
    document = (await inbox.doorway.client.get("/openapi.json")).json()
    key = make_key(inbox.doorway.database, (READ, WRITE), [SHOP])
    [first, _] = (await inbox.ask("GET", "/api/findings"))["findings"]
    for method, path, body in (
        ("get", "/api/findings", None),
        ("get", "/api/findings/{id}", None),
        ("post", "/api/findings/{id}/undo", {}),
        ("post", "/api/findings/{id}/dismiss", {}),
        ("post", "/api/findings/{id}/dismiss", {"reason": "known"}),
    ):
        target = path.replace("{id}", str(first["id"]))
        answer = await inbox.doorway.client.request(method, target, headers=key, json=body)
        check(document, answer, method, path)


async def test_metrics_count_findings_without_ids(inbox: Inbox) -> None:
    await inbox.record(a_gap(), BURDENED)
    leading = True
    counter = FindingCounter(inbox.doorway.database, inbox.doorway.ingress.metrics, leading=lambda: leading)
    await counter.count_once()
    text = (
        await inbox.doorway.client.get("/metrics", headers=make_key(inbox.doorway.database, ["metrics:read"]))
    ).text
    assert 'calmo_findings{analysis="coverage",severity="high",state="new"} 1.0' in text
    assert inbox.connection not in text and "PANA" not in text
    # Another process leads and tells them now: added up, each finding is counted once.
    leading = False
    await counter.count_once()
    assert "calmo_findings{" not in generate_latest(inbox.doorway.ingress.metrics.registry).decode()
