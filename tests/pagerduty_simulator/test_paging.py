"""Whom PagerDuty pages by itself, on what and when, while an incident waits for an answer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.account_state import OperationRefused
from pagerduty_simulator.belongings import MaintenanceWindow
from pagerduty_simulator.contacts import RulePlan, contact_method, notification_rules
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule
from pagerduty_simulator.resources import (
    ROUND_ROBIN,
    EscalationTarget,
    ScheduleTarget,
    Service,
    SupportHours,
    UrgencyRule,
    User,
)
from tests.support.chance import repeatable

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KINDS = ("email", "phone", "sms", "push_notification", "whatsapp")
LOUD: RulePlan = (("high", 0, "push_notification"), ("high", 3, "phone"), ("low", 0, "email"))


@pytest.fixture
def account() -> Account:
    return Account(now=lambda: BEGIN, rng=repeatable(1))


def person(
    account: Account, name: str, plan: RulePlan = LOUD, *, enabled: bool = True, blacklisted: bool = False
) -> User:
    rng = repeatable(name)
    methods = tuple(
        contact_method(kind, f"{name}/{kind}", rng, enabled=enabled, blacklisted=blacklisted)
        for kind in KINDS
    )
    user = account.add_user(name, f"{name.lower()}@shop.example")
    account.save_user(
        replace(user, contact_methods=methods, notification_rules=notification_rules(methods, plan, rng))
    )
    return account.users[user.id]


def a_service(
    account: Account,
    levels: tuple[tuple[EscalationTarget, ...], ...],
    delays: tuple[int, ...],
    num_loops: int = 0,
    strategies: tuple[str, ...] = (),
) -> Service:
    policy = account.add_escalation_policy("Policy", levels)
    account.save_policy(replace(policy, delays_minutes=delays, num_loops=num_loops, strategies=strategies))
    service = account.add_service("Shop", account.escalation_policies[policy.id])
    account.save_service(replace(service, auto_resolve_timeout=None, acknowledgement_timeout=None))
    return account.services[service.id]


def opened(account: Account, service: Service, **arguments: Any) -> str:
    account.trigger(service.id, "Down", **arguments)
    return account.incident_order[-1]


def minutes(at: datetime) -> float:
    return (at - BEGIN) / timedelta(minutes=1)


def told(account: Account, incident_id: str) -> list[tuple[float, str, str, int | None]]:
    return [
        (minutes(page.at), account.users[page.user_id].name, page.channel, page.level)
        for page in account.pages_of(incident_id)
    ]


def logged(account: Account, incident_id: str) -> list[tuple[float, str]]:
    entries = account.log.of(incident_id)
    return [(round(minutes(entry.created_at), 2), entry.kind) for entry in entries if entry.kind != "notify"]


def schedule(account: Account, user: User | None, since: datetime, until: datetime) -> ScheduleTarget:
    layer = Layer("L1", "Only", since, (user.id,) if user else (), timedelta(days=1), since, until)
    made = LayerSchedule(f"S{len(account.belongings.schedules)}", "Rota", "Etc/UTC", (layer,))
    account.belongings.schedules[made.id] = made
    return ScheduleTarget(made.id, made.name)


def test_each_person_is_paged_by_each_own_rule_until_the_level_s_delay_is_over(account: Account) -> None:
    ann, ben = person(account, "Ann"), person(account, "Ben")
    cleo = person(account, "Cleo", (("high", 4, "sms"), ("high", 30, "email")))
    service = a_service(account, ((ann, cleo), (ben,)), (5, 10))
    incident_id = opened(account, service)
    events = account.advance_to(BEGIN + timedelta(hours=1))
    assert told(account, incident_id) == [
        (0, "Ann", "push_notification", 1),
        (3, "Ann", "phone", 1),
        (4, "Cleo", "sms", 1),
        (5, "Ben", "push_notification", 2),
        (8, "Ben", "phone", 2),
    ]
    assert logged(account, incident_id) == [
        (0, "trigger"),
        (0, "assign"),
        (5, "escalate"),
        (15, "exhaust_escalation_path"),
    ]
    assert [event.event_type for event in events] == [EventType.ESCALATED]
    assert events[0].payload()["event"]["agent"] is None
    assert account.is_exhausted(incident_id)
    assert account.incident(incident_id).assignees == (account.users[ben.id],)


@pytest.mark.parametrize(("delay", "is_paged"), [(4, True), (5, False), (6, False)])
def test_a_rule_as_late_as_the_escalation_pages_nobody(account: Account, delay: int, is_paged: bool) -> None:
    late = person(account, "Late", (("high", delay, "phone"),))
    service = a_service(account, ((late,), (person(account, "Next"),)), (5, 5))
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(hours=1))
    assert ("Late" in {name for _, name, _, _ in told(account, incident_id)}) is is_paged


def test_a_late_rule_on_the_last_level_still_pages_after_the_path_is_exhausted(account: Account) -> None:
    service = a_service(account, ((person(account, "Late", (("high", 9, "phone"),)),),), (5,))
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(hours=1))
    assert told(account, incident_id) == [(9, "Late", "phone", 1)]
    assert (5, "exhaust_escalation_path") in logged(account, incident_id)


def test_the_path_is_repeated_as_often_as_the_policy_says(account: Account) -> None:
    service = a_service(
        account, ((person(account, "Ann"),), (person(account, "Ben"),)), (10, 20), num_loops=2
    )
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(hours=5))
    kinds = [(at, kind) for at, kind in logged(account, incident_id) if "path" in kind]
    assert kinds == [
        (30, "repeat_escalation_path"),
        (60, "repeat_escalation_path"),
        (90, "exhaust_escalation_path"),
    ]
    pages = [(minutes(page.at), page.level, page.loop) for page in account.pages_of(incident_id)]
    assert pages[::2] == [(0, 1, 0), (10, 2, 0), (30, 1, 1), (40, 2, 1), (60, 1, 2), (70, 2, 2)]


def test_low_urgency_pages_by_low_rules_and_does_not_escalate(account: Account) -> None:
    service = a_service(account, ((person(account, "Ann"),), (person(account, "Ben"),)), (5, 5))
    incident_id = opened(account, service, urgency="low")
    assert account.advance_to(BEGIN + timedelta(days=1)) == ()
    assert told(account, incident_id) == [(0, "Ann", "email", 1)]


def test_an_acknowledgement_stops_paging_and_its_timeout_starts_the_level_again(account: Account) -> None:
    service = a_service(account, ((person(account, "Ann"),), (person(account, "Ben"),)), (5, 10))
    account.save_service(replace(service, acknowledgement_timeout=1_800))
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(minutes=6))
    account.acknowledge(incident_id, by=account.incident(incident_id).assignees[0].id)
    events = account.advance_to(BEGIN + timedelta(minutes=40))
    assert [event.event_type for event in events] == [EventType.UNACKNOWLEDGED]
    assert told(account, incident_id)[2:] == [
        (5, "Ben", "push_notification", 2),
        (36, "Ben", "push_notification", 2),
        (39, "Ben", "phone", 2),
    ]
    account.advance_to(BEGIN + timedelta(hours=3))
    assert (46, "exhaust_escalation_path") in logged(account, incident_id)


def test_a_snooze_outlasts_the_acknowledgement_timeout(account: Account) -> None:
    service = a_service(account, ((person(account, "Ann"),),), (60,))
    account.save_service(replace(service, acknowledgement_timeout=600))
    incident_id = opened(account, service)
    account.acknowledge(incident_id)
    account.snooze(incident_id, timedelta(hours=2))
    account.advance_to(BEGIN + timedelta(hours=2, minutes=1))
    assert [at for at, kind in logged(account, incident_id) if kind == "unacknowledge"] == [120]
    assert told(account, incident_id)[-1] == (120, "Ann", "push_notification", 1)


@pytest.mark.parametrize("operation", ["reassign", "delegate"])
def test_a_new_assignment_starts_at_its_own_time(account: Account, operation: str) -> None:
    ann, ben = person(account, "Ann"), person(account, "Ben")
    service = a_service(account, ((ann,), (ben,)), (5, 5))
    other = account.add_escalation_policy("Other", ((ben,), (ann,)))
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(minutes=2))
    if operation == "reassign":
        account.reassign(incident_id, (ben.id,))
    else:
        account.delegate(incident_id, other.id)
    account.advance_to(BEGIN + timedelta(minutes=10))
    level = None if operation == "reassign" else 1
    assert told(account, incident_id) == [
        (0, "Ann", "push_notification", 1),
        (2, "Ben", "push_notification", level),
        (5, "Ben", "phone", level),
    ]
    account.advance_to(BEGIN + timedelta(hours=1))
    # Who was assigned by hand stays; another policy's default delay is half an hour.
    escalations = [at for at, kind in logged(account, incident_id) if kind == "escalate"]
    assert escalations == ([] if operation == "reassign" else [32])


def test_the_first_level_with_somebody_is_paged_and_who_is_on_call_is_asked_anew(account: Account) -> None:
    ann, ben, cleo = (person(account, name) for name in ("Ann", "Ben", "Cleo"))
    empty = schedule(account, None, BEGIN - timedelta(days=1), BEGIN + timedelta(days=1))
    leaving = schedule(account, ann, BEGIN - timedelta(days=1), BEGIN + timedelta(minutes=8))
    coming = schedule(account, ben, BEGIN + timedelta(minutes=4), BEGIN + timedelta(days=1))
    service = a_service(account, ((empty,), (leaving,), (coming, cleo)), (5, 5, 5), num_loops=1)
    incident_id = opened(account, service)
    assert account.incident(incident_id).escalation_level == 1
    account.advance_to(BEGIN + timedelta(minutes=14))
    starts = [row for row in told(account, incident_id) if row[2] == "push_notification"]
    assert starts == [
        (0, "Ann", "push_notification", 2),
        (5, "Ben", "push_notification", 3),
        (5, "Cleo", "push_notification", 3),
        # Ann has left meanwhile, so the path's repetition skips her level too.
        (10, "Ben", "push_notification", 3),
        (10, "Cleo", "push_notification", 3),
    ]


def test_a_round_robin_level_pages_one_target_in_turn_and_skips_who_is_not_on_call(account: Account) -> None:
    ann, ben, cleo = (person(account, name) for name in ("Ann", "Ben", "Cleo"))
    nobody = schedule(account, None, BEGIN, BEGIN + timedelta(days=1))
    service = a_service(account, ((ann, nobody, ben), (cleo,)), (5, 5), strategies=(ROUND_ROBIN,))
    paged = []
    for _ in range(3):
        incident_id = opened(account, service)
        paged.append([user.name for user in account.incident(incident_id).assignees])
        account.resolve(incident_id)
    assert paged == [["Ann"], ["Ben"], ["Ann"]]


def disable(account: Account, service: Service) -> None:
    account.save_service(replace(service, is_disabled=True))


def maintain(account: Account, service: Service) -> None:
    window = MaintenanceWindow("W1", 1, BEGIN, BEGIN + timedelta(hours=1), "Move", (service,), None)
    account.belongings.maintenance_windows["W1"] = window


@pytest.mark.parametrize(
    ("reason", "prepare"),
    [("disabled", disable), ("maintenance", maintain), ("nobody_on_call", lambda *_: None)],
)
def test_what_cannot_open_is_dropped_and_leaves_a_trace_here_only(
    account: Account, reason: str, prepare: Callable[[Account, Service], None]
) -> None:
    ann = person(account, "Ann")
    nobody = schedule(account, None, BEGIN, BEGIN + timedelta(days=1))
    levels = ((nobody,), (nobody,)) if reason == "nobody_on_call" else ((ann,),)
    service = a_service(account, levels, (5, 5))
    prepare(account, service)
    assert account.trigger(service.id, "Down") == ()
    assert [(dropped.reason, dropped.title) for dropped in account.dropped] == [(reason, "Down")]
    assert not account.incidents
    assert not account.log.entries


def test_nothing_is_sent_to_methods_that_are_not_enabled_or_are_blacklisted(account: Account) -> None:
    off = person(account, "Off", enabled=False)
    listed = person(account, "Listed", blacklisted=True)
    service = a_service(account, ((off, listed),), (5,))
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(hours=1))
    assert told(account, incident_id) == []


OFFICE = SupportHours("Berlin", (1, 2, 3, 4, 5), time(9), time(17))


@pytest.mark.parametrize(
    ("rule", "at", "severity", "expected"),
    [
        (UrgencyRule("low"), time(3), None, "low"),
        (UrgencyRule("high", "low"), time(8), None, "high"),
        (UrgencyRule("high", "low"), time(7, 59), None, "low"),
        (UrgencyRule("high", "low"), time(15, 59), None, "high"),
        (UrgencyRule("high", "low"), time(16), None, "low"),
        (UrgencyRule("high", "severity_based"), time(20), "warning", "low"),
        (UrgencyRule("high", "severity_based"), time(20), "critical", "high"),
        (UrgencyRule("severity_based"), time(12), None, "high"),
    ],
)
def test_a_service_s_rule_decides_the_urgency(
    account: Account, rule: UrgencyRule, at: time, severity: str | None, expected: str
) -> None:
    service = a_service(account, ((person(account, "Ann"),),), (5,))
    account.save_service(replace(service, urgency_rule=rule, support_hours=OFFICE))
    with account.at(datetime.combine(BEGIN.date(), at, UTC)):
        account.trigger(service.id, "Down", severity=severity)
    assert account.incident(account.incident_order[-1]).urgency == expected


def test_urgency_rises_when_support_hours_begin_and_then_the_policy_escalates(account: Account) -> None:
    service = a_service(account, ((person(account, "Ann"),), (person(account, "Ben"),)), (5, 5))
    account.save_service(
        replace(service, urgency_rule=UrgencyRule("high", "low"), support_hours=OFFICE, raises_urgency=True)
    )
    account.advance_to(datetime(2026, 3, 6, 22, 0, tzinfo=UTC))
    incident_id = opened(account, service)
    monday = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
    account.advance_to(monday + timedelta(minutes=7))
    assert account.incident(incident_id).urgency == "high"
    starts = [(page.at - monday, page.channel) for page in account.pages_of(incident_id)][1:]
    assert starts == [
        (timedelta(0), "push_notification"),
        (timedelta(minutes=3), "phone"),
        (timedelta(minutes=5), "push_notification"),
    ]


def test_an_incident_left_open_resolves_by_the_service_s_timeout(account: Account) -> None:
    service = a_service(account, ((person(account, "Ann"),),), (5,))
    account.save_service(replace(service, auto_resolve_timeout=3_600))
    incident_id = opened(account, service)
    account.advance_to(BEGIN + timedelta(minutes=59))
    assert incident_id in account.open_ids
    account.advance_to(BEGIN + timedelta(minutes=61))
    (entry,) = [entry for entry in account.log.of(incident_id) if entry.kind == "resolve"]
    assert (entry.channel, entry.agent, minutes(entry.created_at)) == ("timeout", None, 60)


def test_a_late_clock_changes_neither_the_times_nor_the_order_of_what_was_due(account: Account) -> None:
    service = a_service(account, ((person(account, "Ann"),), (person(account, "Ben"),)), (5, 10), 1)
    early, late = (opened(account, service) for _ in range(2))
    for minute in range(1, 60):
        account.advance_to(BEGIN + timedelta(minutes=minute))
    other = Account(now=lambda: BEGIN, rng=repeatable(1))
    service = a_service(other, ((person(other, "Ann"),), (person(other, "Ben"),)), (5, 10), 1)
    again = [opened(other, service) for _ in range(2)]
    other.advance_to(BEGIN + timedelta(hours=1))
    assert [told(account, early), told(account, late)] == [told(other, incident_id) for incident_id in again]
    assert account.log.entries == sorted(account.log.entries, key=lambda entry: entry.created_at)


def test_nobody_on_a_level_refuses_an_escalation_by_hand(account: Account) -> None:
    nobody = schedule(account, None, BEGIN, BEGIN + timedelta(days=1))
    service = a_service(account, ((person(account, "Ann"),), (nobody,)), (5, 5))
    incident_id = opened(account, service)
    with pytest.raises(OperationRefused) as refused:
        account.escalate(incident_id)
    assert refused.value.code == 1015
