"""An incident's context as a note on the incident: a few lines, the most useful first. Pure."""

from collections.abc import Iterator

from calmo_pagerduty.contexts import wording as words
from calmo_pagerduty.contexts.facts import Thing
from calmo_pagerduty.contexts.model import Candidate, IncidentContext, SimilarIncident

#: By this line every reader, we too, knows where the note comes from.
MARK = "Calmo incident context"
MOST = 3
LONGEST = 2000
_LINE = 160


def note_text(context: IncidentContext) -> str:
    """Return the note's text. It says `correlated`, never `caused`, and what is lacking."""
    return "\n".join(_lines(context))[:LONGEST]


def _lines(context: IncidentContext) -> Iterator[str]:
    found = context.assessment
    yield f"{MARK}, version {context.version}"
    score = "not known" if found.impact.score is None else f"{found.impact.score:.0f} of 100"
    yield f"Impact: {score} ({_cut(found.impact.words)})"
    for candidate in found.root_cause.candidates[:MOST]:
        yield f"Correlated, not proven: {_candidate(candidate)}"
    if not found.root_cause.candidates and found.root_cause.reason:
        yield f"Correlated: none. {_cut(found.root_cause.reason)}"
    for similar in found.similar[:MOST]:
        yield f"Like this one: {_similar(similar)}"
    people = ", ".join(_name(person.who) for person in found.recommendation.people[:MOST])
    if people:
        yield f"May help: {people}"
    lacking = [source.title for source in words.lacking_sources(context.sources)]
    if lacking:
        yield f"Lacking: {_cut(', '.join(lacking))}"


def _candidate(candidate: Candidate) -> str:
    when, how_likely = words.lead(candidate.lead_seconds), words.chance_in_words(candidate.chance)
    return f"{candidate.kind} {_cut(candidate.summary.text)} ({when}, {how_likely})"


def _similar(similar: SimilarIncident) -> str:
    by = ", ".join(dict.fromkeys(_name(did.who) for did in similar.handled if did.did == "resolved"))
    told = f": {_cut(similar.resolution.text)}" if similar.resolution else ""
    who = f", resolved by {by}" if by else ""
    return f"{words.name_of(similar.incident)} {_cut(similar.title.text)}{who}{told}"


def _name(thing: Thing) -> str:
    return _cut(words.name_of(thing))


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LINE else f"{plain[: _LINE - 1]}…"
