"""Scenarios, storms and the reference fold."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pagerduty_simulator.cli import SCENARIOS
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.reference_fold import ExpectedIncident, expected_state
from pagerduty_simulator.scenarios import Scenario, events_of, play
from pagerduty_simulator.shop import online_shop
from pagerduty_simulator.storms import STORM_BEGINS_AT, random_storm, with_duplicates_and_disorder

COURSE = [
    EventType.TRIGGERED,
    EventType.ACKNOWLEDGED,
    EventType.ANNOTATED,
    EventType.ESCALATED,
    EventType.RESOLVED,
    EventType.REOPENED,
    EventType.RESOLVED,
]


def by_incident(events: Sequence[Event]) -> dict[str | None, list[Event]]:
    told = defaultdict(list)
    for event in events:
        told[event.incident_id].append(event)
    return told


def out_of_order(events: Sequence[Event]) -> int:
    """Count the events that arrive after a newer one of their own incident."""
    newest: dict[str | None, datetime] = {}
    late = 0
    for event in events:
        latest = newest.get(event.incident_id, event.occurred_at)
        late += event.occurred_at < latest
        newest[event.incident_id] = max(latest, event.occurred_at)
    return late


def contains_in_order(types: Iterable[EventType], course: Iterable[EventType]) -> bool:
    remaining = iter(types)
    return all(step in remaining for step in course)


def test_each_incident_of_the_demo_goes_the_whole_course() -> None:
    told = by_incident(events_of(DEMO, seed=1, begins_at=STORM_BEGINS_AT))
    assert len(told) == 7
    for events in told.values():
        assert contains_in_order([event.event_type for event in events], COURSE)


def test_the_demo_knows_all_priorities_and_none_and_ends_with_everything_resolved() -> None:
    state = expected_state(events_of(DEMO, seed=1, begins_at=STORM_BEGINS_AT))
    assert {incident.priority for incident in state.values()} == {"P1", "P2", "P3", "P4", "P5", None}
    assert {incident.status for incident in state.values()} == {"resolved"}


def test_the_demo_takes_a_good_minute_with_overlapping_incidents_and_other_events() -> None:
    assert timedelta(seconds=60) <= DEMO.length <= timedelta(seconds=90)
    events = events_of(DEMO, seed=1, begins_at=STORM_BEGINS_AT)
    types = {event.event_type for event in events}
    assert types >= {
        EventType.REASSIGNED,
        EventType.RESPONDER_ADDED,
        EventType.PRIORITY_UPDATED,
        EventType.STATUS_UPDATE_PUBLISHED,
    }
    spans = [(told[0].occurred_at, told[-1].occurred_at) for told in by_incident(events).values()]
    latest_begin, earliest_end = max(span[0] for span in spans), min(span[1] for span in spans)
    assert latest_begin < earliest_end


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_a_scenario_is_in_order_and_reproducible(scenario: Scenario) -> None:
    moments = [step.at_seconds for step in scenario.steps]
    assert moments == sorted(moments)
    first, again, other = (events_of(scenario, seed=seed, begins_at=STORM_BEGINS_AT) for seed in (1, 1, 2))
    assert [event.body for event in first] == [event.body for event in again]
    assert {event.id for event in first}.isdisjoint(event.id for event in other)


def test_a_storm_has_exactly_the_events_and_incidents_asked_for_in_strict_order() -> None:
    storm = random_storm(9, 40, 1_000)
    told = by_incident(storm)
    assert (len(storm), len(told), len({event.id for event in storm})) == (1_000, 40, 1_000)
    for events in told.values():
        moments = [event.occurred_at for event in events]
        assert events[0].event_type is EventType.TRIGGERED
        assert all(moment < two for moment, two in pairwise(moments))


def test_a_storm_is_the_same_for_the_same_seed_only() -> None:
    first, again, other = (random_storm(seed, 10, 100) for seed in (1, 1, 2))
    assert [event.body for event in first] == [event.body for event in again]
    assert first[0].body != other[0].body


def test_a_storm_may_be_as_small_as_its_incidents_but_not_smaller() -> None:
    storm = random_storm(1, 12, 12)
    assert {event.event_type for event in storm} == {EventType.TRIGGERED}
    with pytest.raises(ValueError, match="needs at least"):
        random_storm(1, 12, 11)


def test_a_fifth_of_the_deliveries_is_doubled_and_a_fifth_is_late() -> None:
    storm = random_storm(3, 50, 1_000)
    delivered = with_duplicates_and_disorder(storm, 4)
    counts = Counter(event.id for event in delivered)
    assert len(delivered) == 1_200
    assert set(counts) == {event.id for event in storm}
    firsts = list({event.id: event for event in delivered}.values())
    assert out_of_order(firsts) == 200
    assert out_of_order(storm) == 0


def test_disorder_is_the_same_for_the_same_seed_only() -> None:
    storm = random_storm(3, 20, 300)
    first, again, other = (
        [event.id for event in with_duplicates_and_disorder(storm, seed)] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_reference_does_not_care_for_order_or_duplicates() -> None:
    storm = random_storm(3, 30, 600)
    assert expected_state(with_duplicates_and_disorder(storm, 4)) == expected_state(storm)
    assert expected_state(reversed(storm)) == expected_state(storm)


def test_the_newest_event_about_the_whole_incident_tells_its_end_and_a_note_does_not() -> None:
    storm = random_storm(12, 1, 40)
    notes = [n for n, event in enumerate(storm) if event.event_type is EventType.ANNOTATED]
    storm = storm[: notes[-1] + 1]
    incident_id = storm[0].incident_id
    assert incident_id is not None
    whole = [event for event in storm if json.loads(event.body)["event"]["data"]["type"] == "incident"]
    newest = json.loads(whole[-1].body)["event"]["data"]
    assert expected_state(storm)[incident_id] == ExpectedIncident(
        newest["status"],
        newest["priority"] and newest["priority"]["summary"],
        frozenset(event.id for event in storm),
    )


def test_an_incident_known_only_by_a_note_has_no_status_yet() -> None:
    storm = random_storm(12, 1, 40)
    note = next(event for event in storm if event.event_type is EventType.ANNOTATED)
    assert expected_state([note]) == {note.incident_id: ExpectedIncident(None, None, frozenset({note.id}))}


def test_a_hand_moved_clock_wakes_sleepers_only_when_their_moment_has_come() -> None:
    clock = ManualClock(STORM_BEGINS_AT)
    clock.advance(timedelta(seconds=5))
    assert clock.now() == STORM_BEGINS_AT + timedelta(seconds=5)
    assert clock.next_wake is None


async def test_the_story_goes_on_when_somebody_else_resolves_one_of_its_incidents() -> None:
    clock = ManualClock(STORM_BEGINS_AT)
    account = online_shop(now=clock.now, seed=1)
    told: list[Event] = []

    def publish(events: Sequence[Event]) -> None:
        told.extend(events)
        for event in events:
            if (
                event.event_type is EventType.REOPENED
                and "certificate" in event.payload()["event"]["data"]["title"]
            ):
                assert event.incident_id is not None
                told.extend(account.resolve(event.incident_id))

    playing = asyncio.create_task(play(DEMO, account, publish, clock))
    while not playing.done():
        await asyncio.sleep(0)
        clock.advance(timedelta(seconds=0.5))
    await playing
    assert not account.open_ids
    for events in by_incident(told).values():
        types = [event.event_type for event in events]
        assert contains_in_order(types, COURSE)
        assert types.count(EventType.RESOLVED) == 2
