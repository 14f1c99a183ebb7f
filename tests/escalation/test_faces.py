"""Escalation over REST, and as the terminal shows it; who sees persons; drills' services and schedules."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.escalation import lint, response_analysis
from calmo_pagerduty.escalation.privacy import SOMEBODY
from calmo_pagerduty.findings.codec import result_document
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind
from ingress.commands import escalation_view
from tests.escalation.test_response import busy_account
from tests.support.doors import Doorway, make_key, open_doorway
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.recorded_drills import service_of, stored_snapshot
from tests.support.small_accounts import DAY, MONDAY, account, level, policy, schedule, service, user
from tests.support.snapshots import store_snapshot
from tests.support.system import System, running_system
from workflows import names

PHONE = ContactKind.PHONE
READ, PERSONS = "findings:read", "persons:read"
AT = "2026-10-05T00:00:00Z"


def world() -> AccountSnapshot:
    """Amy is never paged on level 1, and Bob's second rule comes too late."""
    return account(
        services=(service(),),
        policies=(policy(level("R1", 10, "S1"), level("R2", 10, "bob"), level("R3", 5, "cat")),),
        schedules=(schedule("S1", (MONDAY, MONDAY + 60 * DAY, "amy")),),
        users=(
            user("amy", (15, PHONE)),
            user("bob", (0, PHONE), (20, PHONE)),
            replace(user("cat", (0, PHONE)), name="Cat <script>"),
        ),
    )


@pytest.fixture
async def doorway(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


async def test_a_simulation_names_who_is_paged_and_who_is_not(doorway: Doorway, database: Database) -> None:
    connection = store_snapshot(database, world()).connection_id
    path = f"/api/connections/{connection}/escalation/simulation"
    asked = {"service": "V1", "at": AT, "lanes": "true"}
    answer = (
        await doorway.client.get(path, params=asked, headers=make_key(database, [READ, PERSONS]))
    ).json()
    assert [(page["after_minutes"], page["person"]["name"]) for page in answer["pages"]] == [
        (10, "Name of bob"),
        (20, "Cat <script>"),
    ]
    assert {silent["person"]["name"] for silent in answer["unpaged"]} == {"Name of amy", "Name of bob"}
    assert answer["lanes"]["lanes"]
    hidden = (await doorway.client.get(path, params=asked, headers=make_key(database, [READ]))).json()
    assert hidden["pages"] == answer["pages"]
    assert {silent["person"]["name"] for silent in hidden["unpaged"]} == {SOMEBODY}
    name = next(service.name for service in world().services if service.id == "V1")
    by_name = await doorway.client.get(
        path, params={**asked, "service": name.upper()}, headers=make_key(database, [READ])
    )
    assert by_name.json()["pages"] == answer["pages"]
    picture = await doorway.client.get(f"{path}.svg", params=asked, headers=make_key(database, [READ]))
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "<script>" not in picture.text


async def test_the_lint_hides_what_single_persons_set(doorway: Doorway, database: Database) -> None:
    connection = store_snapshot(database, world()).connection_id
    path = f"/api/connections/{connection}/escalation/lint"
    asked = {"now": AT, "ladders": "true"}
    everybody = await doorway.client.get(path, params=asked, headers=make_key(database, [READ, PERSONS]))
    nobody = await doorway.client.get(path, params=asked, headers=make_key(database, [READ]))
    assert "Name of amy is on level 1 and never paged there" in everybody.text
    assert "Name of amy" not in nobody.text
    assert [f["code"] for f in nobody.json()["findings"]] == [f["code"] for f in everybody.json()["findings"]]
    assert nobody.json()["metrics"]["policies"][0]["levels"][0]["never_paged_user_ids"] == []
    page = await doorway.client.get(
        path, params={"now": AT, "format": "html"}, headers=make_key(database, [READ, PERSONS])
    )
    assert "Name of amy is never paged here" in page.text
    assert "Cat &lt;script&gt;" in page.text
    for outside in ("<script", "<link", "src=", "@import", "url("):
        assert outside not in page.text
    for form, kind in (("md", "text/markdown"), ("csv", "text/csv"), ("html", "text/html")):
        table = await doorway.client.get(
            path, params={"now": AT, "format": form}, headers=make_key(database, [READ])
        )
        assert table.headers["content-type"].startswith(kind)
        assert "amy is" not in table.text


async def test_a_moment_without_an_offset_or_an_unknown_service_is_refused(
    doorway: Doorway, database: Database
) -> None:
    connection = store_snapshot(database, world()).connection_id
    path = f"/api/connections/{connection}/escalation/simulation"
    headers = make_key(database, [READ])
    for asked, status in (
        ({"service": "V1", "at": "2026-10-05T00:00:00"}, 400),
        ({"service": "V1", "at": "0001-01-01T00:00:00Z"}, 400),
        ({"service": "V9"}, 404),
        ({}, 400),
    ):
        answer = await doorway.client.get(path, params=asked, headers=headers)
        assert answer.status_code == status, asked


async def test_the_response_can_be_limited_to_a_policy(doorway: Doorway, database: Database) -> None:
    connection = store_snapshot(database, busy_account(120)).connection_id
    path = f"/api/connections/{connection}/escalation"
    headers = make_key(database, [READ])
    for policy_id, count in (("P1", 1), ("P9", 0)):
        answer = await doorway.client.get(
            f"{path}/response", params={"now": AT, "policy": policy_id}, headers=headers
        )
        assert len(answer.json()["metrics"]["policies"]) == count
    ladder = await doorway.client.get(
        f"{path}/ladder.svg", params={"now": AT, "policy": "P1"}, headers=headers
    )
    assert "level 1 moves on: 30 min" in ladder.text


def test_the_terminal_says_everything_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    escalation_view.print_lint(result_document(lint.analyse(world(), MONDAY)), None)
    escalation_view.print_response(result_document(response_analysis.analyse(busy_account(400), MONDAY)))
    told = capsys.readouterr().out
    assert "never paged there" in told
    assert "Advice: level 1 moves on after" in told
    assert "Where the time to acknowledge went" in told
    assert "If none resolves by itself: 12.0 min to an answer" in told
    assert "\x1b" not in told


def test_the_terminal_marks_a_curve_that_is_of_other_policies(capsys: pytest.CaptureFixture[str]) -> None:
    document = result_document(response_analysis.analyse(busy_account(400), MONDAY))
    document["metrics"]["policies"][0]["levels"][1]["borrowed_from"] = "levels 2 and up of all policies"
    escalation_view.print_response(document)
    told = capsys.readouterr().out
    assert "level 2*, n = 127 " in told
    assert "* too few answers of its own, so the curve is of levels 2 and up of all policies" in told


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, past=Past(seed=1), working=False, webhooks=True) as found:
        yield found


