"""What a drill is, and what it shows: whom PagerDuty paged beside whom the simulation said. Pure.

Times are epoch seconds (UTC).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from calmo_pagerduty.escalation.entities import service_entity, user_entity
from calmo_pagerduty.escalation.lint import inputs_of
from calmo_pagerduty.escalation.model import Outcome, Page, Simulation
from calmo_pagerduty.escalation.simulation import candidates_at, simulate_with
from calmo_pagerduty.escalation.simulation_report import OUTCOME_WORDS, person_name
from calmo_pagerduty.findings.model import (
    AnalysisResult,
    Confidence,
    Evidence,
    Finding,
    FindingSeverity,
    in_order,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.model import ContactKind, LogKind, LogRecord
from calmo_pagerduty.snapshots.on_call import OnCallIndex

ANALYSIS = "escalation_drill"
VERSION = 1
TITLE = "Escalation drill by Calmo: no action needed, it resolves itself"
MINUTE = 60
#: PagerDuty's notifications may come this much later or earlier than they are due.
TOLERANCE = 90
#: After so many seconds beyond the watching, an open drill is ended.
GRACE_SECONDS = 300


class DrillState(StrEnum):
    #: The call that opens the incident is filed; a person may have to approve it.
    OPENING = "opening"
    #: The incident is open, and watched.
    WATCHING = "watching"
    #: It is over, and the incident is resolved.
    DONE = "done"
    #: It is over, and the incident may still be open: a person must look.
    UNRESOLVED = "unresolved"
    #: Somebody cancelled it, and the incident is resolved or was never created.
    CANCELLED = "cancelled"
    #: It was not held: it is not allowed, or its incident was not created. Nobody was paged.
    REFUSED = "refused"


OPEN_STATES = frozenset({DrillState.OPENING, DrillState.WATCHING})


class DrillStep(StrEnum):
    """The writes of a drill, each a tool call."""

    OPEN = "open"
    ESCALATE = "escalate"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the incident's log says: from its start until `until`, which is when watching ended."""

    opened_at: int
    until: int
    records: tuple[LogRecord, ...]
    #: When the log says that the drill escalated and acknowledged; None if it doesn't say so.
    escalated_at: int | None = None
    acknowledged_at: int | None = None
    #: The drill's own acknowledgement succeeded, so the log must show it.
    was_acknowledged: bool = False


class PageVerdict(StrEnum):
    """How a page that was simulated and a notification that was sent go together."""

    #: Both are there, at the same time and by the same channel.
    AS_SIMULATED = "as_simulated"
    #: Simulated, due while the drill was watched, and not sent.
    MISSING = "missing"
    #: Sent, and not simulated.
    UNEXPECTED = "unexpected"
    #: Simulated for later than the drill was watched, or for another of round robin's people.
    NOT_DUE = "not_due"


@dataclass(frozen=True, slots=True)
class DrillPage:
    """A page of a person. `expected_at` is when the simulation has it, `seen_at` when PagerDuty sent it."""

    verdict: PageVerdict
    user_id: str
    channel: ContactKind | None
    level: int | None
    expected_at: int | None
    seen_at: int | None


@dataclass(frozen=True, slots=True)
class DrillReport:
    """`differences` are sentences; empty if PagerDuty did what the simulation said."""

    simulation: Simulation
    #: Whom the simulation and PagerDuty paged, in order of time.
    pages: tuple[DrillPage, ...]
    differences: tuple[str, ...]

    @property
    def expected(self) -> int:
        """How many pages were due while the drill was watched, and sent or not."""
        return sum(page.verdict in {PageVerdict.AS_SIMULATED, PageVerdict.MISSING} for page in self.pages)

    @property
    def paged(self) -> int:
        return sum(page.seen_at is not None for page in self.pages)


def judge_drill(index: OnCallIndex, service_id: str, observed: Observed) -> DrillReport:
    """Compare what was seen with the simulation of the same moment. Raises NoSuchService."""
    simulation = simulate_with(index, service_id, observed.opened_at)
    stopped = min(filter(None, (observed.until, observed.escalated_at, observed.acknowledged_at)))
    pages = _compare_pages(simulation, observed, stopped)
    differences = [*_outcome_difference(simulation), *_page_differences(index, simulation, pages)]
    if observed.escalated_at is not None:
        differences += _escalation_difference(index, simulation, observed, observed.escalated_at)
    if observed.was_acknowledged and observed.acknowledged_at is None:
        differences.append("The acknowledgement does not show in the incident's log.")
    return DrillReport(simulation, pages, tuple(differences))


