"""What an incident's own log tells of how it was handled: by whom, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calmo_pagerduty.contexts.analysis.surroundings import LogLine, PastIncident, Responded

#: What a person does about an incident, by the log's word for it.
_DID = {"acknowledge": "acknowledged", "resolve": "resolved", "annotate": "annotated", "assign": "reassigned",
        "delegate": "reassigned"}  # fmt: skip
MAX_RESPONDED = 20


@dataclass(frozen=True, slots=True)
class Handling:
    """How a past incident was handled. A resolved incident's log does not change: it is read once."""

    responded: tuple[Responded, ...] = ()
    resolved_at: datetime | None = None
    resolution: str | None = None
    is_auto_resolved: bool = False


def handling(lines: Sequence[LogLine]) -> Handling:
    """Read an incident's log, given in any order. The last resolution counts."""
    ordered = sorted(lines, key=lambda line: (line.at, line.id))
    responded = [
        Responded(line.agent, _DID[line.kind], line.at)
        for line in ordered
        if line.agent is not None and line.kind in _DID
    ]
    resolves = [line for line in ordered if line.kind == "resolve"]
    last = resolves[-1] if resolves else None
    notes = [line.text for line in ordered if line.kind == "annotate" and line.agent and line.text]
    return Handling(
        responded=tuple(_each_once(responded)[:MAX_RESPONDED]),
        resolved_at=last.at if last else None,
        resolution=(last.text if last else "") or (notes[-1] if notes else None),
        is_auto_resolved=last is not None and last.agent is None,
    )


def handled(past: PastIncident, how: Handling) -> PastIncident:
    """Return the past incident with what its log told."""
    return replace(
        past, responded=how.responded, resolution=how.resolution, is_auto_resolved=how.is_auto_resolved,
        resolved_at=past.resolved_at or how.resolved_at, is_read_in_full=True,
    )  # fmt: skip


def _each_once(responded: Sequence[Responded]) -> list[Responded]:
    """Somebody who did the same thing again counts once, by the first time."""
    first: dict[tuple[str, str], Responded] = {}
    for response in responded:
        first.setdefault((response.who.id, response.did), response)
    return list(first.values())
