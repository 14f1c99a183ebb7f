"""The pure comparison: whatever was lost, in whatever order the rest came, the issue ends up right."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings, strategies as st

from calmo_pagerduty.connections.severity import severity_of
from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.model import Issue, ReceivedEvent, apply_events, new_issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.log_entries import EVENT_OF_KIND, TimelineEvent, parse_log_entry
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent, parse_event
from calmo_pagerduty.reconciliation.rules import Difference, compare_incident, parse_rest_incident
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import (
    policy_reference,
    priority_reference,
    service_reference,
    team_reference,
    user_reference,
)
from tests.support.examples import examples
from tests.support.pasts import Past

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
AUTOMATION = {"id": "PSERVICE", "type": "service_reference"}
LATER = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass
class Receiver:
    """One incident's issue, as workflow and store make it of whatever is saved."""

    ref: IncidentRef
    issue: Issue | None = None
    timeline: list[TimelineEntry] = field(default_factory=list)
    arrived: int = 0

    def save(self, *bodies: bytes) -> None:
        for body in bodies:
            self.arrived += 1
            event = parse_event(body)
            assert isinstance(event, WebhookEvent)
            if any(entry.event_id == event.event_id for entry in self.timeline):
                continue
            facts = EventFacts.model_validate_json(f'{{"seq":{self.arrived},{facts_json(event, LATER)[1:]}')
            received = ReceivedEvent(facts, event)
            before = self.issue or new_issue(self.ref, Scope.parse("organization:acme"), received, LATER)
            self.issue, entries = apply_events(before, [received], severity_of(facts.priority), LATER)
            self.timeline += entries

    def compare(self, past: Past) -> Difference:
        picture = parse_rest_incident(as_rest_shows(past, self.ref.incident_id))
        assert picture is not None
        entries = [parse_log_entry(entry) for entry in log_of(past, self.ref.incident_id)]
        known = [_known(entry) for entry in self.timeline]
        return compare_incident(picture, [entry for entry in entries if entry], self.issue, known)


def _known(entry: TimelineEntry) -> TimelineEvent:
    actor_id = entry.actor.id if entry.actor else None
    return TimelineEvent(entry.event_id, entry.event_type, entry.occurred_at, actor_id, entry.summary)


def as_rest_shows(past: Past, incident_id: str) -> dict[str, Any]:
    site, incident = past.account.site, past.account.incident(incident_id)
    return {
        "id": incident.id,
        "type": "incident",
        "incident_number": incident.number,
        "title": incident.title,
        "status": str(incident.status),
        "urgency": incident.urgency,
        "created_at": wire_seconds(incident.created_at),
        "updated_at": wire_seconds(past.account.log.standings[incident_id].updated_at),
        "resolved_at": wire_seconds(incident.resolved_at) if incident.resolved_at else None,
        "reopened_at": wire_seconds(incident.reopened_at) if incident.reopened_at else None,
        "service": service_reference(site, incident.service),
        "escalation_policy": policy_reference(site, incident.escalation_policy),
        "assignments": [{"assignee": user_reference(site, user)} for user in incident.assignees],
        "teams": [team_reference(site, team) for team in incident.teams],
        "priority": priority_reference(site, incident.priority) if incident.priority else None,
    }


def log_of(past: Past, incident_id: str) -> list[dict[str, Any]]:
    site = past.account.site
    return [
        {
            "id": entry.id,
            "type": f"{entry.kind}_log_entry",
            "created_at": wire_seconds(entry.created_at),
            "agent": user_reference(site, entry.agent) if entry.agent else AUTOMATION,
            "incident": {"id": incident_id, "type": "incident_reference"},
            "note": entry.note,
        }
        for entry in past.account.log.of(incident_id)
        if entry.kind != "notify"
    ]


@st.composite
def pasts(draw: st.DrawFn) -> tuple[Past, list[int]]:
    """A past of one incident, and which of its webhooks arrive, in which order."""
    pause = draw(st.sampled_from([timedelta(milliseconds=400), timedelta(seconds=3), timedelta(minutes=5)]))
    past = Past(begins_at=BEGIN, seed=draw(st.integers(0, 10_000)), pause=pause)
    past.trigger()
    for _ in range(draw(st.integers(0, 14))):
        past.move(past.incident_ids[0])
    places = list(range(len(past.events)))
    arriving = draw(st.lists(st.sampled_from(places), unique=True)) if places else []
    return past, arriving


def receiver_of(past: Past, arriving: list[int]) -> Receiver:
    receiver = Receiver(IncidentRef(connection_id="con_x", incident_id=past.incident_ids[0]))
    receiver.save(*(past.events[place].body for place in arriving))
    return receiver


def stands_right(past: Past, issue: Issue | None) -> None:
    there = past.account.incident(past.incident_ids[0])
    assert issue is not None
    assert str(issue.status) == str(there.status)
    assert issue.priority == (there.priority.name if there.priority else None)
    assert issue.severity is severity_of(issue.priority)
    assert (issue.title, issue.urgency, issue.number) == (there.title, there.urgency, there.number)
    assert issue.service is not None and issue.service.id == there.service.id
    assert issue.escalation_policy is not None
    assert issue.escalation_policy.id == there.escalation_policy.id
    assert (issue.resolved_at is None) is (there.resolved_at is None)
    if there.assignees:
        assert {assignee.id for assignee in issue.assignees} == {assignee.id for assignee in there.assignees}


