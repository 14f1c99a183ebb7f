"""How events travel to an incident's workflow, and what is done with a signal nobody understands.

The envelope is tolerant on purpose: Temporal drops a signal whose arguments it can't decode with
no more than a log line, so the workflow takes raw JSON and reads it here.
"""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.model import FrozenModel

RECEIVE_EVENTS = "receive_events"

RESENT_FIELD = ',"again":true'

#: How much of a puzzling signal is kept for a person to look at.
MAX_PAYLOAD_LENGTH = 32_000


class DeadLetter(FrozenModel):
    """Something that arrived and could not be understood or applied: kept whole, set aside."""

    reason: str
    payload: str
    #: The deliveries concerned, by number in our log, where they are known.
    seqs: tuple[int, ...] = ()


class DecodedSignal(FrozenModel):
    events: tuple[EventFacts, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()


def encode_signal(facts: Sequence[tuple[int, bool, str]]) -> bytes:
    """Make the signal's body from (delivery number, sent again, facts as JSON).

    The facts are spliced and not parsed: this is done for every event that is forwarded.
    """
    events = ",".join(
        f'{{"seq":{seq},{text[1:-1]}{RESENT_FIELD if again else ""}}}' for seq, again, text in facts
    )
    return f'{{"v":1,"events":[{events}]}}'.encode()


def decode_signal(name: str, payloads: Sequence[bytes]) -> DecodedSignal:
    """Read a signal's body. Never raises; what isn't understood comes back as puzzles."""
    text = b"\n".join(payloads).decode("utf-8", "replace")[:MAX_PAYLOAD_LENGTH]
    if name != RECEIVE_EVENTS:
        return DecodedSignal(
            dead_letters=(DeadLetter(reason=f"a signal of another name: {name[:200]}", payload=text),)
        )
    try:
        envelope = json.loads(payloads[0])
        found = envelope["events"]
        if not isinstance(found, list):
            raise TypeError("events")
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return DecodedSignal(dead_letters=(DeadLetter(reason="not an envelope of events", payload=text),))
    events, puzzles = [], []
    for raw in found:
        try:
            events.append(EventFacts.model_validate(raw))
        except ValidationError as error:
            where = ", ".join(sorted({str(part["loc"][0]) for part in error.errors() if part["loc"]}))
            puzzles.append(
                DeadLetter(reason=f"not an event: {where}", payload=json.dumps(raw)[:MAX_PAYLOAD_LENGTH])
            )
    return DecodedSignal(events=tuple(events), dead_letters=tuple(puzzles))
