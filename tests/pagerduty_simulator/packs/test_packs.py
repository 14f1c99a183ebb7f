"""The packs plant what their truth says, and only that; the same seed plants the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.packs.cascade import cascade
from pagerduty_simulator.packs.catalogue import PACKS
from pagerduty_simulator.packs.company import CompanySize, build_company
from pagerduty_simulator.packs.cyclic import cyclic
from pagerduty_simulator.packs.flapping_disk import flapping_disk
from pagerduty_simulator.packs.fresh import fresh
from pagerduty_simulator.packs.misrouted import misrouted
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.resources import Incident, IncidentStatus, ScheduleTarget
from pagerduty_simulator.rest.service_graph import supporting

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
SEEDS = range(6)
SMALL = CompanySize(days=30)


def now() -> datetime:
    return NOW


def told(world: PackWorld) -> Any:
    """Everything about a world that a receiver could tell apart."""
    account = world.account
    entries = [(entry.id, entry.kind, entry.summary, entry.created_at) for entry in account.log.entries]
    changes = [
        (change.id, change.summary, change.timestamp) for change in account.belongings.change_events.values()
    ]
    return list(account.incidents.values()), entries, changes, world.truth, world.events


@pytest.mark.parametrize("name", PACKS)
def test_the_same_seed_makes_the_same_world_and_another_seed_another(name: str) -> None:
    make = PACKS[name]
    first, again, other = (told(make(now=now, seed=seed, shape=SMALL)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("placebo", [False, True])
@pytest.mark.parametrize("name", PACKS)
def test_a_past_is_in_order_and_nothing_happens_after_now(name: str, placebo: bool) -> None:
    for seed in SEEDS:
        account = PACKS[name](now=now, seed=seed, placebo=placebo, shape=SMALL).account
        ordered = [account.incidents[incident_id] for incident_id in account.incident_order]
        assert [incident.number for incident in ordered] == list(range(1, len(ordered) + 1))
        began = [incident.created_at for incident in ordered]
        logged = [entry.created_at for entry in account.log.entries]
        assert began == sorted(began)
        assert logged == sorted(logged)
        assert max(logged) <= NOW
        assert all(change.timestamp <= NOW for change in account.belongings.change_events.values())
        still_open = {incident.id for incident in ordered if incident.status is not IncidentStatus.RESOLVED}
        assert account.open_ids == still_open


@pytest.mark.parametrize("name", PACKS)
def test_the_incident_of_the_truth_is_open_and_its_webhook_is_there_to_be_told(name: str) -> None:
    world = PACKS[name](now=now, seed=3, shape=SMALL)
    assert world.truth.incident_id in world.account.open_ids
    assert world.truth.incident_id in {event.incident_id for event in world.events}


def test_a_cascade_is_a_change_then_the_database_then_six_services_that_need_it() -> None:
    for seed in SEEDS:
        account, truth, _ = cascade(now=now, seed=seed, shape=SMALL)
        assert truth.origin is not None
        change = account.belongings.change_events[truth.origin]
        assert [service.id for service in change.services] == [truth.origin_service_id]
        assert truth.causes == (truth.origin,)
        root = account.incidents[truth.incident_id]
        assert root.service.id == truth.origin_service_id
        later = [
            incident
            for incident in account.incidents.values()
            if incident.created_at > root.created_at and incident.status is IncidentStatus.TRIGGERED
        ]
        assert len(later) == 6
        assert timedelta(0) < root.created_at - change.timestamp < timedelta(minutes=13)
        for incident in later:
            needed = supporting(account.belongings.dependencies, ("technical_service", incident.service.id))
            assert ("technical_service", truth.origin_service_id) in needed


def test_seen_from_a_dependent_service_the_causes_are_all_on_services_that_it_needs() -> None:
    for seed in SEEDS:
        account, truth, _ = cascade(now=now, seed=seed, seen_from="dependent", shape=SMALL)
        seen = account.incidents[truth.incident_id]
        needed = supporting(account.belongings.dependencies, ("technical_service", seen.service.id))
        incidents = [account.incidents[incident_id] for incident_id in truth.causes[1:]]
        assert {incident.service.id for incident in incidents} <= {service_id for _, service_id in needed}
        assert truth.origin_service_id in {incident.service.id for incident in incidents}


def test_the_placebo_of_a_cascade_has_one_incident_and_as_many_changes_as_everyday() -> None:
    for seed in SEEDS:
        planted, placebo = (
            cascade(now=now, seed=seed, placebo=is_placebo, shape=SMALL) for is_placebo in (False, True)
        )
        assert len(placebo.events) == 1
        assert placebo.truth.causes == ()
        changes = len(placebo.account.belongings.change_events)
        assert changes == len(planted.account.belongings.change_events) - 1


def rounds_within_the_hour(world: PackWorld) -> list[Incident]:
    """How often the incident's alert had come and gone by itself in the hour before."""
    account = world.account
    seen = account.incidents[world.truth.incident_id]
    return [
        incident
        for incident in account.incidents.values()
        if incident.incident_key == seen.incident_key
        and incident.status is IncidentStatus.RESOLVED
        and account.log.standings[incident.id].status_changed_by is None
        and seen.created_at - incident.created_at <= timedelta(hours=1)
    ]


