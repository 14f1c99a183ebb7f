"""Two duties at once, little rest, and on call while away."""

from calmo_pagerduty.coverage.model import Conflict, ConflictKind
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.kernel.intervals import Span
from tests.support.coverage_worlds import DAY, HOUR, NOW, account, policy_of, schedule_of

OVERLAP = Span(NOW + 6 * HOUR, NOW + 12 * HOUR)


def conflicts(options: ReportOptions, *policies: object) -> list[Conflict]:
    first = schedule_of("S1", (NOW, OVERLAP.end, "UA"), (NOW + 20 * HOUR, NOW + 30 * HOUR, "UA"))
    second = schedule_of("S2", (OVERLAP.start, NOW + 14 * HOUR, "UA"), (NOW, NOW + DAY, "UB"))
    unused = schedule_of("S3", (NOW, NOW + 7 * DAY, "UA"))
    snapshot = account(schedules=(first, second, unused), policies=policies)
    return list(coverage_report(snapshot, NOW, options).conflicts)


def test_the_same_person_on_two_levels_or_two_schedules_at_once_is_named_with_the_time() -> None:
    found = conflicts(ReportOptions(days=7), policy_of("P1", ["S1"], ["S2"]))
    levels, schedules = (
        next(c for c in found if c.kind is kind)
        for kind in (ConflictKind.SUCCESSIVE_LEVELS, ConflictKind.TWO_SCHEDULES)
    )
    assert (levels.user_id, levels.spans, levels.object_ids) == ("UA", (OVERLAP,), ("P1",))
    assert (schedules.spans, schedules.object_ids) == ((OVERLAP,), ("S1", "S2"))


def test_a_schedule_that_no_policy_uses_asks_nothing_of_anybody() -> None:
    assert not [c for c in conflicts(ReportOptions(days=7), policy_of("P1", ["S1"])) if "S3" in c.object_ids]


def test_rest_is_counted_between_duties_of_all_schedules() -> None:
    (little,) = [
        c
        for c in conflicts(ReportOptions(days=7), policy_of("P1", ["S1"], ["S2"]))
        if c.kind is ConflictKind.LITTLE_REST
    ]
    assert little.rest_hours == 6.0
    assert little.spans == (Span(NOW + 14 * HOUR, NOW + 20 * HOUR),)
    six = ReportOptions(days=7, min_rest_hours=6.0)
    assert not [
        c for c in conflicts(six, policy_of("P1", ["S1"], ["S2"])) if c.kind is ConflictKind.LITTLE_REST
    ]


def test_a_person_who_is_away_should_not_be_on_call() -> None:
    away = {"UA": [Span(NOW + 13 * HOUR, NOW + 22 * HOUR)], "UB": [Span(NOW + 2 * DAY, NOW + 3 * DAY)]}
    (conflict,) = [
        c
        for c in conflicts(ReportOptions(days=7, away=away), policy_of("P1", ["S1"], ["S2"]))
        if c.kind is ConflictKind.AWAY
    ]
    assert conflict.user_id == "UA"
    assert conflict.spans == (Span(NOW + 13 * HOUR, NOW + 14 * HOUR), Span(NOW + 20 * HOUR, NOW + 22 * HOUR))
    assert conflict.object_ids == ("S1", "S2")
