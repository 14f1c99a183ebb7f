"""The weekly digest: what is new, what got worse, which gaps lie ahead, what was mended. Pure.

It is silent when nothing is wrong. Each line carries its figures and says how to verify it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.findings.lifecycle import (
    OPEN_STATES,
    FindingEvent,
    FindingEventKind,
    FindingState,
    StoredFinding,
    severity_rank,
)
from calmo_pagerduty.findings.model import AnalysisResult, Finding, FindingSeverity
from calmo_pagerduty.findings.persons import finding_for, is_shown

WEEK = 7 * 24 * 3600
#: An analysis that has not run for so long says nothing about the present.
STALE_AFTER = 2 * 24 * 3600


class DigestPart(StrEnum):
    """The parts of a digest, in order. A finding stands in the first that fits."""

    GAPS = "gaps"
    NEXT_WEEK = "next_week"
    NEW = "new"
    WORSENED = "worsened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class DigestLine:
    """One finding. `news` is what happened to it in this time: found, returned, worsened or resolved."""

    part: DigestPart
    finding_id: int
    analysis: str
    state: FindingState
    finding: Finding
    news: FindingEventKind | None = None
    reason: str | None = None
    issue_id: str | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """What happened from `since` until `until` (epoch seconds), and what lies ahead.

    `limits` say what the analyses could not see, or that they didn't run.
    """

    connection_id: str
    connection_name: str
    since: int
    until: int
    #: IANA's name of the account's zone, for times in texts.
    time_zone: str
    lines: tuple[DigestLine, ...]
    #: Findings that wait for somebody or for being mended, whether they are told here or not.
    open_count: int
    limits: tuple[str, ...]
    #: True if an analysis didn't run lately: then silence would promise what nobody checked.
    is_stale: bool = False

    @property
    def is_silent(self) -> bool:
        """Nothing is wrong: no gap, nothing ahead, nothing new, nothing worse; and it was checked."""
        return not self.is_stale and all(line.part is DigestPart.RESOLVED for line in self.lines)

    def part(self, part: DigestPart) -> tuple[DigestLine, ...]:
        return tuple(line for line in self.lines if line.part is part)


@dataclass(frozen=True, slots=True)
class DigestInputs:
    """What a digest is made of: findings with their history, and the newest result of each analysis."""

    connection_id: str
    connection_name: str
    time_zone: str
    findings: Sequence[StoredFinding]
    events: Mapping[int, Sequence[FindingEvent]]
    results: Sequence[AnalysisResult]


def make_digest(inputs: DigestInputs, since: int, until: int) -> Digest:
    """Return the digest of a time. The same inputs give the same digest."""
    lines = [
        line
        for stored in inputs.findings
        if (line := _line(stored, inputs.events.get(stored.id, ()), since, until)) is not None
    ]
    newest = max((result.now for result in inputs.results), default=None)
    return Digest(
        connection_id=inputs.connection_id,
        connection_name=inputs.connection_name,
        since=since,
        until=until,
        time_zone=inputs.time_zone,
        lines=tuple(sorted(lines, key=_rank)),
        open_count=sum(stored.state in OPEN_STATES for stored in inputs.findings),
        limits=tuple(_limits(inputs.results, newest, until)),
        is_stale=newest is None or until - newest > STALE_AFTER,
    )


def digest_for(digest: Digest, persons: PersonVisibility) -> Digest:
    """Return the digest as this reader may see it."""
    lines = (
        line
        if is_shown(line.finding, persons)
        else replace(line, finding=finding_for(line.finding, persons), reason=None, is_hidden=True)
        for line in digest.lines
    )
    return replace(digest, lines=tuple(lines))


def _line(stored: StoredFinding, events: Sequence[FindingEvent], since: int, until: int) -> DigestLine | None:
    happened = [event for event in events if since <= event.at.timestamp() < until]
    part, news = _part(stored, happened, until)
    if part is None:
        return None
    return DigestLine(
        part=part,
        finding_id=stored.id,
        analysis=stored.analysis,
        state=stored.state,
        finding=stored.finding,
        news=None if news is None else news.kind,
        reason=None if news is None else news.reason,
        issue_id=stored.issue_id,
    )


_WORSE = (FindingEventKind.WORSENED, FindingEventKind.RETURNED)


def _part(
    stored: StoredFinding, happened: Sequence[FindingEvent], until: int
) -> tuple[DigestPart | None, FindingEvent | None]:
    finding = stored.finding
    if stored.state is FindingState.RESOLVED:
        resolved = _last(happened, (FindingEventKind.RESOLVED,))
        return (None if resolved is None else DigestPart.RESOLVED), resolved
    if stored.state not in OPEN_STATES or finding.severity is FindingSeverity.INFO:
        return None, None
    worse, found = _last(happened, _WORSE), _last(happened, (FindingEventKind.FOUND,))
    news = worse or found
    drops = finding.opens_issue or finding.expected_dropped_incidents is not None
    if drops and (finding.at is None or finding.at.end > until):
        return DigestPart.GAPS, news
    if finding.at is not None and until <= finding.at.start < until + WEEK:
        return DigestPart.NEXT_WEEK, news
    if worse is not None:
        return DigestPart.WORSENED, worse
    return (None if found is None else DigestPart.NEW), found


def _last(events: Sequence[FindingEvent], kinds: tuple[FindingEventKind, ...]) -> FindingEvent | None:
    return next((event for event in reversed(events) if event.kind in kinds), None)


def _rank(line: DigestLine) -> tuple[int, float, int, int, int]:
    """Order by part; gaps by expected dropped incidents, what lies ahead by time, all else by severity."""
    finding, part = line.finding, line.part
    dropped = -(finding.expected_dropped_incidents or 0.0) if part is DigestPart.GAPS else 0.0
    starts = finding.at.start if finding.at is not None and part is DigestPart.NEXT_WEEK else 0
    return tuple(DigestPart).index(part), dropped, starts, severity_rank(finding.severity), line.finding_id


def _limits(results: Iterable[AnalysisResult], newest: int | None, until: int) -> Iterable[str]:
    if newest is None:
        yield "no analysis has run yet"
    for result in results:
        age = until - result.now
        if age > STALE_AFTER:
            yield f"{result.analysis}: last run {age // 86400} days before this digest"
        if result.inputs.truncated:
            yield f"{result.analysis}: incomplete data: {', '.join(result.inputs.truncated)}"
        if result.inputs.missing_permissions:
            yield f"{result.analysis}: not readable: {', '.join(result.inputs.missing_permissions)}"


def instant_seconds(moment: datetime) -> int:
    """Return epoch seconds, cut to whole seconds."""
    return int(moment.timestamp())
