"""`decide` against a naive model of an incident, through whatever may happen to it.

The model shares no code with what it checks: events are plain dicts, what was applied is a list
sorted by time, and every answer is worked out anew from these.
"""

from bisect import insort_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents import lifecycle as incident_lifecycle
from calmo_pagerduty.incidents.lifecycle import (
    EventFacts,
    IncidentState,
    LifecyclePolicy,
    Publish,
    SaveEvents,
    decide,
)
from tests.support.builders import NOON

GRACE = timedelta(hours=24)
POLICY = LifecyclePolicy(complete_after=GRACE, severities={"sev1": Severity.CRITICAL})
SEVERITY = {
    None: "medium",
    "P1": "critical",
    "p3": "warning",
    "P5": "info",
    "SEV1": "critical",
    "?": "medium",
}

TYPES = ("incident.triggered", "incident.resolved", "incident.annotated", "incident.of_tomorrow")

Event = dict[str, Any]


class NaiveIncident:
    """What an incident must have come to, given what it was told and when."""

    def __init__(self) -> None:
        self.applied: list[Event] = []
        #: Events that showed the incident newer than any before, with the moment we learnt of them.
        self.pictures: list[tuple[Event, datetime]] = []
        self.pictures_of_earlier_runs = 0
        self.ids: list[str] = []

    def learn(self, batch: Sequence[Event], memory: int, now: datetime) -> None:
        remembered = self.ids[-memory:]
        once = {event["event_id"]: event for event in reversed(batch)}
        for event in sorted(once.values(), key=_age):
            if event["event_id"] in remembered:
                continue
            self.ids.append(event["event_id"])
            insort_right(self.applied, event, key=lambda applied: applied["at"])
            newest = not self.pictures or _age(self.pictures[-1][0]) < _age(event)
            if event["shows"] and newest:
                self.pictures.append((event, now))

    def picture(self) -> Event:
        if self.pictures:
            return self.pictures[-1][0]
        return {"status": "triggered", "priority": None, "service": None, "teams": [], "number": None}

    def completes_at(self) -> datetime | None:
        """The unbroken run of resolved pictures at the end says when we learnt of the resolve."""
        learnt = None
        for event, when in reversed(self.pictures[self.pictures_of_earlier_runs :]):
            if event["status"] != "resolved":
                break
            learnt = when
        return learnt + GRACE if learnt else None


def _age(event: Event) -> tuple[datetime, int]:
    return event["at"], event["seq"]


def _facts(event: Event) -> EventFacts:
    picture = {
        "status": event["status"],
        "priority": event["priority"],
        "service_id": event["service"],
        "team_ids": event["teams"],
        "number": event["number"],
    }
    return EventFacts.model_validate(
        {"event_id": event["event_id"], "event_type": event["type"], "occurred_at": event["at"]}
        | {"seq": event["seq"], "shows_incident": event["shows"]}
        | (picture if event["shows"] else {})
    )


