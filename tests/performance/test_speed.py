"""Curves with open incidents censored, and "faster" only where a test says so."""

import json
from dataclasses import replace

import numpy as np

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.performance.analysis import analyse_performance
from calmo_pagerduty.performance.measured import Measured
from calmo_pagerduty.performance.pictures import group_figures, performance_figure
from calmo_pagerduty.performance.report import Grouping, Question, performance_of
from calmo_pagerduty.performance.speed import Milestone, Verdict, judge, quantile_interval, speed_of
from calmo_pagerduty.snapshots.incident_measures import IncidentMeasures
from calmo_pagerduty.snapshots.model import Incident, Urgency
from tests.support.snapshots import DAY, TAKEN_AT, small_snapshot


def incidents(seconds: list[float | None], watched: int = 7200) -> list[Measured]:
    """Incidents with these times to acknowledge; None: nobody did in `watched` seconds, and it is open."""
    return [
        Measured(
            Incident(f"I{n}", n, None, "PSHOP", "PPOL", Urgency.HIGH, 0, None, "triggered"),
            IncidentMeasures(seconds_to_first_ack=None if value is None else round(value)),
            watched,
        )
        for n, value in enumerate(seconds)
    ]


def test_open_incidents_are_censored_so_that_the_slow_are_not_left_out() -> None:
    # Six have an answer, four wait: PagerDuty's mean is of the six, the median is beyond two of them.
    speed = speed_of(
        incidents([60, 60, 120, 120, 600, 900, None, None, None, None]), [], Milestone.ACKNOWLEDGE
    )
    assert (speed.curve.count, speed.curve.events, speed.censored) == (10, 6, 4)
    assert speed.curve.quantile(0.5) == 600
    assert speed.curve.quantile(0.9) is None
    assert quantile_interval(speed.curve, 0.5) == (60, None)
    assert speed.comparison.verdict is Verdict.INSUFFICIENT


def test_the_interval_of_the_median_is_that_of_brookmeyer_and_crowley() -> None:
    # Remission times of 6-MP (Freireich 1963): R's survfit with conf.type "log-log" gives 23 (13 to NA).
    events = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    rows = incidents([float(at) for at in events]) + [
        row for at in censored for row in incidents([None], watched=at)
    ]
    curve = speed_of(rows, [], Milestone.ACKNOWLEDGE).curve
    assert curve.quantile(0.5) == 23
    assert quantile_interval(curve, 0.5) == (13, None)


def test_without_a_change_one_in_twenty_is_called_one_and_a_change_is_found() -> None:
    random = np.random.default_rng(4)

    def verdict(factor: float) -> Verdict:
        now = incidents(list(random.lognormal(5.5, 1.5, 50) * factor), 10**6)
        before = incidents(list(random.lognormal(5.5, 1.5, 50)), 10**6)
        [judged] = judge([speed_of(now, before, Milestone.ACKNOWLEDGE)])
        return judged.comparison.verdict

    # The mean looks at least 20 % better in a third of such pairs; the test in about 5 %.
    placebos = [verdict(1.0) for _ in range(200)]
    assert sum(found is not Verdict.NO_DIFFERENCE for found in placebos) <= 20
    faster = [verdict(0.25) for _ in range(20)]
    assert faster.count(Verdict.FASTER) >= 18
    assert Verdict.SLOWER not in faster


def test_a_few_that_stay_open_do_not_turn_the_direction_around() -> None:
    random = np.random.default_rng(6)
    slow, quick = random.lognormal(7.5, 0.5, 40), random.lognormal(6.5, 0.5, 40)
    now, before = incidents(list(slow), 10**6), incidents([*quick, None, None, None], 10**7)
    [judged] = judge([speed_of(now, before, Milestone.ACKNOWLEDGE)])
    assert judged.comparison.verdict is Verdict.SLOWER


def test_the_tests_of_all_groups_are_one_family() -> None:
    random = np.random.default_rng(5)
    speeds = [
        speed_of(
            incidents(list(random.exponential(300, 30))),
            incidents(list(random.exponential(300, 30))),
            Milestone.ACKNOWLEDGE,
        )
        for _ in range(40)
    ]
    judged = judge(speeds)
    assert all(speed.comparison.verdict is Verdict.NO_DIFFERENCE for speed in judged)
    assert all((speed.comparison.adjusted or 0) >= (speed.comparison.p_value or 0) for speed in judged)


def test_the_same_snapshot_gives_the_same_bytes_and_the_order_of_incidents_says_nothing() -> None:
    days = [
        Incident(
            f"I{n}",
            n,
            None,
            "PSHOP",
            "PPOL",
            Urgency.HIGH,
            at,
            at + 60,
            "resolved",
        )
        for n, at in enumerate(range(TAKEN_AT - 49 * DAY, TAKEN_AT, DAY))
    ]
    question = Question(Span(TAKEN_AT - 28 * DAY, TAKEN_AT), Grouping.SERVICE)
    documents = [
        analyse_performance(small_snapshot(incidents=tuple(order)), TAKEN_AT, question).metrics
        for order in (days, days[::-1])
    ]
    assert json.dumps(documents[0]) == json.dumps(documents[1])
    [row] = documents[0]["groups"]
    assert (row["incidents"], row["incidents_before"]) == (28, 21)
    assert row["resolve"]["median"]["seconds"] == 60
    assert "<svg" in performance_figure(documents[0], Milestone.RESOLVE).document()
    assert len(group_figures(row)) == 1


def test_a_reopened_incident_is_open_again() -> None:
    snapshot = small_snapshot()
    [incident] = snapshot.incidents
    question = Question(Span(TAKEN_AT - 60 * DAY, TAKEN_AT), Grouping.SERVICE)
    [closed] = performance_of(snapshot, TAKEN_AT, question).groups
    assert closed.speeds[Milestone.ACKNOWLEDGE].curve.quantile(0.5) == 120
    reopened = small_snapshot(incidents=(replace(incident, resolved_at=None),))
    [group] = performance_of(reopened, TAKEN_AT, question).groups
    assert group.speeds[Milestone.RESOLVE].censored == 1
    assert group.pagerduty["mean_seconds_to_resolve"] is None