@given(pasts())
@settings(max_examples=examples(200), deadline=None)
def test_whatever_was_lost_the_issue_stands_right_afterwards_and_a_second_comparison_finds_nothing(
    given_past: tuple[Past, list[int]],
) -> None:
    past, arriving = given_past
    receiver = receiver_of(past, arriving)
    found = receiver.compare(past)
    receiver.save(*(addition.body for addition in found.derived_events))
    stands_right(past, receiver.issue)
    again = receiver.compare(past)
    assert again.fields == ()
    assert [addition.event_id for addition in again.derived_events] == []


@given(pasts())
@settings(max_examples=examples(200), deadline=None)
def test_nothing_is_told_more_often_than_it_happened(given_past: tuple[Past, list[int]]) -> None:
    past, arriving = given_past
    receiver = receiver_of(past, arriving)
    receiver.save(*(addition.body for addition in receiver.compare(past).derived_events))
    happened = Counter(event.payload()["event"]["event_type"] for event in past.events)
    told = Counter(
        entry.event_type for entry in receiver.timeline if entry.event_type in EVENT_OF_KIND.values()
    )
    assert {kind: n for kind, n in told.items() if n > happened[kind]} == {}


@given(pasts())
@settings(max_examples=200, deadline=None)
def test_what_arrived_whole_and_was_not_changed_silently_has_nothing_to_add(
    given_past: tuple[Past, list[int]],
) -> None:
    past, _ = given_past
    receiver = receiver_of(past, list(range(len(past.events))))
    found = receiver.compare(past)
    assert set(found.fields) <= {"title", "urgency"}
    assert all(addition.event_id.startswith("picture:") for addition in found.derived_events)


def test_a_lost_resolve_keeps_its_moment_and_who_did_it() -> None:
    past = Past(begins_at=BEGIN)
    past.trigger()
    (told,) = past.move(past.incident_ids[0], "resolve")
    receiver = receiver_of(past, [0])
    (added,) = receiver.compare(past).derived_events
    receiver.save(added.body)
    assert added.event_id.startswith("log:")
    assert receiver.issue is not None and receiver.issue.resolved_at is not None
    assert abs(receiver.issue.resolved_at - told.occurred_at) < timedelta(seconds=1)
    assert receiver.timeline[-1].summary.startswith("resolved by ")
    assert receiver.timeline[-1].summary.endswith(" (reconciled)")


def test_a_resolve_without_a_log_entry_is_told_as_one_at_its_moment() -> None:
    past = Past(begins_at=BEGIN)
    past.trigger()
    past.move(past.incident_ids[0], "resolve")
    receiver = receiver_of(past, [0])
    picture = parse_rest_incident(as_rest_shows(past, past.incident_ids[0]))
    assert picture is not None
    (added,) = compare_incident(picture, (), receiver.issue, ()).derived_events
    assert (added.event.event_type, added.event.occurred_at) == (EventType.RESOLVED, picture.resolved_at)
    receiver.save(added.body)
    assert receiver.issue is not None and receiver.issue.resolved_at == picture.resolved_at
    assert receiver.compare(past).fields == ()


def test_a_late_entry_keeps_its_moment_when_something_newer_is_known() -> None:
    past = Past(begins_at=BEGIN)
    past.trigger()
    for name in ("acknowledge", "reassign", "title"):
        past.move(past.incident_ids[0], name)
    receiver = receiver_of(past, [0, 2])
    late, picture = receiver.compare(past).derived_events
    assert late.event.event_type == EventType.ACKNOWLEDGED and late.event.snapshot is None
    assert late.event.occurred_at == past.events[1].occurred_at.replace(microsecond=0)
    assert picture.event_id.startswith("picture:")


def test_a_newer_picture_here_is_left_alone() -> None:
    past = Past(begins_at=BEGIN)
    past.trigger()
    behind = as_rest_shows(past, past.incident_ids[0])
    past.move(past.incident_ids[0], "acknowledge")
    receiver = receiver_of(past, [0, 1])
    picture = parse_rest_incident(behind)
    assert picture is not None
    assert compare_incident(picture, (), receiver.issue, ()).fields == ()


def test_two_notes_of_one_person_within_a_second_are_told_apart_by_their_words() -> None:
    past = Past(begins_at=BEGIN, pause=timedelta(milliseconds=200))
    past.trigger()
    past.move(past.incident_ids[0], "note")
    past.move(past.incident_ids[0], "note")
    for lost, kept in ((1, 2), (2, 1)):
        receiver = receiver_of(past, [0, kept])
        (added,) = receiver.compare(past).derived_events
        assert added.event.data["content"] == past.events[lost].payload()["event"]["data"]["content"]


def test_what_cannot_be_read_is_left_out() -> None:
    assert parse_log_entry({}) is None
    assert parse_log_entry({"id": "R1", "type": "resolve_log_entry", "created_at": "soon"}) is None
    assert parse_rest_incident({"id": "P1", "type": "incident_reference"}) is None
    assert parse_rest_incident({"id": "../P1", "status": "resolved"}) is None
    assert EVENT_OF_KIND["annotate"] is EventType.ANNOTATED
