"""Findings of coverage: what is found, how grave it is, and that a healthy account stays silent."""

import inspect
import json
import re
from dataclasses import asdict, replace

import pytest

from calmo_pagerduty.coverage import finding_texts
from calmo_pagerduty.coverage.analysis import NEEDS, analyse
from calmo_pagerduty.coverage.model import Agreement
from calmo_pagerduty.coverage.rendered_comparison import compare
from calmo_pagerduty.coverage.report import ReportOptions
from calmo_pagerduty.findings.model import Confidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Entry,
    IntendedHole,
    Layer,
    Override,
    Restriction,
    RestrictionKind,
    Rotation,
    ScheduleKind,
    Section,
    SectionName,
    SectionState,
)
from tests.support.coverage_worlds import (
    DAY,
    HOUR,
    NOW,
    account,
    incident_at,
    policy_of,
    schedule_of,
    service_of,
)
from tests.support.snapshots import with_section

FOREVER = Layer("L1", "L1", NOW - 90 * DAY, None, NOW - 90 * DAY, DAY, ("UA",))
RENDERED = (NOW - 35 * DAY, NOW + 92 * DAY)


def healthy() -> AccountSnapshot:
    return account(
        schedules=(
            schedule_of("S1", (*RENDERED, "UA"), layers=(FOREVER,), rendered_coverage_percentage=100.0),
        ),
        policies=(policy_of("P1", ["S1"], ["UB"]),),
        services=(service_of("V1", "P1"),),
    )


