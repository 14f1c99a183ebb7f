"""What an incident would do: whom PagerDuty would page, on what, after how long, until the end."""

from dataclasses import replace

import pytest

from calmo_pagerduty.escalation.model import Outcome, Silence, Simulation
from calmo_pagerduty.escalation.simulation import NoSuchService, simulate
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    MaintenanceWindow,
    Section,
    SectionName,
    SectionState,
    SupportHours,
    Urgency,
    UrgencyKind,
    UrgencyRule,
)
from tests.support.small_accounts import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    account,
    level,
    policy,
    schedule,
    service,
    user,
)

PUSH, PHONE, SMS, EMAIL = ContactKind.PUSH, ContactKind.PHONE, ContactKind.SMS, ContactKind.EMAIL
AMY = user("amy", (0, PUSH), (3, PHONE), low=[(0, EMAIL)])
BOB = user("bob", (0, SMS), low=[(2, PUSH)])
CAT = user("cat", (1, PHONE))
WORKING_HOURS = SupportHours("Europe/London", (1, 2, 3, 4, 5), 9 * HOUR, 17 * HOUR)


def plain(**parts: object) -> AccountSnapshot:
    """Amy on level 1, Bob on level 2, each for ten minutes."""
    whole: dict[str, object] = {
        "services": (service(),),
        "policies": (policy(level("R1", 10, "amy"), level("R2", 10, "bob")),),
        "users": (AMY, BOB, CAT),
    }
    return account(**(whole | parts))


def told(simulation: Simulation) -> list[tuple[float, int, str, ContactKind | None]]:
    """Return each page as (minutes after the start, level, person, channel)."""
    return [
        ((page.at - simulation.at) / MINUTE, page.level, page.user_id, page.channel)
        for page in simulation.pages
    ]


def test_each_person_is_paged_by_each_rule_at_its_delay_until_the_path_is_exhausted() -> None:
    simulation = simulate(plain(), "V1", MONDAY)
    assert told(simulation) == [(0, 1, "amy", PUSH), (3, 1, "amy", PHONE), (10, 2, "bob", SMS)]
    assert simulation.outcome is Outcome.EXHAUSTED
    assert simulation.ended_at == MONDAY + 20 * MINUTE
    assert [(step.at, step.until) for step in simulation.assignments] == [
        (MONDAY, MONDAY + 10 * MINUTE),
        (MONDAY + 10 * MINUTE, None),
    ]


def test_the_path_repeats_as_often_as_the_policy_says() -> None:
    looping = policy(level("R1", 10, "amy"), level("R2", 5, "bob"), num_loops=2)
    simulation = simulate(plain(policies=(looping,)), "V1", MONDAY)
    assert [(step.pass_number, step.level) for step in simulation.assignments] == [
        (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2),
    ]  # fmt: skip
    assert simulation.ended_at == MONDAY + 45 * MINUTE
    assert told(simulation)[3:5] == [(15, 1, "amy", PUSH), (18, 1, "amy", PHONE)]


def test_a_rule_that_comes_after_the_policy_moves_on_pages_nobody() -> None:
    quick = policy(level("R1", 3, "amy"), level("R2", 10, "bob"))
    simulation = simulate(plain(policies=(quick,)), "V1", MONDAY)
    assert told(simulation) == [(0, 1, "amy", PUSH), (3, 2, "bob", SMS)]
    assert [(silent.user_id, silent.why, silent.delay_minutes) for silent in simulation.unpaged] == [
        ("amy", Silence.TOO_LATE, 3)
    ]


def test_on_the_last_level_a_late_rule_still_pages_since_the_incident_stays() -> None:
    late = user("bob", (45, PHONE))
    simulation = simulate(plain(users=(AMY, late)), "V1", MONDAY)
    assert told(simulation)[-1] == (55, 2, "bob", PHONE)