def drill_result(
    index: OnCallIndex, drill_id: str, service_id: str, report: DrillReport, now: int, is_resolved: bool
) -> AnalysisResult:
    """Return the drill as the result of an analysis: a finding if PagerDuty did otherwise than simulated.

    Each drilled service is an analysis of its own: its next drill resolves its findings, and no other's.
    """
    findings = [_difference(index, drill_id, service_id, report)] if report.differences else []
    if not is_resolved:
        findings.append(_unresolved(index, drill_id, service_id))
    return AnalysisResult(
        analysis=f"{ANALYSIS}:{service_id}",
        version=VERSION,
        snapshot_id=index.snapshot.id,
        now=now,
        window=Span(report.simulation.at, now),
        time_zone=index.snapshot.time_zone or "Etc/UTC",
        # What a drill saw is conclusive, whatever the snapshot lacks.
        inputs=replace(inputs_of(index.snapshot), conclusive_codes=("drill_differs", "drill_unresolved")),
        metrics=report_document(index, drill_id, report),
        findings=in_order(findings),
    )


def report_document(
    index: OnCallIndex, drill_id: str, report: DrillReport, is_final: bool = True
) -> JsonObject:
    """Return the report as JSON. Its differences and pages name people.

    Minutes count from the incident's start. `is_final`: the drill is over, and no page can come any more.
    """

    def minutes(at: int | None) -> float | None:
        return None if at is None else round((at - report.simulation.at) / MINUTE, 2)

    return {
        "drill_id": drill_id,
        "is_final": is_final,
        "expected_pages": report.expected,
        "seen_pages": report.paged,
        "outcome": str(report.simulation.outcome),
        "differences": list(report.differences),
        "pages": [
            {
                "verdict": str(page.verdict),
                "person": {"id": page.user_id, "name": person_name(index, page.user_id)},
                "channel": None if page.channel is None else str(page.channel),
                "level": page.level,
                "expected_after_minutes": minutes(page.expected_at),
                "seen_after_minutes": minutes(page.seen_at),
            }
            for page in report.pages
        ],
    }


def _outcome_difference(simulation: Simulation) -> list[str]:
    if simulation.assignments or simulation.outcome is Outcome.UNKNOWN:
        return []
    return [f"PagerDuty created the incident. The simulation said: {OUTCOME_WORDS[simulation.outcome]}"]


def _compare_pages(simulation: Simulation, observed: Observed, stopped: int) -> tuple[DrillPage, ...]:
    """Match each simulated page with a notification, and keep what is left on either side.

    A page is missing if it was due before `stopped`. A notification of the second in which the drill
    escalated may be the next level's.
    """
    left = [
        record
        for record in observed.records
        if record.kind is LogKind.NOTIFY and record.at <= stopped and record.user_ids
    ]
    found: list[DrillPage] = []
    unmatched: list[Page] = []
    chosen = set()
    for page in simulation.pages:
        record = next((record for record in left if _matches(page, record)), None)
        if record is None:
            unmatched.append(page)
            continue
        left.remove(record)
        chosen.add((page.level, page.pass_number))
        found.append(_compared(PageVerdict.AS_SIMULATED, page, record.at))
    for page in unmatched:
        # Of round robin's people only some are paged.
        is_other = page.is_one_of and (page.level, page.pass_number) in chosen
        is_due = page.at <= stopped - TOLERANCE and not is_other
        found.append(_compared(PageVerdict.MISSING if is_due else PageVerdict.NOT_DUE, page, None))
    found += [
        DrillPage(PageVerdict.UNEXPECTED, record.user_ids[0], record.channel, None, None, record.at)
        for record in left
        if record.at < stopped
    ]
    return tuple(sorted(found, key=_when))


