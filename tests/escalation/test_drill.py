"""What a drill shows: PagerDuty's log beside the simulation of the same moment."""

from dataclasses import replace

from calmo_pagerduty.escalation.drill import DrillReport, Observed, drill_result, judge_drill
from calmo_pagerduty.escalation.simulation import simulate
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind, LogKind, LogRecord
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from tests.support.small_accounts import MINUTE, MONDAY, account, level, policy, service, user

PUSH, PHONE, SMS = ContactKind.PUSH, ContactKind.PHONE, ContactKind.SMS


def plain(**parts: object) -> AccountSnapshot:
    whole: dict[str, object] = {
        "services": (service(),),
        "policies": (policy(level("R1", 10, "amy"), level("R2", 10, "bob")),),
        "users": (user("amy", (0, PUSH), (3, PHONE)), user("bob", (0, SMS))),
    }
    return account(**(whole | parts))


def record(minutes: float, kind: LogKind, *people: str, channel: ContactKind | None = None) -> LogRecord:
    at = MONDAY + round(minutes * MINUTE)
    return LogRecord(f"L{minutes}{kind}{people}{channel}", "Q1", at, kind, people, channel=channel)


def notified(minutes: float, who: str, channel: ContactKind) -> LogRecord:
    return record(minutes, LogKind.NOTIFY, who, channel=channel)


AS_SIMULATED = (
    notified(0, "amy", PUSH),
    notified(3.5, "amy", PHONE),
    record(6, LogKind.ESCALATE, "bob"),
    notified(6, "bob", SMS),
    record(7, LogKind.ACKNOWLEDGE),
)


def judged(*records: LogRecord, snapshot: AccountSnapshot | None = None) -> DrillReport:
    observed = Observed(MONDAY, MONDAY + 8 * MINUTE, records, MONDAY + 6 * MINUTE, MONDAY + 7 * MINUTE, True)
    return judge_drill(OnCallIndex(snapshot or plain()), "V1", observed)


def test_a_drill_that_goes_as_simulated_has_no_difference() -> None:
    report = judged(*AS_SIMULATED)
    assert report.differences == ()
    assert report.expected == 2


def test_a_page_that_was_due_and_did_not_come_is_named() -> None:
    assert judged(*(r for r in AS_SIMULATED if r.channel is not PHONE)).differences == (
        "Name of amy was not paged by phone after 3 min, on level 1.",
    )


def test_a_page_that_nobody_expected_is_named() -> None:
    assert judged(*AS_SIMULATED, notified(1, "zoe", SMS)).differences == (
        "zoe was paged by sms after 1 min, and the simulation said nothing of it.",
    )


def test_another_channel_than_the_rule_says_is_a_difference_on_both_sides() -> None:
    report = judged(notified(0, "amy", SMS), *AS_SIMULATED[1:])
    assert len(report.differences) == 2


def test_an_escalation_that_reaches_others_is_named() -> None:
    others = [replace(r, user_ids=("zoe",)) if r.kind is LogKind.ESCALATE else r for r in AS_SIMULATED]
    assert judged(*others).differences == ("The escalation was to reach Name of bob, and reached zoe.",)


def test_any_of_round_robin_s_people_will_do_and_nobody_will_not() -> None:
    shared = plain(
        policies=(policy(level("R1", 10, "amy", "bob", is_round_robin=True), level("R2", 10, "bob")),)
    )
    assert judged(notified(0, "bob", SMS), *AS_SIMULATED[2:], snapshot=shared).differences == ()
    assert judged(*AS_SIMULATED[2:], snapshot=shared).differences != ()


def test_an_incident_that_should_not_have_been_created_is_a_difference() -> None:
    off = plain(services=(service(status="disabled"),))
    differences = judged(*AS_SIMULATED, snapshot=off).differences
    assert differences[0].startswith("PagerDuty created the incident.")


def test_a_difference_is_a_finding_and_none_resolves_it() -> None:
    index = OnCallIndex(plain())
    wrong = judged(notified(0, "zoe", SMS))
    result = drill_result(index, "drill_1", "V1", wrong, MONDAY + 600, is_resolved=True)
    assert [finding.code for finding in result.findings] == ["drill_differs"]
    assert len(result.findings[0].evidence) == len(wrong.differences)
    right = drill_result(index, "drill_2", "V1", judged(*AS_SIMULATED), MONDAY + 600, is_resolved=True)
    assert right.findings == ()
    assert right.analysis == result.analysis == "escalation_drill:V1"
    assert right.inputs.conclusive_codes == ("drill_differs", "drill_unresolved")


def test_an_incident_that_may_still_be_open_is_critical() -> None:
    index = OnCallIndex(plain())
    result = drill_result(index, "drill_1", "V1", judged(*AS_SIMULATED), MONDAY + 600, is_resolved=False)
    assert [(finding.code, str(finding.severity)) for finding in result.findings] == [
        ("drill_unresolved", "critical")
    ]


def test_the_simulation_of_a_drill_is_that_of_its_beginning() -> None:
    assert judged(*AS_SIMULATED).simulation == simulate(plain(), "V1", MONDAY)
