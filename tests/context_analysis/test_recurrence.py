"""Frequent, rare, anomaly, and flapping, as counted by hand."""

import uuid
from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, PastIncident
from calmo_pagerduty.contexts.analysis.recurrence import (
    assess_recurrence,
    recurrence_label,
)
from calmo_pagerduty.contexts.analysis.title_index import TitleSimilarity
from calmo_pagerduty.contexts.model import Recurrence
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.flapping import FlapCycle, count_flap_cycles
from tests.support.incident_worlds import BEGAN, ago, an_alert, around_it, past, the_incident


def found_in(around: AssessmentInput) -> Recurrence:
    found = assess_recurrence(around, TitleSimilarity([incident.title for incident in around.past]))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("count", "of", "days", "label"),
    [
        (0, 0, 30, "anomaly"),
        (0, 50, 30, "anomaly"),
        (0, 50, 29, None),
        (1, 4, 30, None),
        (1, 5, 30, "frequent"),
        (20, 100, 30, "frequent"),
        (19, 100, 30, "usual"),
        (6, 100, 30, "usual"),
        (5, 100, 30, "rare"),
        (1, 100, 30, "rare"),
        (1, 100, 7, "rare"),
    ],
)
def test_labels_are_pagerdutys(count: int, of: int, days: int, label: str | None) -> None:
    assert recurrence_label(count, of, timedelta(days=days)) == label


def test_incidents_of_one_kind_are_counted_on_their_service_in_30_days() -> None:
    same = [past(f"P{day}", ago(days=day), title=f"High latency on checkout-{day}") for day in (1, 5, 29, 40)]
    other = [past(f"Q{day}", ago(days=day), title="Disk full") for day in range(1, 8)]
    away = [past("R1", ago(days=2), "ELSEWHERE")]
    found = found_in(around_it(past=(*same, *other, *away)))
    assert (found.count, found.of, found.share, found.label) == (3, 10, 0.3, "frequent")
    assert (found.last_at, found.window_days) == (ago(days=1), 30.0)


def test_nothing_like_it_in_30_days_is_an_anomaly_unless_less_is_known() -> None:
    before = (past("P1", ago(days=31)), past("P2", ago(days=3), title="Disk full"))
    found = found_in(around_it(past=before))
    assert (found.label, found.count, found.last_at) == ("anomaly", 0, ago(days=31))
    young = found_in(around_it(past=before[1:], past_since=ago(days=10)))
    assert (young.label, young.window_days) == (None, 10.0)


def test_alerts_keys_tell_kinds_apart_where_both_have_one_that_lasts() -> None:
    keys = ["web/disk", "web/cpu", None, str(uuid.UUID(int=5))]
    earlier = tuple(past(f"P{at}", ago(days=at + 1), key=key) for at, key in enumerate(keys))
    by_key = found_in(around_it(alerts=(an_alert("A", key="web/disk"),), past=earlier))
    assert by_key.count == 3
    made_once = found_in(around_it(alerts=(an_alert("A", key=str(uuid.UUID(int=9))),), past=earlier))
    assert made_once.count == 4
    assert by_key.fingerprint != made_once.fingerprint


def test_without_history_or_service_nothing_is_told() -> None:
    silent = around_it(missing_sources=frozenset({Source.HISTORY}))
    nowhere = around_it(incident=the_incident(service=None))
    assert assess_recurrence(silent, TitleSimilarity([])) is None
    assert assess_recurrence(nowhere, TitleSimilarity([])) is None


def cycles(*minutes: tuple[int, int | None]) -> list[FlapCycle]:
    """Each is: triggered so many minutes before now, auto-resolved so many before."""
    return [
        FlapCycle(ago(minutes=began), None if ended is None else ago(minutes=ended))
        for began, ended in minutes
    ]


@pytest.mark.parametrize(
    ("sequence", "count"),
    [
        ([], 0),
        ([(50, 45), (35, 30), (20, 15)], 3),
        ([(60, 45), (30, 25), (20, 5)], 3),
        ([(61, 45), (30, 25), (20, 5)], 2),
        ([(50, 45), (35, 30), (20, 16)], 0),
        ([(50, 45), (29, 25), (20, 5)], 2),
        ([(50, 45), (35, None), (20, 15)], 1),
        ([(50, 45), (35, 30), (20, 15), (8, 1)], 4),
        ([(5, -1)], 1),
    ],
)
def test_flap_cycles_as_counted_by_hand(sequence: list[tuple[int, int | None]], count: int) -> None:
    """At most 15 minutes from a resolve to the next trigger, all within 60, nobody's hand in between."""
    assert count_flap_cycles(cycles(*sequence), BEGAN) == count
    assert count_flap_cycles(cycles(*reversed(sequence)), BEGAN) == count


@given(st.lists(st.tuples(st.integers(0, 200), st.none() | st.integers(0, 200)), max_size=12))
def test_what_a_person_resolved_never_adds_a_cycle(sequence: list[tuple[int, int | None]]) -> None:
    by_hand = [(began, None) for began, _ in sequence]
    assert count_flap_cycles(cycles(*by_hand), BEGAN) == 0
    assert 0 <= count_flap_cycles(cycles(*sequence), BEGAN) <= len(sequence)


def test_three_cycles_in_an_hour_are_flapping() -> None:
    def auto(incident_id: str, began: datetime) -> PastIncident:
        return past(incident_id, began, resolved_at=began + timedelta(minutes=5), is_auto_resolved=True)

    three = tuple(auto(f"P{minutes}", ago(minutes=minutes)) for minutes in (10, 25, 40))
    found = found_in(around_it(past=three))
    assert (found.is_flapping, found.flap_cycles) == (True, 3)
    two = found_in(around_it(past=three[:2]))
    assert (two.is_flapping, two.flap_cycles) == (False, 2)
