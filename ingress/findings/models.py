"""API models of findings."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.findings.lifecycle import FindingEvent, FindingEventKind, FindingState, StoredFinding
from calmo_pagerduty.findings.model import Confidence, FindingSeverity
from calmo_pagerduty.findings.persons import evidence_for, finding_for, is_shown
from calmo_pagerduty.findings.queries import FindingFilter, FindingPosition
from calmo_pagerduty.incidents.queries import InvalidCursor
from ingress.api.models import Cursor, Model, Word

MAX_REASON = 1000
Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]


class FindingEntityModel(Model):
    """An object of PagerDuty's. `kind`: service, policy, schedule, user, team, incident …"""

    kind: str
    id: str
    name: str
    html_url: str | None


class FindingEvidenceModel(Model):
    """A figure or ids that prove the finding, in words and as data."""

    words: str
    data: dict[str, Any]


class InboxFindingModel(Model):
    """A finding in the inbox. Times are UTC.

    If `is_hidden`, it is about a person whom this key may not see: names and figures are left out.
    """

    id: int
    connection_id: str
    analysis: str
    code: str
    state: FindingState
    severity: FindingSeverity
    confidence: Confidence
    title: str
    entities: list[FindingEntityModel]
    evidence: list[FindingEvidenceModel]
    recommendation: str
    expected_effect: str
    how_to_verify: str
    how_to_undo: str
    #: When it matters, if that is a time.
    starts_at: datetime | None
    ends_at: datetime | None
    #: Incidents that nobody would be paged for; null if unknown.
    expected_dropped_incidents: float | None
    about_persons: bool
    is_hidden: bool
    #: Whether the newest conclusive run found it.
    is_present: bool
    first_seen_at: datetime
    last_seen_at: datetime
    changed_at: datetime
    #: Who accepted or dismissed it, and why.
    decided_by: str | None
    reason: str | None
    #: The issue that it opened.
    issue_id: str | None


class FindingEventModel(Model):
    """A line of a finding's history, with the evidence of that time. `author` is null for an analysis."""

    id: int
    at: datetime
    kind: FindingEventKind
    state: FindingState
    severity: FindingSeverity
    author: str | None
    reason: str | None
    evidence: list[FindingEvidenceModel]


class FindingWithHistoryModel(InboxFindingModel):
    #: Oldest first.
    history: list[FindingEventModel]


class FindingPageModel(Model):
    """The worst first: by severity, then by expected dropped incidents, then the oldest."""

    findings: list[InboxFindingModel]
    next_cursor: str | None


class FindingListQuery(Model):
    """Filters of the list. A repeated parameter means any of its values."""

    state: Annotated[list[FindingState], Field(default=[])]
    severity: Annotated[list[FindingSeverity], Field(default=[])]
    code: Annotated[list[Word], Field(default=[])]
    analysis: Annotated[list[Word], Field(default=[])]
    connection: Annotated[list[Word], Field(default=[])]
    #: The id of a service, a policy, a schedule, a team or a user.
    entity: Annotated[list[Word], Field(default=[])]
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor = None

    def filter(self) -> FindingFilter:
        return FindingFilter(
            states=tuple(self.state),
            severities=tuple(self.severity),
            codes=tuple(self.code),
            analyses=tuple(self.analysis),
            connections=tuple(self.connection),
            entities=tuple(self.entity),
        )

    def position(self) -> FindingPosition | None:
        """Return where the page begins. Raises InvalidCursor."""
        return None if self.cursor is None else decode_position(self.cursor)


class AcceptBody(Model):
    """Somebody takes care of it."""

    reason: Reason | None = None


class DismissBody(Model):
    """Why it needs no care. It stays dismissed unless it gets worse."""

    reason: Reason


def encode_position(position: FindingPosition | None) -> str | None:
    """Return the cursor of the page that begins there."""
    if position is None:
        return None
    text = json.dumps([position.severity_rank, position.expected_dropped, position.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_position(cursor: str) -> FindingPosition:
    """Raises InvalidCursor."""
    try:
        padded = cursor[:200] + "=" * (-len(cursor[:200]) % 4)
        rank, dropped, number = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        position = FindingPosition(int(rank), float(dropped), int(number))
        if not (0 <= position.severity_rank < 100 and 0 <= position.id < 2**62):
            raise ValueError
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidCursor("cursor: this is not one that we gave") from error
    return position


def inbox_finding(stored: StoredFinding, persons: PersonVisibility) -> InboxFindingModel:
    return InboxFindingModel.from_row(stored, **_computed(stored, persons))


def finding_with_history(
    stored: StoredFinding, events: Sequence[FindingEvent], persons: PersonVisibility
) -> FindingWithHistoryModel:
    history = [_event(stored, event, persons) for event in events]
    return FindingWithHistoryModel.from_row(stored, **_computed(stored, persons), history=history)


#: Fields that the finding itself and its model have with the same name and value.
_OWN_FIELDS = (
    "code", "severity", "confidence", "title", "recommendation", "expected_effect", "how_to_verify",
    "how_to_undo", "expected_dropped_incidents", "about_persons",
)  # fmt: skip


def _computed(stored: StoredFinding, persons: PersonVisibility) -> dict[str, object]:
    finding, shown = finding_for(stored.finding, persons), is_shown(stored.finding, persons)
    return {name: getattr(finding, name) for name in _OWN_FIELDS} | {
        "entities": [FindingEntityModel.from_row(entity) for entity in finding.entities],
        "evidence": [FindingEvidenceModel.from_row(evidence) for evidence in finding.evidence],
        "starts_at": None if finding.at is None else _instant(finding.at.start),
        "ends_at": None if finding.at is None else _instant(finding.at.end),
        "is_hidden": not shown,
        # A reason is free text, and may name the person.
        "reason": stored.reason if shown else None,
    }


def _event(stored: StoredFinding, event: FindingEvent, persons: PersonVisibility) -> FindingEventModel:
    evidence = evidence_for(stored.finding, event.evidence, persons)
    reason = event.reason if is_shown(stored.finding, persons) or event.author is None else None
    return FindingEventModel.from_row(event, reason=reason, evidence=evidence)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