def test_whoever_is_on_call_when_the_incident_reaches_the_level_is_paged() -> None:
    handoff = schedule("S1", (MONDAY, MONDAY + 8 * HOUR, "bob"), (MONDAY + 8 * HOUR, MONDAY + DAY, "cat"))
    both = policy(level("R1", 10, "amy"), level("R2", 10, "S1"))
    snapshot = plain(policies=(both,), schedules=(handoff,))
    assert told(simulate(snapshot, "V1", MONDAY + 8 * HOUR - 11 * MINUTE))[-1][2] == "bob"
    assert told(simulate(snapshot, "V1", MONDAY + 8 * HOUR - 10 * MINUTE))[-1][2] == "cat"


def test_an_empty_level_is_skipped_at_once() -> None:
    path = policy(level("R1", 10, "S1"), level("R2", 10, "bob"))
    simulation = simulate(plain(policies=(path,), schedules=(schedule("S1"),)), "V1", MONDAY)
    assert told(simulation) == [(0, 2, "bob", SMS)]
    assert [(skip.level, skip.at) for skip in simulation.skipped] == [(1, MONDAY)]


def test_with_nobody_on_any_level_there_is_no_incident() -> None:
    path = policy(level("R1", 10, "S1"), level("R2", 10, "S1"), num_loops=3)
    simulation = simulate(plain(policies=(path,), schedules=(schedule("S1"),)), "V1", MONDAY)
    assert simulation.outcome is Outcome.DROPPED
    assert simulation.pages == ()


def test_if_everybody_after_the_first_level_has_gone_the_incident_stays_there() -> None:
    one_hour = schedule("S1", (MONDAY, MONDAY + HOUR, "amy"))
    path = policy(level("R1", 30, "S1"), level("R2", 30, "S1"), num_loops=1)
    simulation = simulate(plain(policies=(path,), schedules=(one_hour,)), "V1", MONDAY + 40 * MINUTE)
    assert simulation.outcome is Outcome.EXHAUSTED
    assert [(step.level, step.until) for step in simulation.assignments] == [(1, None)]
    assert simulation.ended_at == MONDAY + 70 * MINUTE


def test_round_robin_pages_one_of_its_targets() -> None:
    shared = policy(level("R1", 10, "amy", "bob", is_round_robin=True), level("R2", 10, "cat"))
    simulation = simulate(plain(policies=(shared,)), "V1", MONDAY)
    assert simulation.assignments[0].candidates == (("amy",), ("bob",))
    assert {(page.user_id, page.is_one_of) for page in simulation.pages} == {
        ("amy", True),
        ("bob", True),
        ("cat", False),
    }


def test_all_targets_of_a_level_are_paged_once_each() -> None:
    twice = policy(level("R1", 10, "amy", "S1", "bob"))
    on_call = schedule("S1", (MONDAY, MONDAY + DAY, "amy"))
    simulation = simulate(plain(policies=(twice,), schedules=(on_call,)), "V1", MONDAY)
    assert told(simulation) == [(0, 1, "amy", PUSH), (0, 1, "bob", SMS), (3, 1, "amy", PHONE)]


def test_low_urgency_pages_by_its_own_rules_and_does_not_escalate() -> None:
    simulation = simulate(plain(), "V1", MONDAY, Urgency.LOW)
    assert told(simulation) == [(0, 1, "amy", EMAIL)]
    assert simulation.outcome is Outcome.STAYS
    assert simulation.ended_at is None


@pytest.mark.parametrize(("hours", "urgency"), [(7, Urgency.LOW), (8, Urgency.HIGH), (16, Urgency.LOW)])
def test_support_hours_decide_the_urgency_in_their_own_zone(hours: int, urgency: Urgency) -> None:
    timely = service(
        urgency=UrgencyRule(UrgencyKind.USE_SUPPORT_HOURS, Urgency.HIGH, Urgency.LOW),
        support_hours=WORKING_HOURS,
    )
    # London is an hour ahead of UTC in early October.
    assert simulate(plain(services=(timely,)), "V1", MONDAY + hours * HOUR).urgency is urgency