def with_gap(start: int, incidents_per_day: int = 0, **service: str) -> AccountSnapshot:
    entries = (RENDERED[0], start, "UA"), (start + DAY, RENDERED[1], "UA")
    snapshot = account(
        schedules=(schedule_of("S1", *entries, layers=(FOREVER,)),),
        policies=(policy_of("P1", ["S1"]),),
        services=(service_of("V1", "P1", **service),),
        incidents=tuple(
            incident_at(number, NOW - number * DAY // incidents_per_day - 60, "V1")
            for number in range(364 * incidents_per_day)
        ),
    )
    past = Section(SectionName.INCIDENTS, SectionState.COMPLETE, NOW, 1, since=NOW - 364 * DAY)
    return with_section(snapshot, past)


def findings(snapshot: AccountSnapshot, code: str) -> list[Finding]:
    return [finding for finding in analyse(snapshot, NOW).findings if finding.code == code]


def test_a_healthy_account_has_no_finding() -> None:
    assert analyse(healthy(), NOW).findings == ()


@pytest.mark.parametrize(
    ("start", "incidents", "severity"),
    [
        (NOW + 3 * DAY, 0, FindingSeverity.CRITICAL),
        (NOW + 40 * DAY, 1, FindingSeverity.CRITICAL),
        (NOW + 40 * DAY, 0, FindingSeverity.HIGH),
    ],
    ids=["soon", "costly", "later"],
)
def test_a_policy_gap_is_critical_if_it_is_soon_or_costs_incidents(
    start: int, incidents: int, severity: FindingSeverity
) -> None:
    (gap,) = findings(with_gap(start, incidents), "policy_gap")
    assert gap.severity is severity
    assert gap.at == Span(start, start + DAY)
    assert gap.opens_issue
    assert gap.expected_dropped_incidents == pytest.approx(incidents, rel=0.05)
    assert {entity.kind for entity in gap.entities} == {"policy", "service", "schedule"}
    assert all((gap.recommendation, gap.expected_effect, gap.how_to_verify, gap.how_to_undo, gap.evidence))


def test_a_gap_of_a_policy_that_only_a_disabled_service_uses_opens_no_issue() -> None:
    (gap,) = findings(with_gap(NOW + 3 * DAY, status="disabled"), "policy_gap")
    assert gap.severity is FindingSeverity.LOW
    assert not gap.opens_issue


def test_an_unknown_past_is_said_and_not_zero() -> None:
    snapshot = with_section(
        with_gap(NOW + 3 * DAY), Section(SectionName.INCIDENTS, SectionState.FORBIDDEN, NOW, 0, "403")
    )
    result = analyse(snapshot, NOW)
    (gap,) = [finding for finding in result.findings if finding.code == "policy_gap"]
    assert gap.expected_dropped_incidents is None
    assert "insufficient data" in gap.expected_effect
    assert gap.confidence is Confidence.MEDIUM
    assert result.inputs.missing_permissions == ("incidents",)


def test_what_could_not_be_judged_resolves_nothing() -> None:
    snapshot = with_section(healthy(), Section(SectionName.USERS, SectionState.FORBIDDEN, NOW, 0, "403"))
    codes = analyse(snapshot, NOW).inputs.conclusive_codes
    assert codes is not None
    assert "policy_gap" not in codes
    assert "schedule_in_no_policy" in codes
    unreadable = replace(
        healthy(), schedules=(schedule_of("S1", entries=None),), policies=(policy_of("P1", ["S1"]),)
    )
    assert analyse(unreadable, NOW).inputs.unjudged_ids == ("P1", "S1")
    away = ReportOptions(away={})
    assert analyse(healthy(), NOW, away).inputs.conclusive_codes == tuple(sorted(NEEDS))
    assert "on_call_while_away" not in (analyse(healthy(), NOW).inputs.conclusive_codes or ())


def test_every_finding_of_coverage_has_the_sections_that_it_needs() -> None:
    source = inspect.getsource(finding_texts)
    codes = set(re.findall(r'(?:code=|_schedule_note\(\s*)"(\w+)"', source)) | {
        "on_call_while_away",
        "little_rest",
    }
    assert codes == set(NEEDS)


def test_an_empty_first_level_is_medium_unless_hours_are_restricted_on_purpose() -> None:
    entries = [(NOW + d * DAY + 9 * HOUR, NOW + d * DAY + 17 * HOUR, "UA") for d in range(-35, 92)]
    for layer, severity in (
        (FOREVER, FindingSeverity.MEDIUM),
        (
            replace(FOREVER, restrictions=(Restriction(RestrictionKind.DAILY, 9 * HOUR, 8 * HOUR),)),
            FindingSeverity.INFO,
        ),
    ):
        schedule = schedule_of("S1", *entries, layers=(layer,))
        snapshot = replace(healthy(), schedules=(schedule,))
        (finding,) = findings(snapshot, "first_level_gap")
        assert finding.severity is severity
        assert not findings(snapshot, "policy_gap")


def test_a_cliff_is_high_and_opens_an_issue_unless_the_policys_gap_does() -> None:
    end = NOW + 60 * DAY
    ending = schedule_of("S1", (RENDERED[0], end, "UA"), layers=(replace(FOREVER, end=end),))
    backed = replace(healthy(), schedules=(ending,))
    (cliff,) = findings(backed, "coverage_cliff")
    assert (cliff.severity, cliff.opens_issue) == (FindingSeverity.HIGH, True)
    assert "Fri 5 Mar" in cliff.title
    alone = replace(backed, policies=(policy_of("P1", ["S1"]),))
    (cliff,) = findings(alone, "coverage_cliff")
    assert not cliff.opens_issue
    assert findings(alone, "policy_gap")[0].opens_issue


def test_small_faults_are_named_too() -> None:
    other = schedule_of(
        "S2",
        (*RENDERED, "UA"),
        layers=(FOREVER,),
        time_zone="Nowhere/Land",
        overrides=(Override("O1", NOW, NOW + DAY, "UGONE"),),
        rendered_coverage_percentage=50.0,
    )
    snapshot = replace(healthy(), schedules=(*healthy().schedules, other))
    codes = {finding.code for finding in analyse(snapshot, NOW).findings}
    assert codes == {"schedule_in_no_policy", "unknown_time_zone", "orphaned_override", "rendering_differs"}


def test_what_asks_too_much_of_a_person_is_about_persons() -> None:
    options = ReportOptions(days=7, away={"UA": [Span(NOW, NOW + DAY)]})
    (finding,) = analyse(healthy(), NOW, options).findings
    assert (finding.code, finding.about_persons) == ("on_call_while_away", True)


def test_the_same_snapshot_gives_the_same_bytes_in_any_order_of_its_objects() -> None:
    snapshot = with_gap(NOW + 3 * DAY, 1)
    snapshot = replace(snapshot, schedules=(*snapshot.schedules, schedule_of("S2")))
    first = json.dumps(asdict(analyse(snapshot, NOW)))
    assert json.dumps(asdict(analyse(snapshot, NOW))) == first
    turned = replace(snapshot, incidents=snapshot.incidents[::-1], schedules=snapshot.schedules[::-1])
    again = analyse(turned, NOW)
    assert again.findings == analyse(snapshot, NOW).findings


@pytest.mark.parametrize(
    ("share", "agreement"),
    [(50.0, Agreement.AGREES), (50.09, Agreement.AGREES), (75.0, Agreement.EXPLAINED),
     (100.0, Agreement.EXPLAINED), (60.0, Agreement.DIFFERS), (None, Agreement.NOT_COMPARED)],
)  # fmt: skip
def test_a_difference_from_pagerdutys_percentage_is_explained(
    share: float | None, agreement: Agreement
) -> None:
    schedule = schedule_of(
        "S1",
        kind=ScheduleKind.SHIFTS,
        rotations=(Rotation("RS", "Shadow", (), is_shadow=True),),
        entries=(
            Entry(NOW, NOW + 2 * DAY, "UA", "schedule_rotation:R1"),
            Entry(NOW + DAY, NOW + 3 * DAY, "UB", "schedule_rotation:RS"),
        ),
        intended_holes=(IntendedHole(NOW + 3 * DAY, NOW + 4 * DAY, "schedule_rotation:R1"),),
        rendered_coverage_percentage=share,
    )
    result = compare(schedule, Span(NOW, NOW + 4 * DAY))
    assert result.agreement is agreement
    assert result.ours == 50.0
