"""The on-call packs plant what their truth says, and their placebos lack it."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.packs.on_call import ON_CALL_PACKS, OnCallTruth, OnCallWorld
from pagerduty_simulator.packs.on_call_company import DELAYS
from pagerduty_simulator.resources import EscalationPolicy, IncidentStatus, ScheduleTarget, User
from pagerduty_simulator.shift_schedules import ShiftSchedule

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
SEEDS = range(4)
DAY = timedelta(days=1)


def world(name: str, seed: int, *, placebo: bool = False) -> OnCallWorld:
    return ON_CALL_PACKS[name](now=lambda: NOW, seed=seed, placebo=placebo)


def worlds(name: str) -> Iterator[tuple[OnCallWorld, OnCallWorld]]:
    """Yield each seed's planted world and its placebo."""
    for seed in SEEDS:
        yield world(name, seed), world(name, seed, placebo=True)


def told(made: OnCallWorld) -> Any:
    account = made.account
    return (
        list(account.incidents.values()),
        [(entry.id, entry.kind, entry.created_at) for entry in account.log.entries],
        list(account.users.values()),
        list(account.escalation_policies.values()),
        made.truth,
    )


def uncovered(account: Account, policy: EscalationPolicy, days: int = 90, hours: int = 1) -> list[datetime]:
    missing = []
    with account.standing_schedules(NOW, NOW + days * DAY):
        for number in range(days * 24 // hours):
            at = NOW + timedelta(hours=number * hours, minutes=1)
            with account.at(at):
                if not account.paged(policy, 0):
                    missing.append(at)
    return missing


def on_level(account: Account, policy: EscalationPolicy, level: int, at: datetime) -> set[str]:
    ids: set[str] = set()
    for target in policy.levels[level]:
        if isinstance(target, User):
            ids.add(target.id)
        elif isinstance(target, ScheduleTarget):
            shifts = account.belongings.schedules[target.id].final_shifts(at, at + timedelta(seconds=1))
            ids |= {shift.user_id for shift in shifts if shift.user_id is not None}
    return ids


def policy_of(made: OnCallWorld) -> EscalationPolicy:
    assert made.truth.policy_id is not None
    return made.account.escalation_policies[made.truth.policy_id]


@pytest.mark.parametrize("name", ON_CALL_PACKS)
def test_the_same_seed_makes_the_same_world_and_another_seed_another(name: str) -> None:
    assert told(world(name, 1)) == told(world(name, 1))
    assert told(world(name, 1)) != told(world(name, 2))


@pytest.mark.parametrize("placebo", [False, True])
@pytest.mark.parametrize("name", ON_CALL_PACKS)
def test_a_past_is_in_order_and_has_ended(name: str, placebo: bool) -> None:
    for seed in SEEDS:
        account, truth = world(name, seed, placebo=placebo)
        assert truth.fault == (None if placebo else name)
        assert placebo is (truth == OnCallTruth())
        logged = [entry.created_at for entry in account.log.entries]
        assert logged == sorted(logged)
        assert max(logged) <= NOW
        assert all(it.status is IncidentStatus.RESOLVED for it in account.incidents.values())
        assert account.dropped == []


@pytest.mark.parametrize("name", ON_CALL_PACKS)
def test_a_placebo_has_nobody_missing_nobody_twice_and_no_dead_end(name: str) -> None:
    for seed in SEEDS[:2]:
        account, _ = world(name, seed, placebo=True)
        assert all(entry.kind != "exhaust_escalation_path" for entry in account.log.entries)
        for policy in account.escalation_policies.values():
            assert uncovered(account, policy, hours=12) == []
            for day in range(0, 90, 6):
                levels = [on_level(account, policy, number, NOW + day * DAY) for number in (0, 1)]
                assert all(levels)
                assert not levels[0] & levels[1]


def test_a_policy_gap_is_where_the_truth_says() -> None:
    for planted, _ in worlds("policy_gap"):
        missing = uncovered(planted.account, policy_of(planted), days=25)
        assert planted.truth.since is not None
        assert planted.truth.until is not None
        assert missing
        assert planted.truth.since <= missing[0] < planted.truth.since + timedelta(hours=1)
        assert planted.truth.until - timedelta(hours=1) <= missing[-1] < planted.truth.until


def test_a_cliff_ends_the_first_level_for_good_but_not_the_policy() -> None:
    kinds = set()
    for planted, _ in worlds("cliff"):
        account, truth = planted
        assert truth.since is not None
        policy = policy_of(planted)
        before, after = (truth.since + step for step in (-timedelta(seconds=1), timedelta(seconds=1)))
        assert on_level(account, policy, 0, before)
        for days in range(40):
            assert not on_level(account, policy, 0, after + days * DAY)
        assert on_level(account, policy, 1, after)
        kinds.add(truth.override_id is None)
    assert kinds == {True, False}


def test_an_empty_level_has_never_anybody() -> None:
    for planted, _ in worlds("empty_level"):
        assert planted.truth.level == 2
        for days in range(0, 90, 5):
            assert not on_level(planted.account, policy_of(planted), 1, NOW + days * DAY)


def test_an_orphaned_override_is_of_somebody_who_is_not_in_turn_any_more() -> None:
    kinds = set()
    for planted, placebo in worlds("orphaned_override"):
        account, truth = planted
        assert truth.schedule_id is not None
        schedule = account.belongings.schedules[truth.schedule_id]
        assert truth.override_id in schedule.overrides
        assert truth.since is not None
        assert truth.until is not None
        assert truth.since > NOW
        kinds.add(schedule.kind)
        if isinstance(schedule, ShiftSchedule):
            shifts = schedule.final_shifts(truth.since, truth.until)
            assert truth.user_id not in {shift.user_id for shift in shifts}
            assert all("override" not in shift.source[0] for shift in shifts)
        else:
            assert truth.user_id not in schedule.user_ids()
        (other,) = [it for it in placebo.account.belongings.schedules.values() if it.overrides]
        begin = min(it.start for it in other.overrides.values())
        sources = {shift.source[0] for shift in other.final_shifts(begin, begin + timedelta(seconds=1))}
        assert not isinstance(other, ShiftSchedule) or "schedule_rotation_override" in sources
    assert kinds == {"schedule", "schedule_v3"}


def test_a_never_paged_person_was_assigned_on_the_first_level_and_not_notified_there() -> None:
    assigned = 0
    for planted, _ in worlds("never_paged"):
        account, truth = planted
        user = account.users[str(truth.user_id)]
        assert min(rule.delay_minutes for rule in user.rules("high")) >= DELAYS[0]
        pages = [page for pages in account.pages.values() for page in pages if page.user_id == user.id]
        assert [page for page in pages if page.level == 1] == []
        assigned += sum(entry.kind == "assign" and user in entry.users for entry in account.log.entries)
    assert assigned


def test_dead_ends_are_the_incidents_of_the_truth() -> None:
    for planted, placebo in worlds("dead_end"):
        account, truth = planted
        exhausted = {e.incident_id for e in account.log.entries if e.kind == "exhaust_escalation_path"}
        assert exhausted == set(truth.incident_ids)
        assert len(placebo.account.incidents) == len(account.incidents)


def test_the_same_person_is_always_on_two_levels() -> None:
    for planted, _ in worlds("same_person"):
        for days in range(30):
            at, policy = NOW + days * DAY, policy_of(planted)
            first, second = (on_level(planted.account, policy, number, at) for number in (0, 1))
            assert first == second


def test_the_only_human_is_everybody_on_the_policy() -> None:
    for planted, _ in worlds("only_human"):
        policy = policy_of(planted)
        for level in range(len(policy.levels)):
            assert on_level(planted.account, policy, level, NOW) == {planted.truth.user_id}


def test_ping_pong_goes_away_and_back_and_the_placebos_only_away() -> None:
    for planted, placebo in worlds("ping_pong"):
        delegated = Counter(
            entry.incident_id for entry in planted.account.log.entries if entry.kind == "delegate"
        )
        assert delegated == dict.fromkeys(planted.truth.incident_ids, 2)
        for incident_id in planted.truth.incident_ids:
            incident = planted.account.incidents[incident_id]
            assert incident.escalation_policy.id == planted.truth.policy_id
        once = Counter(entry.incident_id for entry in placebo.account.log.entries if entry.kind == "delegate")
        assert set(once.values()) == {1}


def hours(account: Account, schedule_id: str, since: datetime, until: datetime) -> Counter[str]:
    counted: Counter[str] = Counter()
    for shift in account.belongings.schedules[schedule_id].final_shifts(since, until):
        counted[str(shift.user_id)] += round((shift.end - shift.start) / timedelta(hours=1))
    return counted


def test_unfair_hours_are_the_planted_person_s_and_nobody_s_in_the_placebo() -> None:
    for planted, placebo in worlds("unfair_hours"):
        account, truth = planted
        counted = hours(account, str(truth.schedule_id), NOW - 80 * DAY, NOW)
        assert counted[str(truth.user_id)] > 1.8 * sum(counted.values()) / len(counted)
        for schedule_id in placebo.account.belongings.schedules:
            fair = hours(placebo.account, schedule_id, NOW - 80 * DAY, NOW)
            assert max(fair.values()) < 1.25 * sum(fair.values()) / len(fair)


def pages_by_person(account: Account, schedule_id: str) -> Counter[str]:
    pool = account.belongings.schedules[schedule_id].user_ids()
    pages = [
        page for pages in account.pages.values() for page in pages if page.channel == "push_notification"
    ]
    return Counter(page.user_id for page in pages if page.user_id in pool and page.level == 1)


def test_unfair_pages_are_the_planted_person_s() -> None:
    for planted, _ in worlds("unfair_pages"):
        account, truth = planted
        counted = pages_by_person(account, str(truth.schedule_id))
        assert counted[str(truth.user_id)] > 2.5 * sum(counted.values()) / 8
