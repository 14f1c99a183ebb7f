"""A snapshot holds what PagerDuty has, is read in steps that any process may continue, and is read once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.ageing import make_older
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.pagerduty.errors import PagerDutyError, TokenRejected
from calmo_pagerduty.scheduling.continuation import continue_schedule
from calmo_pagerduty.snapshots import page_reading_service
from calmo_pagerduty.snapshots.collecting_service import SnapshotCollector, SnapshotToTake
from calmo_pagerduty.snapshots.continuing import continuable
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    LogKind,
    Schedule,
    ScheduleKind,
    SectionName,
    SectionState,
)
from calmo_pagerduty.snapshots.on_call import shifts_of
from pagerduty_simulator.big_account import big_account
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.shift_schedules import ShiftSchedule
from tests.support.collecting import Collecting, collecting_from

DAY = 86_400


@pytest.fixture
async def collecting(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Collecting]:
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=11)
    generate_history(account, incidents=60, days=40)
    async with collecting_from(account, database, keyring, tmp_path) as made:
        yield made


@pytest.fixture
async def rotating(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Collecting]:
    """An account in which half of the schedules are based on shifts."""
    account = big_account(
        now=lambda: datetime.now(UTC), seed=3, services=20, dependencies=0, incidents=5, changes=0, teams=4
    )
    async with collecting_from(account, database, keyring, tmp_path) as made:
        yield made


def without_identity(snapshot: AccountSnapshot) -> tuple[object, ...]:
    return (
        snapshot.policies,
        snapshot.services,
        snapshot.users,
        snapshot.teams,
        snapshot.incidents,
        snapshot.log_records,
        snapshot.standards,
    )


async def test_a_snapshot_holds_what_the_account_has(collecting: Collecting) -> None:
    snapshot = await collecting.snapshot()
    account = collecting.account
    assert {section.state for section in snapshot.sections} == {SectionState.COMPLETE}
    assert [service.id for service in snapshot.services] == sorted(account.services)
    assert [policy.id for policy in snapshot.policies] == sorted(account.escalation_policies)
    assert [user.id for user in snapshot.users] == sorted(account.users)
    assert [team.id for team in snapshot.teams] == sorted(account.teams)
    assert [schedule.id for schedule in snapshot.schedules] == sorted(account.belongings.schedules)
    assert {schedule.kind for schedule in snapshot.schedules} == set(ScheduleKind)
    assert [incident.id for incident in snapshot.incidents] == sorted(account.incidents)
    assert all(user.contact_methods and user.notification_rules for user in snapshot.users)
    assert any(team.manager_ids for team in snapshot.teams)
    assert snapshot.standards


async def test_the_log_is_complete_and_says_who_was_notified(collecting: Collecting) -> None:
    snapshot = await collecting.snapshot()
    entries = collecting.account.log.entries
    kinds = {f"{kind}" for kind in LogKind}
    assert len(snapshot.log_records) == sum(entry.kind in kinds for entry in entries)
    resolved = {record.incident_id for record in snapshot.log_records if record.kind is LogKind.RESOLVE}
    assert resolved
    assert all(record.user_ids for record in snapshot.log_records if record.kind is LogKind.NOTIFY)
    assert list(snapshot.log_records) == sorted(
        snapshot.log_records, key=lambda record: (record.at, record.id)
    )


async def test_schedules_are_rendered_for_the_past_and_the_coming_quarter(
    collecting: Collecting,
) -> None:
    snapshot = await collecting.snapshot()
    assert snapshot.rendered_since == snapshot.taken_at - 91 * DAY
    assert snapshot.rendered_until == snapshot.taken_at + 92 * DAY
    for schedule in snapshot.schedules:
        assert schedule.entries is not None
        assert all(snapshot.rendered_since <= entry.start for entry in schedule.entries)
        assert all(entry.end <= snapshot.rendered_until for entry in schedule.entries)
        assert schedule.rendered_coverage_percentage is not None


async def test_a_second_snapshot_takes_over_what_is_young(collecting: Collecting) -> None:
    first = await collecting.snapshot()
    before = collecting.requests()
    second = await collecting.snapshot()
    asked = collecting.requests() - before
    assert set(asked) <= {"getAnalyticsIncidents", "listIncidents", "listLogEntries"}
    assert asked.total() <= 30
    assert without_identity(second) == without_identity(first)
    assert second.schedules == first.schedules
    assert (second.rendered_since, second.rendered_until) == (first.rendered_since, first.rendered_until)


async def test_after_a_change_the_configuration_is_read_anew_and_the_past_is_not(
    collecting: Collecting,
) -> None:
    await collecting.take()
    before = collecting.requests()
    service = next(iter(collecting.account.services.values()))
    service_id = collecting.account.add_service("Brand new", service.escalation_policy, ()).id
    snapshot = await collecting.snapshot(is_fresh=True)
    assert service_id in {service.id for service in snapshot.services}
    asked = collecting.requests() - before
    assert asked["listTeamUsers"] == 0
    assert asked["listLogEntries"] <= 2
    assert asked.total() <= 30


async def test_what_happened_since_is_added(collecting: Collecting) -> None:
    first = await collecting.snapshot()
    account = collecting.account
    # A snapshot shows whole seconds that are over.
    account.now = lambda: datetime.now(UTC) - timedelta(seconds=5)
    event = account.trigger(next(iter(account.services)), "Basket is slow")[0]
    incident_id = str(event.incident_id)
    second = await collecting.snapshot()
    assert {incident.id for incident in second.incidents} - {incident.id for incident in first.incidents} == {
        incident_id
    }
    assert any(record.incident_id == incident_id for record in second.log_records)
    account.resolve(incident_id)
    third = await collecting.snapshot()
    found = next(incident for incident in third.incidents if incident.id == incident_id)
    assert found.resolved_at is not None and found.html_url is not None


async def test_another_process_goes_on_where_a_reading_stopped(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reading_service, "STEP_REQUESTS", 4)
    order = SnapshotToTake(connection_id=collecting.connection_id)
    begun = await collecting.collector.begin(order)
    await collecting.collector.step(begun.snapshot_id)
    done = await collecting.collector.step(begun.snapshot_id)
    assert not done.is_read
    services = collecting.services
    another = SnapshotCollector(services.database, services.pagerduty_clients, continue_schedule)
    continued = await another.begin(order)
    assert (continued.snapshot_id, continued.requests) == (begun.snapshot_id, done.requests)
    progress = continued
    while not progress.is_read:
        progress = await another.step(progress.snapshot_id)
    taken = await another.finish(progress.snapshot_id)
    assert await another.finish(progress.snapshot_id) == taken
    assert taken.requests == len(collecting.site.requests)
    assert taken.counts[SectionName.INCIDENTS] == len(collecting.account.incidents)


async def test_what_was_read_before_a_fault_is_not_read_again(collecting: Collecting) -> None:
    begun = await collecting.collector.begin(SnapshotToTake(connection_id=collecting.connection_id))
    collecting.site.faults.fail_next("500", operation="listLogEntries")
    with pytest.raises(PagerDutyError):
        await collecting.collector.step(begun.snapshot_id)
    progress = await collecting.collector.step(begun.snapshot_id)
    while not progress.is_read:
        progress = await collecting.collector.step(begun.snapshot_id)
    taken = await collecting.collector.finish(begun.snapshot_id)
    assert taken.incomplete == {}
    assert collecting.requests()["listUsers"] == 1


async def test_a_missing_ability_degrades_its_section_alone(collecting: Collecting) -> None:
    collecting.site.abilities.discard("teams")
    snapshot = await collecting.snapshot()
    teams = snapshot.section(SectionName.TEAMS)
    assert teams.state is SectionState.NOT_IN_PLAN and teams.reason.startswith("teams: ")
    states = {section.name: section.state for section in snapshot.sections}
    assert {name for name, state in states.items() if state is not SectionState.COMPLETE} == {
        SectionName.TEAMS
    }


async def test_without_analytics_incidents_come_from_their_list(collecting: Collecting) -> None:
    collecting.site.faults.fail_next("access_denied", operation="getAnalyticsIncidents", times=2)
    first = await collecting.snapshot()
    assert [incident.id for incident in first.incidents] == sorted(collecting.account.incidents)
    before = collecting.requests()
    second = await collecting.snapshot()
    assert second.incidents == first.incidents
    assert (collecting.requests() - before)["listIncidents"] <= 2


async def test_a_refused_token_ends_the_reading(collecting: Collecting) -> None:
    begun = await collecting.collector.begin(SnapshotToTake(connection_id=collecting.connection_id))
    for token in list(collecting.site.tokens):
        collecting.site.revoke_token(token)
    with pytest.raises(TokenRejected):
        await collecting.collector.step(begun.snapshot_id)


async def test_a_reading_that_was_left_alone_for_long_begins_anew(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = SnapshotToTake(connection_id=collecting.connection_id)
    begun = await collecting.collector.begin(order)
    monkeypatch.setattr("calmo_pagerduty.snapshots.collecting_service.MAX_READING_AGE", timedelta(0))
    again = await collecting.collector.begin(order)
    assert again.snapshot_id != begun.snapshot_id


async def a_while_ago(collecting: Collecting, age: timedelta = timedelta(days=1)) -> AccountSnapshot:
    """Take a snapshot, and return it as if it had been taken that long ago."""
    snapshot = await collecting.snapshot()
    return await asyncio.to_thread(make_older, collecting.services.database, snapshot, age)


def shift_schedules(snapshot: AccountSnapshot) -> dict[str, Schedule]:
    schedules = snapshot.schedules
    return {schedule.id: schedule for schedule in schedules if schedule.kind is ScheduleKind.SHIFTS}


async def test_a_day_later_shift_schedules_go_on_as_pagerduty_renders_them(rotating: Collecting) -> None:
    first = await a_while_ago(rotating)
    before = rotating.requests()
    daily = await rotating.snapshot()
    asked = rotating.requests() - before
    assert asked["getScheduleV3"] == asked["listOverrides"] == 0
    assert asked["listOnCalls"] == 1
    assert asked.total() <= 30
    truth = shift_schedules(await rotating.snapshot(is_fresh=True))
    window = Span(first.rendered_until, daily.rendered_until)
    continued = [s for s in shift_schedules(daily).values() if s.continued_from is not None]
    assert len(continued) == len(truth)
    for schedule in continued:
        theirs = truth[schedule.id]
        assert shifts_of(schedule.entries or (), window) == shifts_of(theirs.entries or (), window)
        assert schedule.continued_from == first.rendered_until
        assert schedule.read_at is not None and schedule.read_at < first.taken_at + DAY
        assert schedule.agreed_until is not None and schedule.agreed_until > daily.taken_at + 6 * DAY
        assert theirs.continued_from is None


async def test_a_schedule_that_disagrees_with_pagerdutys_on_calls_is_read(rotating: Collecting) -> None:
    first = await a_while_ago(rotating)
    changed = max(continuable(first.schedules, first.policies, first.taken_at + DAY))
    schedule = rotating.account.belongings.schedules[changed]
    assert isinstance(schedule, ShiftSchedule)
    for rotation in schedule.rotations.values():
        for event_id, event in rotation.events.items():
            rotation.events[event_id] = replace(event, members=event.members[::-1])
    before = rotating.requests()
    daily = await rotating.snapshot()
    assert (rotating.requests() - before)["getScheduleV3"] == 1
    assert shift_schedules(daily)[changed].continued_from is None


async def test_after_a_week_every_schedule_is_read_again(rotating: Collecting) -> None:
    await a_while_ago(rotating, timedelta(days=7))
    before = rotating.requests()
    weekly = await rotating.snapshot()
    assert (rotating.requests() - before)["getScheduleV3"] == len(shift_schedules(weekly))
    assert all(schedule.continued_from is None for schedule in weekly.schedules)


async def test_without_on_calls_nothing_is_continued(rotating: Collecting) -> None:
    await a_while_ago(rotating)
    rotating.site.faults.fail_next("access_denied", operation="listOnCalls", times=3)
    daily = await rotating.snapshot()
    assert all(schedule.continued_from is None for schedule in daily.schedules)
    assert daily.section(SectionName.SCHEDULES).state is SectionState.COMPLETE
