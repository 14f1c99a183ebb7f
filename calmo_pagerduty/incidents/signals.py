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

AGAIN = ',"again":true'

#: How much of a puzzling signal is kept for a person to look at.
MAX_PUZZLE = 32_000


class Puzzle(FrozenModel):
    """Something that arrived and could not be understood or applied: kept whole, set aside."""

    reason: str
    payload: str
    #: The deliveries concerned, by number in our log, where they are known.
    seqs: tuple[int, ...] = ()


class Received(FrozenModel):
    events: tuple[EventFacts, ...] = ()
    puzzles: tuple[Puzzle, ...] = ()


def write_signal(facts: Sequence[tuple[int, bool, str]]) -> bytes:
    """Make the signal's body from (delivery number, sent again, facts as JSON).

    The facts are spliced and not parsed: this is done for every event that is forwarded.
    """
    events = ",".join(f'{{"seq":{seq},{text[1:-1]}{AGAIN if again else ""}}}' for seq, again, text in facts)
    return f'{{"v":1,"events":[{events}]}}'.encode()


def read_signal(name: str, payloads: Sequence[bytes]) -> Received:
    """Read a signal's body. Never raises; what isn't understood comes back as puzzles."""
    text = b"\n".join(payloads).decode("utf-8", "replace")[:MAX_PUZZLE]
    if name != RECEIVE_EVENTS:
        return Received(puzzles=(Puzzle(reason=f"a signal of another name: {name[:200]}", payload=text),))
    try:
        envelope = json.loads(payloads[0])
        found = envelope["events"]
        if not isinstance(found, list):
            raise TypeError("events")
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return Received(puzzles=(Puzzle(reason="not an envelope of events", payload=text),))
    events, puzzles = [], []
    for raw in found:
        try:
            events.append(EventFacts.model_validate(raw))
        except ValidationError as error:
            where = ", ".join(sorted({str(part["loc"][0]) for part in error.errors() if part["loc"]}))
            puzzles.append(Puzzle(reason=f"not an event: {where}", payload=json.dumps(raw)[:MAX_PUZZLE]))
    return Received(events=tuple(events), puzzles=tuple(puzzles))
