"""The values of post-incident reports. Times are UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.incidents.actions import Operation
from calmo_pagerduty.incidents.incident_replay import IncidentReplay
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry

MAX_ADDITION_LENGTH = 8000
#: An issue has at most so many additions.
MAX_ADDITIONS = 200


class PartName(StrEnum):
    """The parts of a report, in their order. A person's addition belongs to one of them."""

    HAPPENED = "happened"
    PAGED = "paged"
    BEFORE = "before"
    REACHED = "reached"
    DONE = "done"
    CALMO = "calmo"
    #: What people add that belongs to no other part: lessons, actions to take.
    LESSONS = "lessons"


TITLE_OF_PART: Mapping[PartName, str] = {
    PartName.HAPPENED: "What happened, minute by minute",
    PartName.PAGED: "Who was paged, and when they answered",
    PartName.BEFORE: "What changed before",
    PartName.REACHED: "What it reached",
    PartName.DONE: "Who did what",
    PartName.CALMO: "What Calmo did, and why",
    PartName.LESSONS: "Lessons and actions",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the report says, and the ids of the events, log entries, changes or calls that say so.

    Texts from outside are in it: each rendering escapes them. `at` is when it happened.
    """

    text: str
    cites: tuple[str, ...]
    at: datetime | None = None

    def __post_init__(self) -> None:
        """Nothing is said without a source."""
        if not self.cites:
            raise ValueError("a sentence without a source")


@dataclass(frozen=True, slots=True)
class ReportAddition:
    """What a person added. It stays, whatever the report says at its next run."""

    id: int
    part: PartName
    author: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class LogFact:
    """An entry of PagerDuty's log. `people` are ids of those assigned or notified."""

    id: str
    kind: str
    at: datetime
    agent_id: str | None = None
    people: tuple[str, ...] = ()
    channel: str | None = None
    by_timeout: bool | None = None


@dataclass(frozen=True, slots=True)
class PostIncidentInput:
    """Everything that a report rests on. `names` are of people whom the reader may see, by PagerDuty's ids.

    `replay` is None for a reader who may not read deliveries. `log_until` is when the log was last read.
    """

    issue: Issue
    timeline: tuple[TimelineEntry, ...]
    operations: tuple[Operation, ...] = ()
    replay: IncidentReplay | None = None
    context: IncidentContext | None = None
    log: tuple[LogFact, ...] = ()
    log_until: datetime | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    additions: tuple[ReportAddition, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One part. `lacking` says what could not be seen, and how to mend it."""

    part: PartName
    sentences: tuple[Sentence, ...] = ()
    lacking: tuple[str, ...] = ()
    additions: tuple[ReportAddition, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A duration of the response, in seconds, or None if it has not ended; with its definition."""

    name: str
    seconds: float | None
    definition: str
    cites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PostIncidentReport:
    """The same input gives the same report, byte for byte: it has no time of its own."""

    issue: Issue
    figures: tuple[Figure, ...]
    parts: tuple[ReportPart, ...]
    sources: tuple[str, ...]

    @property
    def title(self) -> str:
        """The incident's number and title."""
        number = f"#{self.issue.number} " if self.issue.number is not None else ""
        return f"{number}{self.issue.title}"
