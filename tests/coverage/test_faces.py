"""Coverage and readiness over REST, and as the terminal shows them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.plots.codec import lanes_from_json, lanes_to_json
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    ContactMethod,
    Layer,
    NotificationRule,
    Section,
    SectionName,
    SectionState,
    Team,
    Urgency,
    UrgencyKind,
    UrgencyRule,
)
from ingress.commands.coverage_view import coverage_view, readiness_view
from tests.support.coverage_worlds import DAY, NOW, account, policy_of, schedule_of, service_of, user_of
from tests.support.documented import check
from tests.support.doors import ACME, Doorway, make_key, open_doorway
from tests.support.plot_examples import HOSTILE, LANES
from tests.support.snapshots import store_snapshot, with_section

READ, PERSONS = "findings:read", "persons:read"
AT_NOW = {"now": "2027-01-04T00:00:00Z"}


def world() -> AccountSnapshot:
    """Payments has nobody for a day from Wednesday on; Ann has e-mail only and two duties at once."""
    ann = user_of(
        "UA",
        contact_methods=(ContactMethod("C1", ContactKind.EMAIL, is_enabled=True),),
        notification_rules=(NotificationRule("N1", Urgency.HIGH, 0, "C1"),),
    )
    layer = Layer("L1", "L1", NOW - DAY, None, NOW, DAY, ("UA",))
    first = schedule_of(
        "S1", (NOW - DAY, NOW + 2 * DAY, "UA"), (NOW + 3 * DAY, NOW + 92 * DAY, "UA"),
        layers=(layer,), team_ids=("T1",),
    )  # fmt: skip
    second = schedule_of("S2", (NOW - DAY, NOW + 2 * DAY, "UA"), layers=(layer,))
    snapshot = account(
        schedules=(replace(first, name=HOSTILE), second),
        policies=(policy_of("P1", ["S1"], ["S2"]), policy_of("P2", ["S2"])),
        services=(
            service_of("V1", "P1", urgency=UrgencyRule(UrgencyKind.CONSTANT, Urgency.HIGH)),
            service_of("V2", None),
        ),
        users=(ann,),
        teams=(Team("T1", "Payments"),),
    )
    return with_section(snapshot, Section(SectionName.INCIDENTS, SectionState.FORBIDDEN, NOW, 0, "403"))


class Reader:
    def __init__(self, doorway: Doorway, connection: str) -> None:
        self.doorway = doorway
        self.path = f"/api/connections/{connection}"

    async def get(self, name: str, *permissions: str, **params: str) -> Any:
        """Return the answer; it has the status 200 and is as the OpenAPI document says."""
        key = make_key(self.doorway.database, permissions or (READ, PERSONS), [ACME])
        answer = await self.doorway.client.get(
            f"{self.path}/{name}", headers=key, params={**AT_NOW, **params}
        )
        assert answer.status_code == 200, answer.text
        document = (await self.doorway.client.get("/openapi.json")).json()
        check(document, answer, "get", f"/api/connections/{{id}}/{name}")
        return answer if "svg" in name else answer.json()

    async def refused(self, name: str, **params: str) -> tuple[int, str]:
        key = make_key(self.doorway.database, (READ,), [ACME])
        answer = await self.doorway.client.get(f"{self.path}/{name}", headers=key, params=params)
        return answer.status_code, answer.json()["error"]["message"]


@pytest.fixture
async def reader(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Reader]:
    snapshot = store_snapshot(database, world())
    async with open_doorway(database, keyring, tmp_path) as doorway:
        yield Reader(doorway, snapshot.connection_id)


async def test_coverage_names_gaps_causes_remedies_and_what_is_unknown(reader: Reader) -> None:
    report = await reader.get("coverage", days="7")
    policy = next(row for row in report["policies"] if row["id"] == "P1")
    (gap,) = policy["gaps"]
    assert (gap["start"], gap["end"]) == ("2027-01-06T00:00:00Z", "2027-01-07T00:00:00Z")
    assert gap["expected_dropped_incidents"] is None
    assert {why["schedule"]["id"] for why in gap["causes"]} == {"S1", "S2"}
    assert all(why["remedy"] for why in gap["causes"])
    assert "incidents are forbidden: 403" in report["limits"]
    assert [row["id"] for row in report["policies_of_no_service"]] == ["P2"]
    assert [row["id"] for row in report["services_without_policy"]] == ["V2"]
    assert report["lanes"] is None


async def test_a_selection_holds_what_belongs_together(reader: Reader) -> None:
    by_service = await reader.get("coverage", service="V1")
    assert [[row["id"] for row in by_service[kind]] for kind in ("services", "policies", "schedules")] == [
        ["V1"], ["P1"], ["S1", "S2"]
    ]  # fmt: skip
    by_schedule = await reader.get("coverage", schedule="S1", lanes="true")
    assert [row["id"] for row in by_schedule["policies"]] == ["P1"]
    assert len(by_schedule["lanes"]["schedules"]) == 1


async def test_conflicts_and_readiness_of_persons_need_the_permission(reader: Reader) -> None:
    assert {row["kind"] for row in (await reader.get("coverage"))["conflicts"]} == {
        "successive_levels", "two_schedules"
    }  # fmt: skip
    hidden = await reader.get("coverage", READ)
    assert (hidden["conflicts"], hidden["hidden_conflicts"]) == ([], 2)
    people = await reader.get("readiness")
    assert [(row["id"], row["state"], row["light"]) for row in people["people"]] == [
        ("UA", "email_only", "red")
    ]
    few = await reader.get("readiness", READ)
    assert (few["people"], few["hidden_people"], few["counts"]["email_only"]) == ([], 1, 1)


async def test_now_and_next_are_in_the_readers_and_the_persons_zone(reader: Reader) -> None:
    report = await reader.get("now-next", time_zone="Asia/Tokyo", service="V1")
    (row,) = report["services"]
    assert (row["now"]["level"], row["now"]["people"][0]["id"]) == (1, "UA")
    assert row["now"]["until_local"] == "Wed 6 Jan 09:00"
    assert row["now"]["people"][0]["until_local"] == "Wed 6 Jan 00:00"
    assert row["next"]["level"] is None
    assert not row["a_page_would_come"]
    assert [check["check"] for check in row["checklist"] if check["verdict"] == "problem"] == ["reachable"]


async def test_an_imported_calendar_shows_duties_while_away_and_what_it_left_out(reader: Reader) -> None:
    pytest.importorskip("icalendar")
    calendar = "\r\n".join([
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//t//",
        "BEGIN:VEVENT", "UID:1", "SUMMARY:Vacation", "DTSTART;VALUE=DATE:20270105", "END:VEVENT",
        "BEGIN:VEVENT", "UID:2", "SUMMARY:Away", "DTSTART:20270105T000000Z", "RRULE:FREQ=SECONDLY",
        "END:VEVENT", "END:VCALENDAR", "",
    ])  # fmt: skip
    key = make_key(reader.doorway.database, (READ, PERSONS), [ACME])
    path = f"{reader.path}/coverage/conflicts"
    body = {**AT_NOW, "calendars": [{"user": "UA", "text": calendar}]}
    answer = await reader.doorway.client.post(path, headers=key, json=body)
    assert answer.status_code == 200, answer.text
    (away,) = [row for row in answer.json()["conflicts"] if row["kind"] == "away"]
    assert (away["person"]["id"], away["seconds"]) == ("UA", DAY)
    assert [row["events"] for row in answer.json()["skipped_events"]] == [1]
    refused = await reader.doorway.client.post(
        path, headers=key, json={"calendars": [{"user": "UA", "text": "hello"}]}
    )
    assert refused.status_code == 400
    assert "no calendar" in refused.json()["error"]["message"]


async def test_every_answer_takes_the_same_number_of_days(reader: Reader) -> None:
    for name in ("coverage", "coverage/policies.svg", "coverage/schedules.svg", "readiness"):
        await reader.get(name, days="14")
    grid = await reader.get("coverage/schedules.svg", days="14")
    assert "All schedules, 14 days" in grid.text
    assert (await reader.refused("coverage/schedules.svg", days="91"))[0] == 400


@pytest.mark.parametrize("name", ["coverage/policies.svg", "coverage/schedules.svg"])
async def test_pictures_are_svg_that_runs_nothing(reader: Reader, name: str) -> None:
    answer = await reader.get(name)
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "nobody 1 d" in answer.text
    assert "<script" not in answer.text


async def test_what_does_not_exist_and_what_is_wrong_is_said(reader: Reader) -> None:
    for name, params in (("coverage", {"policy": "PX"}), ("now-next", {"service": "VX"})):
        status, message = await reader.refused(name, **params)
        assert status == 404
        assert "the snapshot has no" in message
    assert (await reader.refused("now-next", time_zone="Nowhere/Land"))[0] in (400, 422)
    assert (await reader.refused("coverage", days="91"))[0] in (400, 422)
    assert (await reader.refused("coverage", as_of="2001-01-01T00:00:00Z"))[0] == 404


async def test_the_terminal_shows_the_plot_the_gaps_and_what_to_do(reader: Reader) -> None:
    report = await reader.get("coverage", days="7", lanes="true")
    text = _printed(coverage_view(report, grid=False, width=120))
    assert "╳ nobody ╳" in text
    assert "insufficient data" in text
    assert "! incidents are forbidden: 403" in text
    grid = _printed(coverage_view(report, grid=True, width=120))
    assert "Person UA" in grid
    assert "\u202e" not in grid


async def test_the_terminal_shows_who_is_on_call_and_who_can_be_paged(reader: Reader) -> None:
    text = _printed(readiness_view(await reader.get("readiness"), await reader.get("now-next")))
    assert "red: email only" in text
    assert "L1 Person UA" in text
    assert "nobody on call has a usable push" in text


def test_lanes_survive_the_wire() -> None:
    assert tuple(lanes_from_json(lanes_to_json(LANES))) == LANES


def _printed(view: Any) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(view)
    return capture.get()
