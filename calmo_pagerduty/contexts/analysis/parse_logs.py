"""Derive from an incident's log who handled it and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calmo_pagerduty.contexts.analysis.inputs import LogLine, PastIncident, ResponderAction

#: What a person did about an incident, by the log entry's type.
_ACTION_OF_KIND = {
    "acknowledge": "acknowledged",
    "resolve": "resolved",
    "annotate": "annotated",
    "assign": "reassigned",
    "delegate": "reassigned",
}
MAX_RESPONDER_ACTIONS = 20


@dataclass(frozen=True, slots=True)
class IncidentHandling:
    """How a past incident was handled. It is read only once: the log of a resolved incident is final."""

    responded: tuple[ResponderAction, ...] = ()
    resolved_at: datetime | None = None
    resolution: str | None = None
    is_auto_resolved: bool = False


def summarise_handling(lines: Sequence[LogLine]) -> IncidentHandling:
    """Summarise an incident's log, given in any order. The last resolution counts."""
    ordered = sorted(lines, key=lambda line: (line.at, line.id))
    responded = [
        ResponderAction(line.agent, _ACTION_OF_KIND[line.kind], line.at)
        for line in ordered
        if line.agent is not None and line.kind in _ACTION_OF_KIND
    ]
    resolves = [line for line in ordered if line.kind == "resolve"]
    last = resolves[-1] if resolves else None
    notes = [line.text for line in ordered if line.kind == "annotate" and line.agent and line.text]
    return IncidentHandling(
        responded=tuple(_first_of_each(responded)[:MAX_RESPONDER_ACTIONS]),
        resolved_at=last.at if last else None,
        resolution=(last.text if last else "") or (notes[-1] if notes else None),
        is_auto_resolved=last is not None and last.agent is None,
    )


def with_handling(past: PastIncident, handling: IncidentHandling) -> PastIncident:
    """Return the past incident with the handling from its log."""
    return replace(
        past,
        responded=handling.responded,
        resolution=handling.resolution,
        is_auto_resolved=handling.is_auto_resolved,
        resolved_at=past.resolved_at or handling.resolved_at,
        is_read_in_full=True,
    )


def _first_of_each(responded: Sequence[ResponderAction]) -> list[ResponderAction]:
    """Keep the first of each person's equal actions."""
    first: dict[tuple[str, str], ResponderAction] = {}
    for response in responded:
        first.setdefault((response.who.id, response.did), response)
    return list(first.values())
