"""Split the streams around an incident into sources: changes of one kind on one service, incidents of one.

A migration on a service that deploys every ten minutes is rare, though a change there is not. So the events
of a stream are told apart by their kind, and each kind has its own rate.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.inputs import Change
from calmo_pagerduty.contexts.analysis.streams import EventStream, StreamEvent, epoch_seconds
from calmo_pagerduty.contexts.analysis.title_index import Floats

#: A kind that came less often on a service is one of its rare kinds, which are counted together.
MIN_EVENTS_OF_KIND = 2
RARE_KINDS = ""
#: How much of a weight is shared equally between services of a ring, and between kinds of a service.
EQUAL_SHARE = 0.5
_KIND_WORDS = 4
_HEAD_END = re.compile(r"[:;(\[–—|]|\s-\s")
_ROLLBACK = re.compile(r"\b(?:roll(?:ed|ing|s)?[ -]?back|revert(?:s|ed|ing)?|back(?:ed|ing)?[ -]out)\b", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class CauseSource:
    """The events of one kind in a stream. `times` are sorted epoch seconds, `near` those close to the
    incident, the least likely by chance first.
    """

    stream: EventStream
    #: The kind of change; None for incidents, and for changes elsewhere in the account.
    change_kind: str | None
    times: Floats
    near: tuple[StreamEvent, ...]

    @property
    def count(self) -> int:
        return max(1, len(self.times), len(self.near))

    @property
    def usual_rate(self) -> float:
        """Events per second, at all hours."""
        return self.count / self.stream.seconds

    @property
    def rate(self) -> float:
        """Events per second at the incident's hour of the day."""
        return self.usual_rate * self.stream.hourly_rate_ratio

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the source: kind of events, service, kind of change."""
        return self.stream.kind, self.stream.service_id or "", self.change_kind or ""


def shared(counts: Sequence[int]) -> list[float]:
    """Return how likely each of several is the guilty one, by how many events each has; they add up to 1.

    Perhaps each is equally likely, perhaps each event is: so half of it is shared equally, half by the
    counts. Neither a rare kind of change nor a frequent one is then out of sight.
    """
    whole = sum(counts)
    return [EQUAL_SHARE / len(counts) + (1 - EQUAL_SHARE) * count / whole for count in counts]


def kind_of_change(summary: str) -> str:
    """Return what changes of one kind share: the first four words of the part before a colon, a bracket or a
    dash, in lower case, with `#` for a word with a digit.
    """
    words = _HEAD_END.split(summary, 1)[0].casefold().split()[:_KIND_WORDS]
    return " ".join("#" if any(map(str.isdigit, word)) else word for word in words)


def is_rollback(summary: str) -> bool:
    """Return whether a change takes an earlier one back, by its words."""
    return _ROLLBACK.search(summary) is not None


def cause_sources(window: CorrelationWindow, streams: Sequence[EventStream]) -> list[CauseSource]:
    """Return the sources of the streams, in the order of the streams, then by kind."""
    changes = _changes_by_service(window)
    sources: list[CauseSource] = []
    for stream in streams:
        of_service = changes.get(stream.service_id or "")
        if stream.kind == "incident" or stream.service_id is None or of_service is None:
            sources.append(CauseSource(stream, None, stream.times, stream.near))
        else:
            sources += _by_kind(stream, of_service)
    return sources


def _changes_by_service(window: CorrelationWindow) -> Mapping[str, list[Change]]:
    found: dict[str, list[Change]] = defaultdict(list)
    for change in window.inputs.changes:
        for service_id in dict.fromkeys(change.service_ids):
            if service_id in window.hops:
                found[service_id].append(change)
    return found


def _by_kind(stream: EventStream, changes: Sequence[Change]) -> list[CauseSource]:
    kinds = {change.id: kind_of_change(change.summary) for change in changes}
    counts = Counter(kinds.values())
    kinds = {id_: kind if counts[kind] >= MIN_EVENTS_OF_KIND else RARE_KINDS for id_, kind in kinds.items()}
    moments: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        moments[kinds[change.id]].append(change)
    return [
        CauseSource(
            stream,
            kind,
            epoch_seconds(change.at for change in moments[kind]),
            tuple(event for event in stream.near if kinds[event.id] == kind),
        )
        for kind in sorted(moments)
    ]