def _compared(verdict: PageVerdict, page: Page, seen_at: int | None) -> DrillPage:
    return DrillPage(verdict, page.user_id, page.channel, page.level, page.at, seen_at)


def _when(page: DrillPage) -> tuple[int, str]:
    at = page.seen_at if page.expected_at is None else page.expected_at
    return at or 0, page.user_id


def _page_differences(
    index: OnCallIndex, simulation: Simulation, pages: tuple[DrillPage, ...]
) -> Iterator[str]:
    if simulation.outcome is Outcome.UNKNOWN:
        return
    for page in pages:
        who = person_name(index, page.user_id)
        if page.verdict is PageVerdict.MISSING and page.expected_at is not None:
            yield (
                f"{who} was not paged by {page.channel or 'any channel'}"
                f" {_after(simulation, page.expected_at)}, on level {page.level}."
            )
        elif page.verdict is PageVerdict.UNEXPECTED and page.seen_at is not None:
            yield (
                f"{who} was paged by {page.channel or 'some channel'}"
                f" {_after(simulation, page.seen_at)}, and the simulation said nothing of it."
            )


def _matches(page: Page, record: LogRecord) -> bool:
    return (
        page.user_id in record.user_ids
        and abs(page.at - record.at) <= TOLERANCE
        and (page.channel is None or record.channel is None or page.channel is record.channel)
    )


def _escalation_difference(
    index: OnCallIndex, simulation: Simulation, observed: Observed, escalated_at: int
) -> list[str]:
    policy = index.policies.get(simulation.policy_id or "")
    present = [step for step in simulation.assignments if step.at <= escalated_at - TOLERANCE]
    if policy is None or not present:
        return []
    expected: set[str] = set()
    for rule in policy.rules[present[-1].level :]:
        candidates = candidates_at(index, rule, escalated_at)
        if candidates is None:
            return []
        if candidates:
            expected = {user_id for group in candidates for user_id in group}
            break
    assigned = {
        user_id
        for record in observed.records
        if record.kind in {LogKind.ESCALATE, LogKind.ASSIGN} and record.at >= escalated_at - TOLERANCE
        for user_id in record.user_ids
    }
    if not expected or (assigned and assigned <= expected):
        return []
    names = ", ".join(sorted(person_name(index, user_id) for user_id in expected))
    actual = ", ".join(sorted(person_name(index, user_id) for user_id in assigned)) or "nobody"
    return [f"The escalation was to reach {names}, and reached {actual}."]


def _after(simulation: Simulation, at: int) -> str:
    return f"after {round((at - simulation.at) / MINUTE)} min"


def _difference(index: OnCallIndex, drill_id: str, service_id: str, report: DrillReport) -> Finding:
    service = index.services[service_id]
    people = sorted({user_id for step in report.simulation.assignments for user_id in step.user_ids})
    return Finding(
        code="drill_differs",
        key=service_id,
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        title=f"{service.name}: the drill did not go as the configuration says",
        entities=(service_entity(service), *(user_entity(index, user_id) for user_id in people)),
        evidence=tuple(
            Evidence(sentence, {"drill_id": drill_id, "snapshot_id": index.snapshot.id})
            for sentence in report.differences
        ),
        recommendation="Compare the snapshot's time with recent changes; then look at the notification"
        " rules and"
        " contact methods of the people named, and at the policy's levels.",
        expected_effect="A real incident reaches the people that the configuration names.",
        how_to_verify="Hold another drill: `calmo-pagerduty escalation drill`.",
        how_to_undo="A drill changes nothing: its incident is resolved.",
        about_persons=bool(people),
    )


def _unresolved(index: OnCallIndex, drill_id: str, service_id: str) -> Finding:
    service = index.services[service_id]
    return Finding(
        code="drill_unresolved",
        key=service_id,
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        title=f"{service.name}: the drill's incident may still be open",
        entities=(service_entity(service),),
        evidence=(Evidence("PagerDuty did not confirm that it is resolved.", {"drill_id": drill_id}),),
        recommendation="Resolve the incident in PagerDuty. Its title says that it is a drill.",
        expected_effect="Nobody is paged for the drill any more.",
        how_to_verify="The service has no open incident with the drill's title.",
        how_to_undo="Nothing to undo.",
    )
