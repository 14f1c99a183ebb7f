"""What-if over REST, on the command line, and applied: from a snapshot of PagerDuty to its overrides."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.scheduling.applying import apply_scenario
from calmo_pagerduty.scheduling.scenarios import parse_scenario
from calmo_pagerduty.snapshots.collecting_service import SnapshotToTake
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.on_call import shifts_of
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Override
from pagerduty_simulator.shift_schedules import Rotation, RotationEvent, ShiftSchedule
from tests.support.doors import ACME, Doorway, make_key, open_doorway
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.rota_accounts import layer_schedule, rota_account, shift_schedule, weekly_layer
from tests.support.snapshots import store_snapshot, store_snapshot_of
from tests.support.system import System, running_system
from tests.support.terminal import Terminal
from tests.support.tool_callers import served, until_state

NOW = "2026-10-05T09:00:00+01:00"
LEAVER = {"type": "leaver", "user": "Ann", "at": NOW}
RISKY = ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH}))


def an_account() -> Any:
    return rota_account(
        layer_schedule(weekly_layer("UA", "UB", "UC")), shift_schedule("UA", "UB", "UC", "UD")
    )


class Asker:
    def __init__(self, doorway: Doorway, connection_id: str) -> None:
        self.doorway = doorway
        self.path = f"/api/connections/{connection_id}"

    async def ask(self, method: str, name: str, *permissions: str, **request: Any) -> Any:
        allowed = permissions or ("findings:read", "findings:write", "persons:read")
        key = make_key(self.doorway.database, allowed, [ACME])
        return await self.doorway.client.request(method, f"{self.path}/{name}", headers=key, **request)

    async def what_if(self, *changes: Any, name: str = "plan", path: str = "what-if", **parts: Any) -> Any:
        body = {"scenario": {"name": name, "changes": list(changes), **parts}, "now": NOW}
        return await self.ask("POST", path, json=body)


@pytest.fixture
async def asker(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Asker]:
    snapshot = store_snapshot(database, an_account())
    async with open_doorway(database, keyring, tmp_path) as doorway:
        yield Asker(doorway, snapshot.connection_id)


async def test_a_scenario_is_asked_saved_computed_again_compared_drawn_and_deleted(asker: Asker) -> None:
    answer = await asker.what_if(LEAVER)
    assert answer.status_code == 200, answer.text
    drawn = await asker.what_if(LEAVER, path="what-if/hours.svg")
    assert "Ann" in drawn.text and "0 after" in drawn.text
    saved = (await asker.what_if(LEAVER, path="scenarios")).json()
    assert saved["result"] == answer.json()
    scenario_id = saved["scenario"]["id"]
    again = (await asker.ask("GET", f"scenarios/{scenario_id}")).json()
    assert again["is_same"] is True
    assert again["result"] == saved["result"]
    listed = (await asker.ask("GET", "scenarios")).json()["scenarios"]
    assert [row["name"] for row in listed] == ["plan"]
    compared = (await asker.ask("GET", "scenarios/comparison", params={"id": scenario_id})).json()
    assert compared["scenarios"][0]["totals"] == saved["result"]["totals"]
    picture = await asker.ask("GET", f"scenarios/{scenario_id}/hours.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "Ann" in picture.text and "before" in picture.text
    assert (await asker.ask("DELETE", f"scenarios/{scenario_id}")).status_code == 200
    assert (await asker.ask("GET", f"scenarios/{scenario_id}")).status_code == 404


async def test_a_scenario_of_the_same_name_is_replaced(asker: Asker) -> None:
    for days in (7, 14):
        assert (await asker.what_if(LEAVER, path="scenarios", days=days)).status_code == 201
    [row] = (await asker.ask("GET", "scenarios")).json()["scenarios"]
    assert row["scenario"]["days"] == 14


async def test_persons_are_hidden_without_the_permission_and_the_rerun_is_still_the_same(
    asker: Asker,
) -> None:
    saved = (await asker.what_if(LEAVER, path="scenarios")).json()
    hidden = (await asker.ask("GET", f"scenarios/{saved['scenario']['id']}", "findings:read")).json()
    assert hidden["is_same"] is True
    assert (hidden["result"]["people"], hidden["result"]["people_hidden"]) == ([], 4)


async def test_what_makes_no_sense_is_said(asker: Asker) -> None:
    unknown = await asker.what_if({**LEAVER, "user": "Zoe"})
    assert (unknown.status_code, unknown.json()["error"]["message"]) == (
        400, "the snapshot has no person 'Zoe'",
    )  # fmt: skip
    assert (await asker.what_if({"type": "leaver"})).status_code == 400


async def test_a_schedule_that_we_render_otherwise_is_refused(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    account = an_account()
    first, *others = account.schedules
    wrong = replace(first, entries=tuple(replace(entry, user_id="UD") for entry in first.entries or ()))
    snapshot = store_snapshot(database, replace(account, schedules=(wrong, *others)))
    async with open_doorway(database, keyring, tmp_path) as doorway:
        refused = await Asker(doorway, snapshot.connection_id).what_if(LEAVER)
    assert refused.status_code == 409
    assert "PagerDuty has Dan on call" in refused.json()["error"]["message"]


async def test_the_optimum_is_asked_for(asker: Asker) -> None:
    body = {"request": {"schedule": "Primary", "min_rest_hours": 0}, "now": NOW}
    picture = await asker.ask("POST", "what-if/optimise/loads.svg", json=body)
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "fair share" in picture.text and "Ann" in picture.text
    hidden = await asker.ask("POST", "what-if/optimise/loads.svg", "findings:read", json=body)
    assert "Ann" not in hidden.text
    answer = await asker.ask("POST", "what-if/optimise", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["best"]["stop"] in ("optimal", "limit")


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts) as found:
        yield found


async def test_the_command_line_asks_saves_lists_and_compares(service: System, tmp_path: Path) -> None:
    connection = service.connection_id
    store_snapshot_of(service.database, replace(an_account(), connection_id=connection))
    file = tmp_path / "plan.toml"
    file.write_text('name = "by file"\n[[changes]]\ntype = "holiday"\nday = 2026-10-06\n')
    at = ("--now", "2026-10-05T08:00:00")
    async with served(service) as url:
        terminal = Terminal(url, service)
        shown = await terminal.run(
            "what-if",
            "ask",
            "--connection",
            connection,
            "--leaver",
            f"Ann@{NOW}",
            "--save",
            "leaver",
            *at,
            columns="120",
        )
        assert shown.code == 0, shown.error
        assert "~ Mon 2026-10-12 09:00 → Mon 2026-10-19 09:00  Ann → Ben" in shown.text
        assert "Ann" in shown.text and "→ 0" in shown.text
        by_file = await terminal.run(
            "what-if", "ask", "--connection", connection, "--file", str(file), *at, "--json"
        )
        assert by_file.json["people"][0]["after"]["holiday_hours"] > 0
        [saved] = (await terminal.run("what-if", "list", "--connection", connection, "--json")).json[
            "scenarios"
        ]
        assert "leaver" in (await terminal.run("what-if", "list", "--connection", connection)).text
        again = await terminal.run("what-if", "show", "--connection", connection, saved["id"], columns="120")
        assert again.code == 0 and "the same as when it was saved" in again.text
        compared = await terminal.run(
            "what-if", "compare", "--connection", connection, saved["id"], columns="120"
        )
        assert "leaver" in compared.text
        optimised = await terminal.run(
            "what-if", "optimise", "--connection", connection, "Primary", *at, columns="120"
        )
        assert optimised.code == 0 and "present" in optimised.text and "best" in optimised.text
        wrong = await terminal.run("what-if", "ask", "--connection", connection, "--leaver", "Ann")
        assert (wrong.code, "--leaver" in wrong.error) == (1, True)


async def snapshot_of(service: System) -> AccountSnapshot:
    services = service.ingress.services
    collector = services.snapshot_collector
    progress = await collector.begin(SnapshotToTake(connection_id=service.connection_id, is_fresh=True))
    while not (progress := await collector.step(progress.snapshot_id)).is_read:
        pass
    await collector.finish(progress.snapshot_id)
    return await services.snapshot_reader.get_by_id(EVERYTHING, progress.snapshot_id)


def an_unfair_schedule(service: System) -> LayerSchedule:
    """Give the simulated account a weekly rota in which the first person took over the others' weeks."""
    users = tuple(service.site.account.users)[:3]
    week = timedelta(days=7)
    begin = (datetime.now(UTC) - 5 * week).replace(hour=9, minute=0, second=0, microsecond=0)
    layer = Layer("PLAYER1", "Weekly", begin, users, week, begin)
    schedule = LayerSchedule("PSUNFAIR", "Unfair", "Europe/London", (layer,))
    for turn in (7, 8, 10, 11):
        start = begin + turn * week
        schedule.overrides[f"O{turn}"] = Override(f"O{turn}", start, start + week, users[0])
    service.site.account.belongings.schedules[schedule.id] = schedule
    return schedule