async def test_naming_a_service_keeps_its_schedule_of_drills(system: System) -> None:
    service_id, headers = service_of(system), system.headers
    path = f"/api/connections/{system.connection_id}/escalation"
    schedule_handle = system.temporal.get_schedule_handle(
        names.drill_workflow_id(system.connection_id, service_id)
    )
    http = system.http
    name = system.site.account.services[service_id].name
    early = await http.post(f"{path}/drill-services", json={"service": service_id}, headers=headers)
    assert (early.status_code, "no snapshot" in early.text) == (404, True)
    await stored_snapshot(system)
    unnamed = await http.post(f"{path}/drills", json={"service": service_id}, headers=headers)
    assert (unnamed.status_code, "escalation drill-service" in unnamed.text) == (409, True)
    unknown = await http.post(f"{path}/drill-services", json={"service": "No such"}, headers=headers)
    assert (unknown.status_code, "no service 'No such'" in unknown.text) == (404, True)
    for every_days, text in ((30, service_id), (7, name.upper())):
        body = {"service": text, "every_days": every_days}
        named = await http.post(f"{path}/drill-services", json=body, headers=headers)
        assert named.json()["every_days"] == every_days
        assert (named.json()["service"], named.json()["service_name"]) == (service_id, name)
        description = await schedule_handle.describe()
        assert description.schedule.spec.intervals[0].every.days == every_days
    gone = await http.delete(f"{path}/drill-services/{service_id}", headers=headers)
    assert gone.json() == {"services": []}
    with pytest.raises(RPCError):
        await schedule_handle.describe()