class LifeOfAnIncident(RuleBasedStateMachine):
    events = Bundle("events")

    @initialize(memory=st.sampled_from([2, 200]))
    def begin(self, memory: int) -> None:
        # A short memory lets duplicates come back that are long forgotten.
        incident_lifecycle.MAX_REMEMBERED_EVENTS = self.memory = memory
        self.model = NaiveIncident()
        self.state = IncidentState()
        self.now = NOON
        self.count = 0
        self.delivered: set[str] = set()
        self.saved: set[str] = set()
        self.searchable: Publish | None = None

    def teardown(self) -> None:
        incident_lifecycle.MAX_REMEMBERED_EVENTS = 200

    @rule(
        target=events,
        minute=st.integers(0, 12),
        number_in_log=st.integers(0, 30),
        type_=st.sampled_from(TYPES),
        shows=st.booleans(),
        status=st.sampled_from(["triggered", "acknowledged", "resolved", "resolved"]),
        priority=st.sampled_from(list(SEVERITY)),
        service=st.sampled_from([None, "PBASKET", "PCART"]),
        teams=st.sampled_from([[], ["PWEB"], ["PWEB", "PDB"]]),
    )
    def happens(self, minute: int, number_in_log: int, type_: str, **picture: Any) -> Event:
        return self._an_event(minute, number_in_log, type_, picture)

    @rule(
        target=events, status=st.sampled_from(["triggered", "resolved", "resolved"]), wait=st.integers(0, 99)
    )
    def the_newest_is_delivered_at_once(self, status: str, wait: int) -> Event:
        """The common case; it also brings the incident to where the rare ones begin."""
        self.now += timedelta(minutes=wait)
        picture = {"shows": True, "status": status, "priority": "P1", "service": None, "teams": []}
        event = self._an_event(20 + self.count, 0, TYPES[0], picture)
        self._deliver([event])
        return event

    @rule(event=events)
    def event_is_delivered(self, event: Event) -> None:
        self._deliver([event])

    @rule(batch=st.lists(events, max_size=6))
    def several_are_delivered_together(self, batch: list[Event]) -> None:
        self._deliver(batch)

    @rule(event=events, times=st.integers(2, 3))
    def event_is_delivered_again(self, event: Event, times: int) -> None:
        for _ in range(times):
            self._deliver([event])

    @rule()
    def the_run_continues_as_new(self) -> None:
        self.state = IncidentState.model_validate_json(self.state.model_dump_json())

    @rule()
    def the_run_completes_and_another_begins(self) -> None:
        """The new run knows what an issue's row and timeline hold."""
        self.model.pictures_of_earlier_runs = len(self.model.pictures)
        self.state = self.state.model_copy(update={"completes_at": None})

    @rule(minutes=st.integers(-600, 3000))
    def the_clock_jumps(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def _an_event(self, minute: int, number_in_log: int, type_: str, picture: Event) -> Event:
        self.count += 1
        return picture | {
            "event_id": f"E{self.count}",
            "type": type_,
            "at": NOON + timedelta(minutes=minute),
            # Unique, but in no order: events reach the log in another order than they happened.
            "seq": number_in_log * 1000 + self.count,
            "number": 42,
        }

    def _deliver(self, batch: list[Event]) -> None:
        decision = decide(self.state, [_facts(event) for event in batch], self.now, POLICY)
        self.state = decision.state
        self.model.learn(batch, self.memory, self.now)
        self.delivered |= {event["event_id"] for event in batch}
        for effect in decision.effects:
            if isinstance(effect, SaveEvents):
                self.saved |= {event.event_id for event in effect.events}
            else:
                assert isinstance(effect, Publish)
                self.searchable = effect

    @invariant()
    def every_delivered_event_is_saved_and_no_other(self) -> None:
        assert self.saved == self.delivered

    @invariant()
    def the_newest_picture_says_how_it_stands(self) -> None:
        expected = self.model.picture()
        assert self.state.status == expected["status"]
        assert self.state.priority == expected["priority"]
        assert self.state.severity == SEVERITY[expected["priority"]]
        assert self.state.service_id == expected["service"]
        assert list(self.state.team_ids) == expected["teams"]
        assert self.state.number == expected["number"]

    @invariant()
    def it_completes_a_day_after_we_learnt_of_the_resolve(self) -> None:
        assert self.state.completes_at == self.model.completes_at()

    @invariant()
    def the_last_event_is_the_latest(self) -> None:
        last = self.model.applied[-1] if self.model.applied else {"type": None, "at": None}
        assert (self.state.last_event_type, self.state.last_event_at) == (last["type"], last["at"])

    @invariant()
    def the_latest_events_are_remembered(self) -> None:
        assert [event.event_id for event in self.state.remembered] == self.model.ids[-self.memory :]

    @invariant()
    def operators_find_it_as_it_stands(self) -> None:
        if self.searchable is None:
            assert not self.delivered
            return
        assert self.searchable.status == self.state.status
        assert self.searchable.severity == self.state.severity
        assert self.searchable.priority == self.state.priority
        assert self.searchable.service_id == self.state.service_id
        assert self.searchable.team_ids == self.state.team_ids


LifeOfAnIncident.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_decide_agrees_with_a_naive_model = LifeOfAnIncident.TestCase