async def test_a_draft_is_applied_after_an_approval_and_refused_once_the_schedule_has_changed(
    service: System,
) -> None:
    service.permit(RISKY)
    schedule = an_unfair_schedule(service)
    await snapshot_of(service)
    request = {"schedule": schedule.id, "min_rest_hours": 0, "days": 49, "with_history": False}
    answer = await service.http.post(
        f"/api/connections/{service.connection_id}/what-if/optimise",
        json={"request": request}, headers=service.headers, timeout=ANSWER,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    draft = answer.json()["swaps"][0]["draft"]
    stale = answer.json()["swaps"][1]["draft"]
    before = dict(schedule.overrides)
    ticket = await service.call("apply_schedule_draft", service.a_key(person="alice"), **draft)
    assert ticket.json()["state"] == "waiting", ticket.text
    assert schedule.overrides == before
    approve = f"/api/tool-calls/{ticket.json()['call_id']}/approve"
    bob = service.a_key(person="bob")
    assert (await service.http.post(approve, json={}, headers=bob, timeout=ANSWER)).status_code == 200
    call = await until_state(service, ticket.json()["call_id"], "done", "failed")
    assert call["state"] == "done", call
    assert all(item["in_force"] for item in call["result"]["items"])
    made = [override for key, override in schedule.overrides.items() if key not in before]
    assert {override.user_id for override in made} == {row["user_id"] for row in draft["changes"]}

    # Somebody else takes a day of the other draft's time.
    begin = datetime.fromisoformat(stale["since"])
    day = Override("OTHER", begin + timedelta(days=1), begin + timedelta(days=2), made[0].user_id)
    schedule.overrides[day.id] = replace(day, user_id=tuple(service.site.account.users)[3])
    late = await service.call("apply_schedule_draft", service.a_key(person="alice"), **stale)
    approve = f"/api/tool-calls/{late.json()['call_id']}/approve"
    assert (await service.http.post(approve, json={}, headers=bob, timeout=ANSWER)).status_code == 200
    refused = await until_state(service, late.json()["call_id"], "done", "failed")
    assert refused["state"] == "failed"
    assert "no longer the one" in str(refused)
    assert len(schedule.overrides) == len(before) + len(made) + 1


def a_rota_of_shifts(service: System) -> ShiftSchedule:
    users = tuple(service.site.account.users)[:3]
    begin = (datetime.now(UTC) - timedelta(days=35)).replace(hour=9, minute=0, second=0, microsecond=0)
    event = RotationEvent(
        "EVDAYS", "Days", begin, begin + timedelta(days=1), "Europe/London", begin, ("RRULE:FREQ=DAILY",),
        users,
    )  # fmt: skip
    schedule = ShiftSchedule("PSSHIFTS", "Days", "Europe/London", {"R1": Rotation("R1", {"EVDAYS": event})})
    service.site.account.belongings.schedules[schedule.id] = schedule
    return schedule


@pytest.mark.parametrize("replaces", [True, False])
async def test_a_rotation_that_a_what_if_drafts_is_added_after_an_approval_and_rendered_as_foretold(
    service: System, replaces: bool
) -> None:
    service.permit(RISKY)
    schedules = (an_unfair_schedule(service), a_rota_of_shifts(service))
    before = await snapshot_of(service)
    start = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=3)
    for schedule in schedules:
        rotation = {
            "type": "new_rotation", "schedule": schedule.id, "name": "Fair", "turn_days": 7,
            "users": list(service.site.account.users)[1:4], "start": start.isoformat(), "replaces": replaces,
        }  # fmt: skip
        scenario = parse_scenario({"name": "new", "days": 60, "changes": [rotation]})
        answer = await service.http.post(
            f"/api/connections/{service.connection_id}/what-if",
            json={"scenario": scenario.model_dump(mode="json")}, headers=service.headers, timeout=ANSWER,
        )  # fmt: skip
        [draft] = [row for row in answer.json()["drafts"] if row["tool"] == "add_schedule_rotation"]
        arguments = draft["arguments"]
        ticket = await service.call("add_schedule_rotation", service.a_key(person="alice"), **arguments)
        assert ticket.json()["state"] == "waiting", ticket.text
        approve = f"/api/tool-calls/{ticket.json()['call_id']}/approve"
        bob = service.a_key(person="bob")
        assert (await service.http.post(approve, json={}, headers=bob, timeout=ANSWER)).status_code == 200
        call = await until_state(service, ticket.json()["call_id"], "done", "failed")
        assert call["state"] == "done", call
        now = int(datetime.now(UTC).timestamp())
        foretold = apply_scenario(before, scenario, now)
        after = await snapshot_of(service)
        window = Span(foretold.window.start, foretold.window.end)
        assert on_call(after, schedule.id, window) == on_call(foretold.after, schedule.id, window)
        assert on_call(after, schedule.id, window) != on_call(before, schedule.id, window)


def on_call(
    snapshot: AccountSnapshot, schedule_id: str, window: Span
) -> list[tuple[int, int, tuple[str, ...]]]:
    [schedule] = [schedule for schedule in snapshot.schedules if schedule.id == schedule_id]
    return [(start, end, people) for start, end, people in shifts_of(schedule.entries or (), window)]
