"""Who could be paged, by what: unknown is amber and never green, e-mail wakes nobody, shadows don't count."""

from dataclasses import replace

import pytest

from calmo_pagerduty.coverage import readiness_analysis
from calmo_pagerduty.coverage.now_next import OnCall, now_and_next
from calmo_pagerduty.coverage.page_checklist import Check, Verdict, checklists
from calmo_pagerduty.coverage.readiness import (
    ADVICE,
    LIGHTS,
    CellState,
    PersonState,
    readiness,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    ContactMethod,
    Layer,
    MaintenanceWindow,
    NotificationRule,
    Rotation,
    ScheduleKind,
    SupportHours,
    Urgency,
    UrgencyKind,
    UrgencyRule,
    User,
)
from calmo_pagerduty.snapshots.notification_rules import FLAGS, Flag, is_usable
from tests.support.coverage_worlds import (
    DAY,
    HOUR,
    NOW,
    account,
    policy_of,
    schedule_of,
    service_of,
    user_of,
)

HIGH = UrgencyRule(UrgencyKind.CONSTANT, Urgency.HIGH)


def person(*ways: tuple[ContactKind, int, bool | None], id: str = "UA") -> User:
    """A person with a contact method and a high-urgency rule for each way: kind, delay, enabled."""
    methods = tuple(
        ContactMethod(f"C{number}", kind, is_enabled=enabled, is_blacklisted=None if kind is EMAIL else False)
        for number, (kind, _, enabled) in enumerate(ways)
    )
    rules = tuple(
        NotificationRule(f"N{number}", Urgency.HIGH, delay, f"C{number}")
        for number, (_, delay, _) in enumerate(ways)
    )
    return user_of(id, contact_methods=methods, notification_rules=rules)


def world(user: User, levels: int = 2) -> AccountSnapshot:
    return account(
        policies=(policy_of("P1", ["UA"], *[["UZ"]] * (levels - 1)),),
        services=(service_of("V1", "P1", urgency=HIGH),),
        users=(user,),
    )


