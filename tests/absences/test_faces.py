"""Stored calendars over REST and the command line, and everything that must know who is away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calmo_pagerduty.absences import store as absences
from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE, PERSONS_READ
from calmo_pagerduty.coverage import analysis as coverage
from calmo_pagerduty.db import tables
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall.analysis_process_service import analyse_encoded
from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest, on_call_roster
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.cover_service import CoverToAdvance, NightToCover
from tests.support.doors import rows
from tests.support.parts import Parts
from tests.support.retention import a_sweeper
from tests.support.rough_night import rough_snapshot
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System, running_system
from tests.support.terminal import Terminal
from tests.support.tool_callers import served

SECRET = "Knee surgery"


def calendar(since: datetime, days: int = 5, summary: str = "Out of office") -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        f"DTSTART:{since:%Y%m%dT%H%M%SZ}\r\nDTEND:{since + timedelta(days=days):%Y%m%dT%H%M%SZ}\r\n"
        f"SUMMARY:{summary}: {SECRET}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    """U1 had a rough night and is on call for three days more; U2, U3 and U4 share the schedule."""
    async with running_system(parts, working=False) as found:
        store_snapshot_of(found.database, rough_snapshot(found.connection_id, datetime.now(UTC)))
        yield found


def path_of(service: System, user: str = "") -> str:
    return f"/api/connections/{service.connection_id}/absences{f'/{user}' if user else ''}"


async def put_away(service: System, user: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
    text = calendar(datetime.now(UTC) - timedelta(days=1), days=20)
    return await service.http.put(
        path_of(service, user), json={"text": text, **body}, headers=headers or service.headers
    )


async def snapshot_of(service: System) -> AccountSnapshot:
    return await service.ingress.services.snapshot_reader.get(EVERYTHING, service.connection_id)


async def test_a_calendar_is_stored_as_times_replaced_and_removed(service: System) -> None:
    stored = (await put_away(service, "U2")).json()
    assert (stored["user"], stored["format"], stored["away_count"]) == ("U2", "ics", 1)
    csv = {"text": "start,end\n2026-01-01,2026-01-02\nsoon,later\n"}
    answer = await service.http.put(path_of(service, "U2"), json=csv, headers=service.headers)
    assert answer.json()["format"] == "csv"
    assert answer.json()["skipped"] == [{"reason": "no readable time", "events": 1}]
    [row] = rows(service.database, tables.absence_calendars)
    assert SECRET not in repr(row)
    removed = await service.http.delete(path_of(service, "U2"), headers=service.headers)
    assert removed.json() == {"user": "U2", "removed": True}
    assert rows(service.database, tables.absence_calendars) == []
    assert (await service.get(path_of(service)))["calendars"] == []
    records = await service.audited()
    assert [record["outcome"] for record in records[-3:]] == [
        "absence calendar imported", "absence calendar imported", "absence calendar removed",
    ]  # fmt: skip
    assert SECRET not in repr(records)


async def test_persons_are_shown_to_themselves_and_managers_and_hostile_input_is_refused(
    service: System,
) -> None:
    for user in ("U1", "U2"):
        await put_away(service, user)
    own = service.a_key(FINDINGS_READ, FINDINGS_WRITE, person="U2")
    seen = await service.get(path_of(service), headers=own)
    assert ([row["user"] for row in seen["calendars"]], seen["hidden_calendars"]) == (["U2"], 1)
    assert (await put_away(service, "U2", own)).status_code == 200
    assert (await put_away(service, "U1", own)).status_code == 403
    assert (await service.http.delete(path_of(service, "U1"), headers=own)).status_code == 403
    reader = service.a_key(FINDINGS_READ, PERSONS_READ)
    assert (await put_away(service, "U1", reader)).status_code == 403
    assert (await put_away(service, "U77")).status_code == 404
    for text in ("", "BEGIN:VCALENDAR", "name\nAda", "x" * 300_000):
        assert (await put_away(service, "U1", text=text)).status_code in {400, 413}, text[:20]


async def test_who_is_away_is_found_on_call_and_neither_asked_to_cover_nor_given_a_shift(
    service: System,
) -> None:
    now = datetime.now(UTC)
    at, covers = int(now.timestamp()), service.ingress.services.cover_service
    before = await snapshot_of(service)
    assert before.absences == ()
    free = on_call_roster(before, OptimiseRequest(schedule="S1", days=30), at).problem
    for user in ("U1", "U2"):
        assert (await put_away(service, user)).status_code == 200
    snapshot = await snapshot_of(service)
    found = {finding.key for finding in coverage.analyse(snapshot, at).findings}
    assert "U1" in found
    encoded = await service.ingress.services.snapshot_reader.get_encoded(snapshot.id)
    result = analyse_encoded(coverage.ANALYSIS, encoded, at)
    assert [f.key for f in result.findings if f.code == "on_call_while_away"] == ["U1", "U2"]
    problem = on_call_roster(snapshot, OptimiseRequest(schedule="S1", days=30), at).problem
    left_out = {person.id: len(person.unavailable) for person in problem.people}
    assert left_out["U2"] > 0 and all(not person.unavailable for person in free.people)
    ((night, _),) = await covers.find_rough_nights(service.connection_id, now)
    await covers.propose(NightToCover(connection_id=service.connection_id, night=night))
    [asked] = rows(service.database, tables.cover_requests)
    assert "U2" not in asked.candidates and set(asked.candidates) == {"U3", "U4"}
    # The last calendar is removed: the finding can be resolved.
    for user in ("U1", "U2"):
        await service.http.delete(path_of(service, user), headers=service.headers)
    cleared = coverage.analyse(await snapshot_of(service), at)
    assert "on_call_while_away" in (cleared.inputs.conclusive_codes or ())
    assert not [f for f in cleared.findings if f.code == "on_call_while_away"]


async def test_a_scenario_says_who_would_be_on_call_while_away_and_stays_the_same_without_the_calendar(
    service: System,
) -> None:
    now = datetime.now(UTC)
    start, end = now + timedelta(hours=1), now + timedelta(hours=25)
    change = {"type": "time_off", "user": "U1", "start": start.isoformat(), "end": end.isoformat()}
    scenario = {"name": "U2 covers", "changes": [{**change, "cover": "U2"}], "days": 3}
    path = f"/api/connections/{service.connection_id}/scenarios"
    assert (await put_away(service, "U2")).status_code == 200
    saved = await service.http.post(path, json={"scenario": scenario}, headers=service.headers)
    [away] = saved.json()["result"]["on_call_while_away"]
    assert (away["id"], away["before_hours"], away["after_hours"]) == ("U2", 0.0, 24.0)
    await service.http.delete(path_of(service, "U2"), headers=service.headers)
    again = await service.get(f"{path}/{saved.json()['scenario']['id']}")
    assert (again["is_same"], again["result"]["on_call_while_away"]) == (True, [])


async def test_the_next_to_be_asked_is_not_somebody_whose_calendar_came_later(service: System) -> None:
    now, covers = datetime.now(UTC), service.ingress.services.cover_service
    ((night, _),) = await covers.find_rough_nights(service.connection_id, now)
    proposed = await covers.propose(NightToCover(connection_id=service.connection_id, night=night))
    [request] = rows(service.database, tables.cover_requests)
    second, third = request.candidates[1:]
    await put_away(service, second)
    assert proposed.request_id is not None
    await covers.advance(CoverToAdvance(request_id=proposed.request_id))
    [request] = rows(service.database, tables.cover_requests)
    assert request.asked[1:] == [third]


async def test_the_commands_import_list_and_remove(service: System, tmp_path: Path) -> None:
    file = tmp_path / "away.ics"
    file.write_text(calendar(datetime.now(UTC)))
    async with served(service) as url:
        terminal = Terminal(url, service)
        imported = await terminal.run("absences", "import", "U2", str(file))
        assert imported.text.startswith("U2: away 1 times")
        assert "U2" in (await terminal.run("absences", "list")).text
        assert "removed" in (await terminal.run("absences", "remove", "U2")).text
        assert "no calendar is stored" in (await terminal.run("absences", "list")).text


async def test_calendars_of_the_past_and_of_removed_connections_are_deleted(service: System) -> None:
    await put_away(service, "U2")
    sweeper, now = (
        a_sweeper(service.database, timedelta(400), timedelta(400)),
        datetime.now(UTC),
    )
    await sweeper.sweep_once(now)
    connection = service.connection_id
    assert service.database.read_blocking(lambda t: absences.list_absences(t, connection))
    await service.http.delete(f"/api/connections/{connection}", headers=service.headers)
    await sweeper.sweep_once(now)
    assert rows(service.database, tables.absence_calendars) == []
