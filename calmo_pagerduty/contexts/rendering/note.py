"""Render an incident's context as a note on the incident: a few lines, the most useful first. Pure."""

from collections.abc import Iterator

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import Candidate, IncidentContext, SimilarIncident
from calmo_pagerduty.contexts.rendering import wording

#: Readers, and our own code, recognise the note by this line.
NOTE_MARKER = "Calmo incident context"
MAX_ITEMS = 3
MAX_NOTE_LENGTH = 2000
_MAX_LINE_LENGTH = 160


def note_text(context: IncidentContext) -> str:
    """Return the note's text, at most MAX_NOTE_LENGTH characters.

    It says `correlated`, never `caused`, and lists what is missing.
    """
    return "\n".join(_lines(context))[:MAX_NOTE_LENGTH]


def _lines(context: IncidentContext) -> Iterator[str]:
    assessment = context.assessment
    yield f"{NOTE_MARKER}, version {context.version}"
    score = "not known" if assessment.impact.score is None else f"{assessment.impact.score:.0f} of 100"
    yield f"Impact: {score} ({_truncate(assessment.impact.words)})"
    for candidate in assessment.root_cause.candidates[:MAX_ITEMS]:
        yield f"Correlated, not proven: {_candidate(candidate)}"
    if not assessment.root_cause.candidates and assessment.root_cause.reason:
        yield f"Correlated: none. {_truncate(assessment.root_cause.reason)}"
    for similar in assessment.similar[:MAX_ITEMS]:
        yield f"Like this one: {_similar(similar)}"
    people = ", ".join(_entity_name(person.who) for person in assessment.recommendation.people[:MAX_ITEMS])
    if people:
        yield f"May help: {people}"
    lacking = [source.title for source in wording.degraded_sources(context.sources)]
    if lacking:
        yield f"Lacking: {_truncate(', '.join(lacking))}"


def _candidate(candidate: Candidate) -> str:
    when, how_likely = (
        wording.format_lead_time(candidate.lead_seconds),
        wording.format_chance(candidate.chance),
    )
    return f"{candidate.kind} {_truncate(candidate.summary.text)} ({when}, {how_likely})"


def _similar(similar: SimilarIncident) -> str:
    by = ", ".join(
        dict.fromkeys(_entity_name(action.who) for action in similar.handled if action.did == "resolved")
    )
    resolution = f": {_truncate(similar.resolution.text)}" if similar.resolution else ""
    resolved_by = f", resolved by {by}" if by else ""
    return f"{wording.entity_name(similar.incident)} {_truncate(similar.title.text)}{resolved_by}{resolution}"


def _entity_name(entity: EntityRef) -> str:
    return _truncate(wording.entity_name(entity))


def _truncate(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _MAX_LINE_LENGTH else f"{plain[: _MAX_LINE_LENGTH - 1]}…"
