"""Signals are read whatever they hold: what isn't understood is kept, never raised, never lost."""

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.signals import MAX_PAYLOAD_LENGTH, RECEIVE_EVENTS, decode_signal, encode_signal
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import facts

READABLE = facts(EventType.TRIGGERED, priority="P1", team_ids=("PWEB",), number=42)


def written(*events: EventFacts) -> bytes:
    return encode_signal(
        [(event.seq, event.again, event.model_dump_json(exclude={"seq"})) for event in events]
    )


def test_what_is_written_is_read() -> None:
    events = (READABLE, facts(EventType.ANNOTATED, shows_incident=False))
    received = decode_signal(RECEIVE_EVENTS, [written(*events)])
    assert (received.events, received.dead_letters) == (events, ())


def test_fields_that_are_added_later_are_ignored() -> None:
    envelope = {"v": 2, "more": 1, "events": [READABLE.model_dump(mode="json") | {"mood": "calm"}]}
    assert decode_signal(RECEIVE_EVENTS, [json.dumps(envelope).encode()]).events == (READABLE,)


def test_an_event_that_is_not_understood_does_not_take_its_neighbours_along() -> None:
    broken = READABLE.model_dump(mode="json") | {"occurred_at": "yesterday", "seq": "seven"}
    envelope = {"v": 1, "events": [broken, READABLE.model_dump(mode="json"), None]}
    received = decode_signal(RECEIVE_EVENTS, [json.dumps(envelope).encode()])
    assert received.events == (READABLE,)
    assert [puzzle.reason for puzzle in received.dead_letters] == [
        "not an event: occurred_at, seq",
        "not an event: ",
    ]
    assert json.loads(received.dead_letters[0].payload) == broken


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b'"events"',
        b"{}",
        b'{"events": {}}',
        b"9" * 5000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_envelope_is_kept_whole(body: bytes) -> None:
    received = decode_signal(RECEIVE_EVENTS, [body])
    assert received.events == ()
    assert [puzzle.reason for puzzle in received.dead_letters] == ["not an envelope of events"]
    assert received.dead_letters[0].payload == body.decode("utf-8", "replace")[:MAX_PAYLOAD_LENGTH]


def test_a_signal_without_arguments_is_a_puzzle() -> None:
    assert len(decode_signal(RECEIVE_EVENTS, []).dead_letters) == 1


def test_a_signal_of_another_name_is_a_puzzle_that_names_it() -> None:
    received = decode_signal("pause", [b'"please"', b"2"])
    assert received.events == ()
    assert received.dead_letters[0].reason == "a signal of another name: pause"
    assert received.dead_letters[0].payload == '"please"\n2'


def test_a_long_puzzle_is_cut() -> None:
    assert (
        len(decode_signal(RECEIVE_EVENTS, [b"x" * (MAX_PAYLOAD_LENGTH * 2)]).dead_letters[0].payload)
        == MAX_PAYLOAD_LENGTH
    )


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_events_as_deep_as_json_can_be_read_are_puzzles(opening: bytes) -> None:
    """Around the depth at which Python gives up, reading may succeed where writing does not."""
    closing = b"]" if opening == b"[" else b"}"
    for depth in range(900, 1010):
        body = b'{"events":[' + opening * depth + b"1" + closing * depth + b"]}"
        received = decode_signal(RECEIVE_EVENTS, [body])
        assert (len(received.events), len(received.dead_letters)) == (0, 1)


_NAMES = st.sampled_from([RECEIVE_EVENTS]) | st.text(st.characters(exclude_categories=["Cs"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
_NEARLY_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event_id": st.text() | _JSON,
        "event_type": st.sampled_from(EventType) | st.text(),
        "occurred_at": st.datetimes().map(str) | st.text() | st.integers() | st.floats(),
        "seq": st.integers() | _JSON,
        "shows_incident": st.booleans() | _JSON,
        "status": st.sampled_from(["resolved", "gone"]) | _JSON,
        "priority": st.text() | _JSON,
        "team_ids": st.lists(st.text()) | _JSON,
        "number": st.integers() | _JSON,
    },
)
_ENVELOPES = st.fixed_dictionaries({"events": st.lists(_NEARLY_EVENTS | _JSON, max_size=3)})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_NAMES, st.lists(st.binary() | (_ENVELOPES | _JSON).map(json.dumps).map(str.encode), max_size=3))
def test_reading_never_raises_and_what_it_returns_can_be_kept(name: str, payloads: list[bytes]) -> None:
    received = decode_signal(name, payloads)
    for puzzle in received.dead_letters:
        assert len(puzzle.payload) <= MAX_PAYLOAD_LENGTH
        puzzle.payload.encode()
    for event in received.events:
        assert event.occurred_at.utcoffset() is not None
        assert 0 <= event.seq < 2**63


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_NEARLY_EVENTS | _JSON, max_size=5))
def test_each_event_of_an_envelope_is_either_read_or_kept(events: list[object]) -> None:
    received = decode_signal(RECEIVE_EVENTS, [json.dumps({"events": events}).encode()])
    assert len(received.events) + len(received.dead_letters) == len(events)