def test_a_low_incident_becomes_high_when_support_hours_begin_if_the_service_says_so() -> None:
    timely = service(
        urgency=UrgencyRule(UrgencyKind.USE_SUPPORT_HOURS, Urgency.HIGH, Urgency.LOW),
        support_hours=WORKING_HOURS,
        raises_urgency_with_support_hours=True,
    )
    simulation = simulate(plain(services=(timely,)), "V1", MONDAY + 7 * HOUR)
    assert told(simulation) == [
        (0, 1, "amy", EMAIL),
        (60, 1, "amy", PUSH),
        (63, 1, "amy", PHONE),
        (70, 2, "bob", SMS),
    ]
    assert simulation.outcome is Outcome.EXHAUSTED


def test_the_service_s_timeout_ends_the_escalation_before_it_is_exhausted() -> None:
    quick = plain(services=(service(auto_resolve_timeout=12 * MINUTE),))
    simulation = simulate(quick, "V1", MONDAY)
    assert simulation.outcome is Outcome.AUTO_RESOLVED
    assert simulation.ended_at == MONDAY + 12 * MINUTE
    assert simulation.assignments[-1].until == MONDAY + 12 * MINUTE
    assert (
        simulate(plain(services=(service(auto_resolve_timeout=DAY),)), "V1", MONDAY).outcome
        is Outcome.EXHAUSTED
    )


def test_a_disabled_service_opens_no_incident() -> None:
    off = plain(services=(service(status="disabled"),))
    assert simulate(off, "V1", MONDAY).outcome is Outcome.DISABLED


def test_a_service_in_maintenance_opens_no_incident_only_during_the_window() -> None:
    window = MaintenanceWindow("M1", MONDAY, MONDAY + HOUR, ("V1",))
    snapshot = plain(maintenance=(window,))
    assert simulate(snapshot, "V1", MONDAY).outcome is Outcome.MAINTENANCE
    assert simulate(snapshot, "V1", MONDAY + HOUR).outcome is Outcome.EXHAUSTED


def test_a_service_without_a_policy_says_so() -> None:
    assert simulate(plain(services=(service(policy_id=None),)), "V1", MONDAY).outcome is Outcome.NO_POLICY


def test_an_unreadable_schedule_makes_the_outcome_unknown_and_not_dropped() -> None:
    hidden = replace(schedule("S1"), entries=None)
    path = policy(level("R1", 10, "S1"))
    simulation = simulate(plain(policies=(path,), schedules=(hidden,)), "V1", MONDAY)
    assert simulation.outcome is Outcome.UNKNOWN


def test_unknown_rules_and_unusable_methods_are_said_and_not_counted_as_pages() -> None:
    hidden = replace(AMY, notification_rules=None)
    broken = replace(
        BOB,
        contact_methods=tuple(replace(method, is_blacklisted=True) for method in BOB.contact_methods or ()),
    )
    simulation = simulate(plain(users=(hidden, broken)), "V1", MONDAY)
    assert simulation.pages == ()
    assert [(silent.user_id, silent.why) for silent in simulation.unpaged] == [
        ("amy", Silence.UNKNOWN_RULES),
        ("bob", Silence.UNUSABLE_METHOD),
    ]


def test_what_the_simulation_can_not_know_is_noted() -> None:
    partial = tuple(
        Section(name, SectionState.FORBIDDEN if name is SectionName.USERS else SectionState.COMPLETE, 0, 0)
        for name in SectionName
    )
    by_severity = service(urgency=UrgencyRule(UrgencyKind.SEVERITY_BASED, None))
    notes = simulate(plain(services=(by_severity,), sections=partial), "V1", MONDAY).notes
    assert len(notes) == 2
    assert "severity" in notes[0]
    assert "forbidden" in notes[1]


def test_a_service_that_is_not_there_is_an_error_with_advice() -> None:
    with pytest.raises(NoSuchService, match="take a new snapshot"):
        simulate(plain(), "V9", MONDAY)


def test_the_order_of_objects_and_targets_changes_nothing() -> None:
    forward = plain(policies=(policy(level("R1", 10, "amy", "bob"), level("R2", 10, "cat")),))
    backward = replace(
        forward,
        users=tuple(reversed(forward.users)),
        policies=(policy(level("R1", 10, "bob", "amy"), level("R2", 10, "cat")),),
    )
    assert simulate(forward, "V1", MONDAY) == simulate(backward, "V1", MONDAY)
