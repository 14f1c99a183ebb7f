"""The timeline of an issue in lanes: what changed, what is open up- and downstream, and the incident itself.

Pure. Times are UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.contexts.model import Assessment
from calmo_pagerduty.incidents.action_progress import Progress
from calmo_pagerduty.incidents.actions import Operation
from ingress.incidents.models import TimelineEntryModel


class Lane(StrEnum):
    """A lane of the timeline, in their order."""

    CHANGES = "changes"
    UPSTREAM = "upstream"
    THIS = "this"
    DOWNSTREAM = "downstream"
    ELSEWHERE = "elsewhere"


WORD_OF_LANE: Mapping[Lane, str] = {
    Lane.CHANGES: "Changes",
    Lane.UPSTREAM: "Upstream",
    Lane.THIS: "This incident",
    Lane.DOWNSTREAM: "Downstream",
    Lane.ELSEWHERE: "Elsewhere",
}
_LANE_OF_PLACE: Mapping[str, Lane] = {
    "same": Lane.THIS,
    "upstream": Lane.UPSTREAM,
    "downstream": Lane.DOWNSTREAM,
    "elsewhere": Lane.ELSEWHERE,
}


@dataclass(frozen=True, slots=True)
class LaneEntry:
    """Something that happened. `progress` and `call_id` are of what was done from here."""

    at: datetime
    lane: Lane
    text: str
    url: str | None = None
    progress: Progress | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Lanes:
    """The entries, the newest first, and the lanes that hold any."""

    entries: Sequence[LaneEntry]
    used: Sequence[Lane]

    def column(self, lane: Lane) -> int:
        """Return the lane's column, counted from 1."""
        return self.used.index(lane) + 1


def issue_lanes(
    timeline: Iterable[TimelineEntryModel],
    operations: Sequence[tuple[Operation, Progress]],
    assessment: Assessment | None,
) -> Lanes:
    """Return the lanes. An operation that has no entry on the timeline yet stands where it was filed."""
    entries = [
        *_own_entries(timeline, operations),
        *(_surroundings(assessment) if assessment is not None else ()),
    ]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    present = {entry.lane for entry in entries}
    return Lanes(entries, [lane for lane in Lane if lane in present])


def _own_entries(
    timeline: Iterable[TimelineEntryModel], operations: Sequence[tuple[Operation, Progress]]
) -> Iterator[LaneEntry]:
    known = {operation.id: progress for operation, progress in operations}
    told = set()
    for entry in timeline:
        progress = known.get(entry.operation_id) if entry.operation_id else None
        told.add(entry.operation_id)
        yield LaneEntry(entry.occurred_at, Lane.THIS, entry.summary, None, progress, entry.operation_id)
    for operation, progress in operations:
        if operation.id not in told:
            words = f"{operation.action.replace('_', ' ')} by {operation.author} via Calmo"
            yield LaneEntry(operation.filed_at, Lane.THIS, words, None, progress, operation.id)


def _surroundings(assessment: Assessment) -> Iterator[LaneEntry]:
    for change in assessment.changes:
        where = ", ".join(service.name or service.id for service in change.services)
        text = f"{change.summary.text}{f' ({where})' if where else ''}"
        yield LaneEntry(change.at, Lane.CHANGES, text, change.change.url)
    for other in assessment.others:
        number = other.incident.name or other.incident.id
        text = f"{number} {other.title.text} ({other.service.name or other.service.id}), {other.status}"
        yield LaneEntry(other.created_at, _LANE_OF_PLACE[other.where], text, other.incident.url)