PUSH, EMAIL, PHONE, SMS = ContactKind.PUSH, ContactKind.EMAIL, ContactKind.PHONE, ContactKind.SMS
CASES = {
    "push at once": (person((PUSH, 0, None)), PersonState.READY),
    "phone at once": (person((PHONE, 0, True)), PersonState.READY),
    "phone, not said whether enabled": (person((PHONE, 0, None)), PersonState.UNKNOWN),
    "phone disabled": (person((PHONE, 0, False)), PersonState.NOT_REACHABLE),
    "phone disabled, SMS enabled": (person((PHONE, 0, False), (SMS, 1, True)), PersonState.READY),
    "e-mail only": (person((EMAIL, 0, True)), PersonState.EMAIL_ONLY),
    "phone disabled, e-mail": (person((PHONE, 0, False), (EMAIL, 0, True)), PersonState.EMAIL_ONLY),
    "phone as the level ends": (person((PHONE, 30, True)), PersonState.NEVER_PAGED),
    "phone just before the level ends": (person((PHONE, 29, True)), PersonState.READY),
    "phone too late, SMS perhaps in time": (person((PHONE, 30, True), (SMS, 0, None)), PersonState.UNKNOWN),
    "nothing": (person(), PersonState.NOT_REACHABLE),
    "not readable": (user_of("UA"), PersonState.UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize(("user", "state"), CASES.values(), ids=CASES.keys())
def test_a_person_is_as_ready_as_what_is_known_allows(user: User, state: PersonState) -> None:
    (result,) = readiness(world(user), NOW)
    assert result.state is state
    assert (LIGHTS[state] == "green") == (state is PersonState.READY)


@pytest.mark.parametrize("kind", ContactKind)
def test_what_pagerduty_does_not_say_of_a_contact_method_is_never_green(kind: ContactKind) -> None:
    says = {Flag.ENABLED: True, Flag.BLACKLISTED: False}
    for missing in FLAGS[kind]:
        known = {flag: value for flag, value in says.items() if flag is not missing}
        method = ContactMethod(
            "C1", kind, is_enabled=known.get(Flag.ENABLED), is_blacklisted=known.get(Flag.BLACKLISTED)
        )
        assert is_usable(method) is None
        rules = (NotificationRule("N1", Urgency.HIGH, 0, "C1"),)
        user = user_of("UA", contact_methods=(method,), notification_rules=rules)
        (result,) = readiness(world(user), NOW)
        assert LIGHTS[result.state] == ("red" if kind is EMAIL else "amber")
    assert is_usable(ContactMethod("C1", kind, is_enabled=True, is_blacklisted=False)) is True
    assert is_usable(ContactMethod("C1", kind, is_enabled=True, is_blacklisted=True)) is False


def test_every_state_has_a_case_a_light_and_an_advice() -> None:
    assert {state for _, state in CASES.values()} == set(PersonState) == set(LIGHTS) == set(ADVICE)


def test_on_the_last_level_a_late_rule_pages_in_the_end() -> None:
    (result,) = readiness(world(person((PHONE, 45, True)), levels=1), NOW)
    assert result.state is PersonState.READY
    assert not result.missed


def test_the_grid_has_a_cell_for_every_urgency_and_channel() -> None:
    blocked = ContactMethod("C1", ContactKind.SMS, is_enabled=True, is_blacklisted=True)
    user = person((PHONE, 5, True))
    user = replace(
        user,
        contact_methods=(*(user.contact_methods or ()), blocked, ContactMethod("C2", EMAIL, is_enabled=True)),
        notification_rules=(
            *(user.notification_rules or ()), NotificationRule("N9", Urgency.HIGH, 0, "C1"),
        ),
    )  # fmt: skip
    (result,) = readiness(world(user), NOW)
    cells = {(cell.urgency, cell.channel): cell for cell in result.cells}
    assert len(cells) == len(Urgency) * len(ContactKind)
    assert cells[Urgency.HIGH, PHONE].state is CellState.READY
    assert cells[Urgency.HIGH, PHONE].first_minutes == 5
    assert cells[Urgency.HIGH, SMS].state is CellState.DISABLED
    assert cells[Urgency.HIGH, EMAIL].state is CellState.NO_RULE
    assert cells[Urgency.LOW, PHONE].state is CellState.NO_RULE
    assert cells[Urgency.HIGH, PUSH].state is CellState.ABSENT


def test_only_people_who_can_be_on_call_are_judged() -> None:
    layer = Layer("L1", "L1", NOW - DAY, None, NOW, DAY, ("UMEMBER",))
    past = Layer("L0", "L0", NOW - 9 * DAY, NOW - DAY, NOW, DAY, ("UFORMER",))
    shadow = Rotation("RS", "Shadow", (), is_shadow=True)
    snapshot = account(
        schedules=(
            schedule_of("S1", (NOW, NOW + DAY, "USHIFT"), layers=(past, layer)),
            schedule_of("S2", (NOW, NOW + DAY, "UUNUSED")),
            schedule_of("S3", kind=ScheduleKind.SHIFTS, rotations=(shadow,)),
        ),
        policies=(policy_of("P1", ["S1", "S3"], ["UDIRECT"]),),
    )
    assert {result.user_id for result in readiness(snapshot, NOW)} == {"UMEMBER", "USHIFT", "UDIRECT"}


def test_who_cannot_be_paged_is_a_finding_about_persons_and_who_can_is_none() -> None:
    (finding,) = readiness_analysis.analyse(world(person((EMAIL, 0, True))), NOW).findings
    assert (finding.code, finding.about_persons) == ("person_email_only", True)
    assert readiness_analysis.analyse(world(person((PUSH, 0, None))), NOW).findings == ()
    unknown = readiness_analysis.analyse(world(user_of("UA")), NOW)
    assert unknown.findings == ()
    assert unknown.metrics["states"] == {
        "not_reachable": 0, "never_paged": 0, "email_only": 0, "unknown": 1, "ready": 0
    }  # fmt: skip


def test_now_and_next_is_the_first_level_with_somebody() -> None:
    first = schedule_of("S1", (NOW - DAY, NOW + 2 * HOUR, "UA"), (NOW + 5 * HOUR, NOW + 9 * HOUR, "UB"))
    second = schedule_of("S2", (NOW, NOW + 3 * HOUR, "UC"))
    snapshot = account(
        schedules=(first, second),
        policies=(policy_of("P1", ["S1"], ["S2"]), policy_of("P2", ["S2"])),
        services=(service_of("V1", "P1"), service_of("V2", "P2"), service_of("V3", None)),
    )

    def at(moment: int) -> list[tuple[OnCall | None, OnCall | None]]:
        return [(state.now, state.next) for state in now_and_next(snapshot, moment)]

    now = OnCall(1, ("UA",), NOW, NOW + 2 * HOUR)
    backup = OnCall(2, ("UC",), NOW + 2 * HOUR, NOW + 3 * HOUR)
    assert at(NOW)[0] == (now, backup)
    assert at(NOW)[2] == (None, None)
    nobody = OnCall(None, (), NOW + 3 * HOUR, NOW + 5 * HOUR)
    assert at(NOW + 3 * HOUR)[0] == (nobody, OnCall(1, ("UB",), NOW + 5 * HOUR, NOW + 9 * HOUR))
    assert at(NOW + 3 * HOUR)[1] == (OnCall(None, (), NOW + 3 * HOUR, None), None), "nothing more is known"


def test_a_person_who_is_always_on_call_has_no_end() -> None:
    (state,) = now_and_next(world(person((PUSH, 0, None)), levels=1), NOW)
    assert (state.now, state.next) == (OnCall(1, ("UA",), NOW, None), None)


def test_a_checklist_says_why_a_page_would_not_come() -> None:
    good = world(person((PUSH, 0, None)))
    service = good.services[0]
    hours = SupportHours("Etc/UTC", (1, 2, 3, 4, 5), 9 * HOUR, 17 * HOUR)
    by_hours = UrgencyRule(UrgencyKind.USE_SUPPORT_HOURS, Urgency.HIGH, Urgency.LOW)
    cases: dict[Check, AccountSnapshot] = {
        Check.ENABLED: replace(good, services=(replace(service, status="disabled"),)),
        Check.NO_MAINTENANCE: replace(
            good, maintenance=(MaintenanceWindow("M1", NOW - HOUR, NOW + HOUR, ("V1",)),)
        ),
        Check.HIGH_URGENCY: replace(
            good, services=(replace(service, urgency=by_hours, support_hours=hours),)
        ),
        Check.SOMEBODY_ON_CALL: replace(good, policies=(policy_of("P1"),)),
        Check.REACHABLE: replace(good, users=(person((EMAIL, 0, True)),)),
        Check.NOT_PAUSED: replace(good, services=(replace(service, auto_pause_seconds=120),)),
    }
    assert set(cases) == set(Check) - {Check.NOT_SUPPRESSED}, "event rules are not in a snapshot"
    assert checklists(good, NOW)[0].would_page is True
    for check, snapshot in cases.items():
        (checklist,) = checklists(snapshot, NOW)
        problems = [result.check for result in checklist.checks if result.verdict is Verdict.PROBLEM]
        assert problems == [check]
        assert checklist.would_page is False
    maintenance = checklists(cases[Check.NO_MAINTENANCE], NOW)[0].checks[1]
    assert maintenance.until == NOW + HOUR
    within = checklists(cases[Check.HIGH_URGENCY], NOW + 10 * HOUR)[0]
    assert within.would_page, "within support hours urgency is high"
    silent = replace(good, users=(user_of("UA"),))
    assert checklists(silent, NOW)[0].would_page is None, "unknown is not yes"
