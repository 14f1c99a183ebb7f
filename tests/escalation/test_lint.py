"""What would keep a page from reaching somebody: each fault is found, and a clean account has none."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from calmo_pagerduty.escalation import lint
from calmo_pagerduty.escalation.lint import analyse
from calmo_pagerduty.escalation.lint_tables import lint_markdown
from calmo_pagerduty.findings.model import AnalysisResult, Finding, FindingSeverity
from calmo_pagerduty.oncall.policy_review_html import policy_review_html
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    Incident,
    LogKind,
    LogRecord,
    SectionName,
    SectionState,
    StandardScore,
    Urgency,
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

PHONE = ContactKind.PHONE
AMY, BOB, CAT = (user(name, (0, PHONE)) for name in ("amy", "bob", "cat"))


def clean(**parts: object) -> AccountSnapshot:
    """Return an account without a fault: two levels of two rotations that never hold the same person."""
    primary = schedule(
        "S1", (MONDAY, MONDAY + 15 * DAY, "amy"), (MONDAY + 15 * DAY, MONDAY + 40 * DAY, "bob")
    )
    secondary = schedule("S2", (MONDAY, MONDAY + 40 * DAY, "cat"))
    whole: dict[str, object] = {
        "services": (service(acknowledgement_timeout=1800),),
        "policies": (policy(level("R1", 10, "S1"), level("R2", 10, "S2"), num_loops=2),),
        "schedules": (primary, secondary),
        "users": (AMY, BOB, CAT),
    }
    return account(**(whole | parts))


def incident(
    number: int, *, minutes: int | None = 30, auto: bool = False, service_id: str = "V1"
) -> Incident:
    created = MONDAY - 10 * DAY + number * HOUR
    return Incident(
        f"Q{number}",
        number,
        f"https://example.pagerduty.com/incidents/Q{number}",
        service_id,
        "P1",
        Urgency.HIGH,
        created,
        None if minutes is None else created + minutes * MINUTE,
        "triggered" if minutes is None else "resolved",
        is_auto_resolved=auto,
    )


def record(incident_number: int, kind: LogKind, minutes: float, policy_id: str | None = None) -> LogRecord:
    at = MONDAY - 10 * DAY + incident_number * HOUR + int(minutes * MINUTE)
    return LogRecord(
        f"L{incident_number}-{minutes}-{kind}", f"Q{incident_number}", at, kind, policy_id=policy_id
    )


def only(result: AnalysisResult, code: str) -> Finding:
    found = [finding for finding in result.findings if finding.code == code]
    assert len(found) == 1, [finding.code for finding in result.findings]
    return found[0]


def test_a_clean_account_has_no_finding() -> None:
    assert analyse(clean(), MONDAY).findings == ()


def test_the_same_person_on_successive_levels_is_found_with_the_share_of_time() -> None:
    twice = schedule("S2", (MONDAY, MONDAY + 12 * DAY, "cat"), (MONDAY + 12 * DAY, MONDAY + 40 * DAY, "amy"))
    finding = only(
        analyse(clean(schedules=(clean().schedules[0], twice)), MONDAY), "same_person_on_successive_levels"
    )
    # Amy is on both from day 12 to day 15: 3 of 30 days.
    assert finding.evidence[0].data["share_by_user"] == {"amy": 0.1}
    assert finding.evidence[0].data["share_without_anybody_else"] == 0.1
    assert finding.severity is FindingSeverity.HIGH


def test_a_short_overlap_of_the_same_person_is_of_low_severity() -> None:
    twice = schedule("S2", (MONDAY, MONDAY + 14 * DAY, "cat"), (MONDAY + 14 * DAY, MONDAY + 40 * DAY, "amy"))
    finding = only(
        analyse(clean(schedules=(clean().schedules[0], twice)), MONDAY), "same_person_on_successive_levels"
    )
    assert finding.severity is FindingSeverity.LOW


def test_a_single_person_overall_is_found_with_the_share_of_time() -> None:
    alone = schedule("S2", (MONDAY, MONDAY + 40 * DAY, "amy"))
    finding = only(analyse(clean(schedules=(clean().schedules[0], alone)), MONDAY), "single_person_overall")
    assert finding.evidence[0].data["share"] == 0.5
    assert [entity.id for entity in finding.entities] == ["P1", "amy"]


def test_a_single_level_is_found_and_named_once() -> None:
    result = analyse(clean(policies=(policy(level("R1", 10, "S1"), num_loops=2),)), MONDAY)
    assert [finding.code for finding in result.findings] == ["single_level"]


def test_a_level_that_is_always_empty_is_found() -> None:
    path = policy(level("R1", 10, "S1"), level("R2", 10, "S2"), level("R3", 10, "S3"))
    snapshot = clean(policies=(path,), schedules=(*clean().schedules, schedule("S3")))
    assert only(analyse(snapshot, MONDAY), "level_always_empty").entities[1].id == "S3"


def test_an_unreadable_schedule_leads_to_no_finding_and_is_said() -> None:
    hidden = replace(clean().schedules[0], entries=None)
    sections = tuple(
        replace(section, state=SectionState.FORBIDDEN) if section.name is SectionName.SCHEDULES else section
        for section in clean().sections
    )
    result = analyse(clean(schedules=(hidden, clean().schedules[1]), sections=sections), MONDAY)
    assert result.findings == ()
    assert result.inputs.missing_permissions == ("schedules",)
    assert result.inputs.unjudged_ids == ("P1",)
    assert "single_level" not in (result.inputs.conclusive_codes or ())
    assert "escalation_path_exhausted" in (result.inputs.conclusive_codes or ())
    assert result.metrics["policies"][0]["single_person_share"] is None


@pytest.mark.parametrize(("first", "is_found"), [(9, False), (10, True), (15, True)])
def test_a_person_whose_first_rule_comes_after_the_level_is_never_paged(first: int, is_found: bool) -> None:
    late = user("amy", (first, PHONE))
    result = analyse(clean(users=(late, BOB, CAT)), MONDAY)
    assert [finding.code for finding in result.findings] == (["never_paged_rule"] if is_found else [])


def test_a_person_without_any_rule_is_a_finding_of_readiness_and_not_of_the_lint() -> None:
    assert analyse(clean(users=(user("amy"), BOB, CAT)), MONDAY).findings == ()


def test_a_late_rule_on_the_last_level_is_no_fault() -> None:
    assert analyse(clean(users=(AMY, BOB, user("cat", (45, PHONE)))), MONDAY).findings == ()


def test_a_late_second_rule_is_shown_on_the_ladder_and_is_no_finding() -> None:
    result = analyse(clean(users=(user("amy", (0, PHONE), (20, PHONE)), BOB, CAT)), MONDAY)
    assert result.findings == ()
    assert result.metrics["policies"][0]["levels"][0]["late_rules"] == [
        {"user_id": "amy", "rule_minutes": [20]}
    ]


def test_a_dead_end_is_proved_by_its_log_entries_and_incidents() -> None:
    snapshot = clean(
        policies=(policy(level("R1", 10, "S1"), level("R2", 10, "S2")),),
        incidents=(incident(1), incident(2, minutes=None)),
        log_records=(
            record(1, LogKind.EXHAUST_ESCALATION_PATH, 20),
            record(2, LogKind.EXHAUST_ESCALATION_PATH, 20, "P1"),
        ),
    )
    finding = only(analyse(snapshot, MONDAY), "escalation_path_exhausted")
    assert finding.evidence[0].data["count"] == 2
    assert finding.evidence[0].data["log_entry_ids"] == [
        "L1-20-exhaust_escalation_path",
        "L2-20-exhaust_escalation_path",
    ]
    assert "https://example.pagerduty.com/incidents/Q1" in [entity.html_url for entity in finding.entities]
    assert "num_loops" in finding.recommendation


def test_delegation_to_another_policy_and_back_is_found_and_one_way_is_not() -> None:
    other = policy(level("R3", 10, "S1"), level("R4", 10, "S2"), policy_id="P2")
    both = (*clean().policies, other)
    back_and_forth = [record(1, LogKind.DELEGATE, 5, "P2"), record(1, LogKind.DELEGATE, 9, "P1")]
    services = (*clean().services, service("V2", "P2", acknowledgement_timeout=1800))
    snapshot = clean(
        policies=both, services=services, incidents=(incident(1),), log_records=tuple(back_and_forth)
    )
    assert only(analyse(snapshot, MONDAY), "delegation_ping_pong").key == "P1"
    assert analyse(replace(snapshot, log_records=tuple(back_and_forth[:1])), MONDAY).findings == ()


def test_a_policy_that_no_service_uses_is_found_only_if_all_services_are_known() -> None:
    snapshot = clean(services=())
    assert only(analyse(snapshot, MONDAY), "policy_without_service").entities[0].id == "P1"
    sections = tuple(replace(section, state=SectionState.PARTIAL) for section in snapshot.sections)
    assert analyse(replace(snapshot, sections=sections), MONDAY).findings == ()


def test_an_acknowledged_incident_without_a_timeout_is_found_after_a_day_of_silence() -> None:
    snapshot = clean(
        services=(service(),),
        incidents=(incident(1, minutes=None),),
        log_records=(record(1, LogKind.TRIGGER, 0), record(1, LogKind.ACKNOWLEDGE, 2)),
    )
    assert only(analyse(snapshot, MONDAY), "acknowledged_and_left").entities[0].id == "V1"
    reminded = replace(snapshot, services=(service(acknowledgement_timeout=1800),))
    assert analyse(reminded, MONDAY).findings == ()


def test_an_automatic_resolution_before_people_are_done_is_found_only_with_enough_evidence() -> None:
    quick = (service(acknowledgement_timeout=1800, auto_resolve_timeout=3600),)
    slow = tuple(incident(number, minutes=40 if number % 3 else 90) for number in range(60))
    finding = only(analyse(clean(services=quick, incidents=slow), MONDAY), "auto_resolve_too_early")
    assert finding.evidence[0].data["open_share"] == pytest.approx(1 / 3, abs=0.01)
    few = tuple(incident(number, minutes=40 if number % 9 else 90) for number in range(19))
    assert analyse(clean(services=quick, incidents=few), MONDAY).findings == ()


def test_pagerduty_s_own_score_stands_beside_ours_with_the_difference_explained() -> None:
    score = StandardScore("ST1", "Minimum escalation policy rule depth", "V1", passed=False)
    other = StandardScore("ST2", "Has a description", "V1", passed=True)
    snapshot = clean(standards=(score, other))
    result = analyse(snapshot, MONDAY)
    compared = result.metrics["standards"]
    assert [(row["passed"], row["ours"], row["differs"]) for row in compared] == [
        (False, True, True),
        (True, None, False),
    ]
    assert "We differ: the policy has 2 levels" in compared[0]["explanation"]
    for page in (lint_markdown(result), policy_review_html(result, snapshot)):
        assert "Minimum escalation policy rule depth" in page
        assert "We differ: the policy has 2 levels" in page
        assert "Has a description" not in page


def test_the_result_is_the_same_in_any_order_and_again() -> None:
    snapshot = clean(
        services=(),
        users=(user("amy", (15, PHONE)), BOB, CAT),
        schedules=(*clean().schedules, schedule("S3")),
    )
    shuffled = replace(
        snapshot, users=tuple(reversed(snapshot.users)), schedules=tuple(reversed(snapshot.schedules))
    )
    assert analyse(snapshot, MONDAY) == analyse(snapshot, MONDAY) == analyse(shuffled, MONDAY)


def test_an_empty_account_and_any_moment_are_understood() -> None:
    assert analyse(account(), MONDAY).findings == ()
    too_late = analyse(clean(), MONDAY + 3650 * DAY)
    assert (too_late.window.seconds, too_late.findings) == (0, ())


def test_every_code_says_what_it_rests_on() -> None:
    words = "".join(path.read_text() for path in (Path(lint.__file__).parent).glob("*.py"))
    # What a drill saw is conclusive, whatever a snapshot lacks.
    codes = {code for code in re.findall(r'code="([a-z_]+)"', words) if not code.startswith("drill_")}
    assert codes == set(lint.SECTIONS_OF_CODE)
