"""A past that is written at once reads like one that was played."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.big_account import big_account
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.past import IncidentLife, write_past
from pagerduty_simulator.resources import Incident, IncidentStatus, User
from pagerduty_simulator.shop import online_shop
from tests.support.chance import repeatable

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)


def chance() -> random.Random:
    return repeatable(1)


def at(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.fixture
def account() -> Account:
    return online_shop(now=lambda: NOW, seed=1)


def played_and_written(
    account: Account, play: Callable[[Account], None], life: IncidentLife
) -> tuple[tuple[Account, Incident], tuple[Account, Incident]]:
    """Return how the same incident stands once played and once written."""
    other = online_shop(now=lambda: NOW, seed=1)
    play(other)
    (written_id,) = write_past(account, [life], chance())
    (played,) = other.incidents.values()
    return (other, played), (account, account.incidents[written_id])


def told(account: Account, incident: Incident) -> Any:
    standing = account.log.standings[incident.id]
    return (
        [
            (entry.kind, entry.created_at.replace(microsecond=0), entry.agent, entry.users, entry.note)
            for entry in account.log.of(incident.id)
        ],
        incident.status,
        incident.assignees,
        incident.resolution,
        [note.content for note in incident.notes],
        standing.status_changed_by,
        standing.status_changed_at.replace(microsecond=0),
        [(when.replace(microsecond=0), who) for when, who in standing.acknowledgements],
    )


def test_an_incident_that_was_written_reads_like_one_that_was_played(account: Account) -> None:
    service = next(iter(account.services.values()))
    ((ines,), (tomasz,), _) = service.escalation_policy.levels
    assert isinstance(ines, User)
    assert isinstance(tomasz, User)

    def play(other: Account) -> None:
        with other.at(at(60)):
            incident_id = str(other.trigger(service.id, "Slow")[0].incident_id)
        with other.at(at(50)):
            other.acknowledge(incident_id, by=ines.id)
        with other.at(at(35)):
            other.annotate(incident_id, "Looking", by=ines.id)
        with other.at(at(20)):
            other.resolve(incident_id, by=ines.id, resolution="Restarted")

    life = IncidentLife(
        service,
        "Slow",
        at(60),
        (ines,),
        at(20),
        acknowledged_at=at(50),
        acknowledged_by=ines,
        resolved_by=ines,
        resolution="Restarted",
        notes=("Looking",),
    )
    played, written = played_and_written(account, play, life)
    assert told(*written) == told(*played)


def test_an_incident_without_an_end_is_open_and_with_whoever_took_it(account: Account) -> None:
    service = next(iter(account.services.values()))
    ((ines,), (tomasz,), _) = service.escalation_policy.levels
    assert isinstance(ines, User)
    assert isinstance(tomasz, User)
    life = IncidentLife(
        service,
        "Slow",
        at(9),
        (ines,),
        acknowledged_at=at(8),
        acknowledged_by=ines,
        taken_by=tomasz,
        alert_key="slow",
    )
    (incident_id,) = write_past(account, [life], chance())
    incident = account.incidents[incident_id]
    assert (incident.status, incident.assignees) == (IncidentStatus.ACKNOWLEDGED, (tomasz,))
    assert account.open_incident_ids() == (incident_id,)
    account.resolve(incident_id, by=tomasz.id)
    assert account.open_incident_ids() == ()


def test_a_past_is_numbered_in_time_whatever_the_order_of_its_lives(account: Account) -> None:
    service = next(iter(account.services.values()))
    lives = [
        IncidentLife(service, f"{minutes} ago", at(minutes), (), at(minutes - 2)) for minutes in (5, 50, 20)
    ]
    ids = write_past(account, lives, chance())
    assert [account.incidents[incident_id].number for incident_id in ids] == [3, 1, 2]
    with pytest.raises(ValueError, match="before anything else"):
        write_past(account, lives, chance())


def test_the_big_account_has_its_size_and_no_circles_among_its_dependencies() -> None:
    account = big_account(now=lambda: NOW, seed=1, incidents=1_500, changes=2_000)
    owned = account.belongings
    assert len(account.services) == 500
    assert len(owned.dependencies) == 2_000
    assert len(account.incidents) == 1_500
    assert len(owned.change_events) == 2_000
    assert (len(account.users), len(account.escalation_policies)) == (500, 300)
    kinds = [schedule.kind for schedule in owned.schedules.values()]
    assert (kinds.count("schedule"), kinds.count("schedule_v3")) == (100, 100)
    assert 8 < len(account.log.entries) / len(account.incidents) < 12
    assert not account.open_ids
    order = {service_id: place for place, service_id in enumerate(account.services)}
    technical = [
        dependency for dependency in owned.dependencies if dependency.dependent[0] == "technical_service"
    ]
    assert all(order[dependency.supporting[1]] < order[dependency.dependent[1]] for dependency in technical)


def test_the_demos_shop_has_had_incidents_like_each_of_the_storys_and_none_is_open() -> None:
    account = furnished_shop(now=lambda: NOW, seed=1)
    furnish_for_the_demo(account, incidents=150, days=100, seed=1)
    assert not account.open_ids
    told_services = {str(step.arguments["service_id"]) for step in DEMO.steps if step.operation == "trigger"}
    mended = {
        incident.service.name
        for incident in account.incidents.values()
        if incident.resolution and account.log.standings[incident.id].status_changed_by
    }
    assert told_services <= mended


def test_the_demos_database_was_changed_minutes_before_it_refuses_writes() -> None:
    account = furnished_shop(now=lambda: NOW, seed=1)
    furnish_for_the_demo(account, incidents=150, days=100, seed=1)
    database = next(service for service in account.services.values() if service.name == "Order database")
    newest = account.belongings.changes(database.id)[0]
    assert timedelta(0) < NOW - newest.timestamp < timedelta(minutes=10)
    before = [
        change
        for change in account.belongings.changes(database.id)
        if NOW - change.timestamp < timedelta(days=30)
    ]
    assert len(before) < 15
