"""Encode and decode the signal that brings events to an incident's workflow.

If Temporal can't decode a signal's arguments, it logs a line and drops the signal. So the workflow takes raw
JSON, and this module turns whatever it can't decode into dead letters.
"""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.model import FrozenModel

RECEIVE_EVENTS = "receive_events"

RESENT_FIELD = ',"again":true'

#: How many characters of an unreadable signal a dead letter keeps.
MAX_PAYLOAD_LENGTH = 32_000


class DeadLetter(FrozenModel):
    """A signal or an event that could not be understood or applied, stored for a person to look at."""

    reason: str
    payload: str
    #: The numbers of the deliveries, where they are known.
    seqs: tuple[int, ...] = ()


class DecodedSignal(FrozenModel):
    events: tuple[EventFacts, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()


def encode_signal(facts: Sequence[tuple[int, bool, str]]) -> bytes:
    """Return the signal's body, from tuples of (delivery number, sent again, facts as JSON).

    It splices the facts without parsing them, because it runs for every forwarded event.
    """
    events = ",".join(
        f'{{"seq":{seq},{text[1:-1]}{RESENT_FIELD if again else ""}}}' for seq, again, text in facts
    )
    return f'{{"v":1,"events":[{events}]}}'.encode()


def decode_signal(name: str, payloads: Sequence[bytes]) -> DecodedSignal:
    """Return a signal's events. Never raises: whatever can't be decoded becomes a dead letter."""
    text = b"\n".join(payloads).decode("utf-8", "replace")[:MAX_PAYLOAD_LENGTH]
    if name != RECEIVE_EVENTS:
        return DecodedSignal(
            dead_letters=(DeadLetter(reason=f"a signal of another name: {name[:200]}", payload=text),)
        )
    try:
        envelope = json.loads(payloads[0])
        raw_events = envelope["events"]
        if not isinstance(raw_events, list):
            raise TypeError("events")
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return DecodedSignal(dead_letters=(DeadLetter(reason="not an envelope of events", payload=text),))
    events, letters = [], []
    for raw in raw_events:
        try:
            events.append(EventFacts.model_validate(raw))
        except ValidationError as error:
            where = ", ".join(sorted({str(part["loc"][0]) for part in error.errors() if part["loc"]}))
            letters.append(
                DeadLetter(reason=f"not an event: {where}", payload=json.dumps(raw)[:MAX_PAYLOAD_LENGTH])
            )
    return DecodedSignal(events=tuple(events), dead_letters=tuple(letters))
