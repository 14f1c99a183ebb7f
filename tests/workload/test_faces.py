"""Workload reports over REST, as documents, on the command line and for agents: each shows whom it may."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from calmo_pagerduty.access.permissions import (
    CONNECTIONS_READ,
    CONNECTIONS_WRITE,
    FINDINGS_READ,
    PERSONS_READ,
)
from tests.support.mcp_text import text_of
from tests.support.parts import Parts
from tests.support.rough_night import rough_snapshot
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System, running_system
from tests.support.terminal import Terminal
from tests.support.tool_callers import agent, served

HOSTILE = "=2+3|<script>alert(1)</script>\x1b[31m"
PAY = """
[pay]
currency = "EUR"
base_rate = 10
[holidays]
country = "DE"
"""


@pytest.fixture
async def reported(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, working=False) as service:
        snapshot = rough_snapshot(service.connection_id, datetime.now(UTC))
        users = tuple(
            replace(user, name=HOSTILE) if user.id == "U1" else replace(user, name=f"Name {user.id}")
            for user in snapshot.users
        )
        store_snapshot_of(service.database, replace(snapshot, users=users))
        yield service


def path_of(service: System, part: str = "") -> str:
    return f"/api/connections/{service.connection_id}/workload{part}"


async def publish(service: System, document: str = PAY) -> None:
    draft = f"{path_of(service)}/settings/draft"
    answer = await service.http.put(draft, json={"document": document}, headers=service.headers)
    assert answer.status_code == 200, answer.text
    answer = await service.http.post(f"{path_of(service)}/settings/publish", headers=service.headers)
    assert answer.json()["version"] == 1, answer.text


async def test_a_key_sees_its_own_person_and_a_managers_key_sees_all(reported: System) -> None:
    for headers, seen in (
        (reported.headers, {"U1", "U2", "U3", "U4"}),
        (reported.a_key(FINDINGS_READ, person="U2"), {"U2"}),
        (reported.a_key(FINDINGS_READ, person="U9"), {"U1", "U2", "U3", "U4"}),
        (reported.a_key(FINDINGS_READ, person="somebody"), set()),
    ):
        report = await reported.get(path_of(reported), headers=headers)
        assert {row["id"] for row in report["past"]["people"]} == seen
        assert report["past"]["people_hidden"] == 4 - len(seen)
    paged = await reported.get(path_of(reported))
    (bad_night,) = [row for row in paged["past"]["people"] if row["id"] == "U1"]
    assert (bad_night["interruptions"], bad_night["sleep_interruptions"]) == (2, 2)


async def test_hostile_names_do_nothing_in_any_document(reported: System) -> None:
    texts = {}
    for kind in ("md", "html", "csv"):
        answer = await reported.http.get(
            f"{path_of(reported)}/document?format={kind}", headers=reported.headers
        )
        assert answer.status_code == 200, answer.text
        assert "script-src" not in answer.headers["content-security-policy"]
        texts[kind] = answer.text
    assert "<script" not in texts["html"]
    assert "\\<script\\>" in texts["md"] or "`" in texts["md"]
    assert ",'=2+3|" in texts["csv"]
    assert all("\x1b" not in text for text in texts.values())
    plot = await reported.http.get(f"{path_of(reported)}/plot.svg", headers=reported.headers)
    assert plot.headers["content-type"].startswith("image/svg+xml")
    assert "<script" not in plot.text
    shares = f"{path_of(reported)}/plot.svg?kind=shares&schedule=S1"
    assert "target" in (await reported.http.get(shares, headers=reported.headers)).text


def days_of(period: Any) -> int:
    """Return how many days a period in an answer has."""
    start, end = (datetime.fromisoformat(period[name]) for name in ("since", "until"))
    return (end - start).days


async def test_days_stand_for_the_past_and_the_time_ahead(reported: System) -> None:
    for query, past, forward in (("days=14", 14, 14), ("days=14&forward_days=21", 14, 21)):
        report = await reported.get(f"{path_of(reported)}?{query}")
        assert (days_of(report["past"]), days_of(report["forward"])) == (past, forward)
    plain, short = [
        await reported.http.get(f"{path_of(reported)}/plot.svg{query}", headers=reported.headers)
        for query in ("", "?days=14")
    ]
    assert short.status_code == 200 and short.text != plain.text
    assert days_of(await reported.get(path_of(reported, "/working-time?days=14"))) == 14
    both = path_of(reported, "/working-time?days=14&since=2026-01-01T00:00:00Z")
    assert (await reported.http.get(both, headers=reported.headers)).status_code == 400


async def test_pay_needs_published_rules_and_shows_each_only_the_own(reported: System) -> None:
    pay = path_of(reported, "/pay")
    missing = await reported.http.get(pay, headers=reported.headers)
    assert missing.status_code == 404
    assert "no pay rules are published" in missing.text
    await publish(reported)
    report = await reported.get(pay)
    assert report["currency"] == "EUR"
    for row in report["people"]:
        assert row["amount"] == f"{row['seconds'] / 360:.2f}"
    assert float(report["amount"]) == pytest.approx(sum(float(row["amount"]) for row in report["people"]))
    own = await reported.get(pay, headers=reported.a_key(FINDINGS_READ, person="U2"))
    assert {row["id"] for row in own["people"]} <= {"U2"}
    assert own["amount"] is None
    document = await reported.http.get(f"{pay}/document?format=csv", headers=reported.headers)
    assert document.text.startswith("person,rule,rate per hour,hours,amount\r\n")
    time = await reported.get(path_of(reported, "/working-time"))
    assert time["template"] == "EU 2003/88/EC"


async def test_only_a_managers_key_publishes_what_others_draft(reported: System) -> None:
    settings, drafter = path_of(reported, "/settings"), reported.a_key(CONNECTIONS_READ, CONNECTIONS_WRITE)
    wrong = await reported.http.put(
        f"{settings}/draft", json={"document": "[pay]\ncurrency = 'x'"}, headers=drafter
    )
    assert wrong.status_code == 400
    assert "pay.currency" in wrong.text
    drafted = await reported.http.put(f"{settings}/draft", json={"document": PAY}, headers=drafter)
    assert drafted.json()["draft"]["pay"]["base_rate"] == "10"
    assert drafted.json()["published"] is None
    assert (await reported.http.post(f"{settings}/publish", headers=drafter)).status_code == 403
    manager = reported.a_key(CONNECTIONS_READ, CONNECTIONS_WRITE, PERSONS_READ, person="boss")
    published = await reported.http.post(f"{settings}/publish", headers=manager)
    assert published.json()["published_by"] == "boss"
    assert (await reported.http.post(f"{settings}/publish", headers=manager)).status_code == 409
    outcomes = [record["outcome"] for record in await reported.audited()]
    assert outcomes[-2:] == ["workload settings drafted", "workload settings published"]


async def test_the_command_line_shows_reports_plots_and_cover(reported: System) -> None:
    await publish(reported)
    async with served(reported) as url:
        terminal = Terminal(url, reported)
        shown = await terminal.run("workload", "show", "--connection", reported.connection_id, columns="140")
        assert shown.code == 0, shown.error
        for words in ("Past, by person", "Pages against chance", "┃ target", "sleep hours"):
            assert words in shown.text
        assert "\x1b" not in shown.text
        paid = await terminal.run("workload", "pay", "--connection", reported.connection_id, "--json")
        assert paid.json["currency"] == "EUR"
        csv = await terminal.run("workload", "pay", "--connection", reported.connection_id, "--format", "csv")
        assert csv.text.startswith("person,rule")
        checked = await terminal.run(
            "workload", "working-time", "--connection", reported.connection_id, columns="140"
        )
        assert "not legal advice" in checked.text
        listed = await terminal.run(
            "workload", "cover-requests", "--connection", reported.connection_id, "--json"
        )
        assert listed.json == {"requests": []}


async def test_agents_read_the_workload(reported: System) -> None:
    async with served(reported) as url, agent(url, reported.headers) as client:
        text = text_of(await client.call_tool("get_workload", {}))
    assert "Name U2" in text
    assert "\x1b" not in text