def test_a_flapping_alert_comes_and_goes_by_itself_within_the_hour_and_the_placebos_does_not() -> None:
    for seed in SEEDS:
        world = flapping_disk(now=now, seed=seed, shape=SMALL)
        assert world.truth.is_flapping
        assert 3 <= len(rounds_within_the_hour(world)) <= 6
        placebo = flapping_disk(now=now, seed=seed, placebo=True, shape=SMALL)
        assert not placebo.truth.is_flapping
        assert len(rounds_within_the_hour(placebo)) < 3


def test_a_flapping_alert_goes_on_flapping_while_the_account_is_served() -> None:
    clock = ManualClock(NOW)
    account, truth, _ = flapping_disk(now=clock.now, seed=1, shape=SMALL)
    kinds = []
    for _ in range(60):
        clock.advance(timedelta(minutes=1))
        kinds += [(str(event.event_type), event.service_id) for event in account.run_due_steps()]
    of_it = [kind for kind, service_id in kinds if service_id == truth.service_id]
    assert of_it[:4] == ["incident.resolved", "incident.triggered"] * 2
    assert of_it.count("incident.triggered") >= 5


def handed_on(world: PackWorld) -> tuple[list[Incident], list[Incident]]:
    account = world.account
    own = account.services[world.truth.service_id].escalation_policy.id
    of_it = [
        incident for incident in account.incidents.values() if incident.service.id == world.truth.service_id
    ]
    return [incident for incident in of_it if incident.escalation_policy.id != own], of_it


def test_a_misrouted_services_incidents_end_with_another_team_and_the_placebos_do_not() -> None:
    for seed in SEEDS:
        world = misrouted(now=now, seed=seed, shape=SMALL)
        handed, of_it = handed_on(world)
        to_the_right_one = [
            incident
            for incident in handed
            if world.truth.misrouted_to_team_id in {team.id for team in incident.teams}
        ]
        assert len(of_it) > 20
        assert len(to_the_right_one) > len(of_it) * 0.4
        handed, of_it = handed_on(misrouted(now=now, seed=seed, placebo=True, shape=SMALL))
        assert len(handed) < len(of_it) * 0.3


def test_the_circles_of_the_truth_are_those_of_the_dependencies() -> None:
    for seed in SEEDS:
        account, truth, _ = cyclic(now=now, seed=seed, shape=SMALL)
        assert truth.service_id in truth.cycles[0] | truth.cycles[-1]
        for circle in truth.cycles:
            for member in circle:
                needed = supporting(account.belongings.dependencies, ("technical_service", member))
                assert circle <= {service_id for _, service_id in needed}


def test_a_fresh_account_has_nothing_but_its_first_incident() -> None:
    account, truth, events = fresh(now=now, seed=1)
    assert list(account.incidents) == [truth.incident_id]
    assert not account.belongings.change_events
    assert (len(events), truth.has_history, truth.fixer_id) == (1, False, None)


def test_nobody_who_mends_an_incident_is_unknown_and_experts_mend_most() -> None:
    account, truth, _ = cascade(now=now, seed=5, shape=replace(SMALL, mended_by_chance=0.0))
    menders = [entry.agent for entry in account.log.entries if entry.kind == "resolve" and entry.agent]
    assert {mender.id for mender in menders} <= set(account.users)
    assert truth.fixer_id in account.users


def test_an_incident_that_nobody_takes_is_escalated_when_its_policy_says() -> None:
    clock = ManualClock(NOW)
    account, truth, _ = fresh(now=clock.now, seed=2)
    began = account.incidents[truth.incident_id].created_at
    clock.advance(began + timedelta(minutes=29, seconds=59) - NOW)
    assert account.run_due_steps() == ()
    clock.advance(timedelta(seconds=1))
    (event,) = account.run_due_steps()
    assert (str(event.event_type), wire_seconds(event.occurred_at)) == (
        "incident.escalated",
        wire_seconds(clock.now()),
    )
    assert [assignee.id for assignee in account.incidents[truth.incident_id].assignees] == [
        truth.on_call_ids[1]
    ]


def test_who_is_on_call_is_known_in_a_shifts_last_second_too() -> None:
    company = build_company(now=now, seed=1, shape=SMALL, site=None)
    service = next(iter(company.profiles.values())).service
    target = company.account.escalation_policies[service.escalation_policy.id].levels[0][0]
    assert isinstance(target, ScheduleTarget)
    schedule = company.account.belongings.schedules[target.id]
    (shift, *_) = schedule.final_shifts(NOW - timedelta(days=9), NOW)
    assert company.on_call(service, shift.end - timedelta(milliseconds=500)).id == shift.user_id
