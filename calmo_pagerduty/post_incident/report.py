"""Puts a post-incident report together from what is stored. Pure, and the same for the same input.

Definitions of the figures: PagerDuty's REST documentation, "Analytics", fields `seconds_to_first_ack` (from
the incident's creation to its first acknowledgement) and `seconds_to_resolve` (to its resolution).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.post_incident import calmo_part, context_parts, paging
from calmo_pagerduty.post_incident.model import (
    Figure,
    PartName,
    PostIncidentInput,
    PostIncidentReport,
    ReportPart,
    Sentence,
)
from calmo_pagerduty.post_incident.phrases import join_names, since_start


def make_report(given: PostIncidentInput) -> PostIncidentReport:
    """Return the report. Total."""
    parts = {
        PartName.HAPPENED: _happened(given),
        PartName.PAGED: paging.paged_part(given),
        PartName.BEFORE: context_parts.before_part(given),
        PartName.REACHED: context_parts.reached_part(given),
        PartName.DONE: _done(given),
        PartName.CALMO: calmo_part.calmo_part(given),
        PartName.LESSONS: ReportPart(PartName.LESSONS),
    }
    added = sorted(given.additions, key=lambda addition: addition.id)
    return PostIncidentReport(
        issue=given.issue,
        figures=_figures(given),
        parts=tuple(
            ReportPart(part, made.sentences, made.lacking, tuple(each for each in added if each.part is part))
            for part, made in parts.items()
        ),
        sources=tuple(_sources(given)),
    )


def _happened(given: PostIncidentInput) -> ReportPart:
    began = given.issue.created_at
    sentences = tuple(
        Sentence(
            f"{entry.summary} ({since_start(entry.occurred_at, began)}).", (_event(entry),), entry.occurred_at
        )
        for entry in given.timeline
    )
    return ReportPart(PartName.HAPPENED, sentences)


def _done(given: PostIncidentInput) -> ReportPart:
    """Return a sentence for each person: what they did, and when, in the order of their first deed."""
    deeds: dict[str, list[TimelineEntry]] = {}
    for entry in given.timeline:
        who = entry.author or _person(entry)
        if who is not None and entry.event_type != EventType.TRIGGERED:
            deeds.setdefault(who, []).append(entry)
    began = given.issue.created_at
    sentences = tuple(
        Sentence(
            f"{who}: "
            + join_names(f"{_deed(entry)} ({since_start(entry.occurred_at, began)})" for entry in entries)
            + ".",
            tuple(_event(entry) for entry in entries),
            entries[0].occurred_at,
        )
        for who, entries in deeds.items()
    )
    lacking = () if sentences else ("No event names a person who did something.",)
    return ReportPart(PartName.DONE, sentences, lacking)


def _person(entry: TimelineEntry) -> str | None:
    actor = entry.actor
    return (actor.name or actor.id) if actor is not None and actor.type.startswith("user") else None


def _deed(entry: TimelineEntry) -> str:
    through = " through Calmo" if entry.author else ""
    return entry.event_type.removeprefix("incident.").replace("_", " ").replace(".", " ") + through


def _event(entry: TimelineEntry) -> str:
    return f"event {entry.event_id}"


def _figures(given: PostIncidentInput) -> tuple[Figure, ...]:
    issue = given.issue
    return (
        Figure(
            "Time to acknowledge",
            _seconds(issue, issue.acknowledged_at),
            "from the incident's creation to its first acknowledgement",
            tuple(_cites(given.timeline, EventType.ACKNOWLEDGED, issue.acknowledged_at)),
        ),
        Figure(
            "Time to resolve",
            _seconds(issue, issue.resolved_at),
            "from the incident's creation to its latest resolution",
            tuple(_cites(given.timeline, EventType.RESOLVED, issue.resolved_at)),
        ),
    )


def _seconds(issue: Issue, at: datetime | None) -> float | None:
    return None if at is None else (at - issue.created_at).total_seconds()


def _cites(timeline: Sequence[TimelineEntry], event_type: str, at: datetime | None) -> Iterator[str]:
    for entry in timeline:
        if entry.event_type == event_type and entry.occurred_at == at:
            yield _event(entry)


def _sources(given: PostIncidentInput) -> Iterator[str]:
    yield f"{len(given.timeline)} entries of the timeline"
    if given.replay is not None:
        yield f"{len(given.replay.steps)} stored deliveries"
    if given.log:
        yield f"{len(given.log)} entries of PagerDuty's log"
    if given.context is not None:
        yield f"context version {given.context.version}"
    if given.operations:
        yield f"{len(given.operations)} actions from Calmo"
