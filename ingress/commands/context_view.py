"""An incident's context as a responder reads it in a terminal, at night, in a hurry: what matters first."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from calmo_pagerduty.contexts import wording as words
from calmo_pagerduty.contexts.facts import Thing
from calmo_pagerduty.contexts.model import (
    Assessment,
    Candidate,
    Impact,
    IncidentContext,
    Reach,
    SimilarIncident,
    Surrounding,
)
from calmo_pagerduty.kernel.instants import instant_in_words
from calmo_pagerduty.kernel.markdown_text import on_one_line
from ingress.commands.context_plot import timeline_plot
from ingress.commands.issue_view import STATUS_STYLE

#: How many of each are shown; the document has all.
MOST = 5
LONGEST = 300
BAR = 30

View = Iterator[RenderableType]


def context_view(context: IncidentContext, width: int) -> Group:
    """Return the page for a window so many characters wide."""
    found = context.assessment
    began = found.incident.created_at
    sections: tuple[tuple[str, str, View], ...] = (
        ("Probable causes", words.CORRELATED, _causes(found)),
        ("Incidents like it", "", _similar(found, began)),
        ("Whom to involve", "", _people(found)),
        ("On call", "", _on_call(found, began)),
        ("Around it", "minutes before, closer ones drawn wider", timeline_plot(found, width - 2)),
        ("Dependencies", "", _dependencies(found.surrounding)),
        ("What people wrote", "", _notes(found)),
        ("What is lacking", "not known is not none", _lacking(context)),
    )
    parts: list[RenderableType] = [*_head(context, width)]
    for title, remark, body in sections:
        lines = list(body)
        if lines:
            parts += [
                Text(),
                Text.assemble((title, "bold underline"), (f"  {remark}", "dim")),
                *_in(2, lines),
            ]
    return Group(*parts)


def _head(context: IncidentContext, width: int) -> View:
    facts, impact = context.assessment.incident, context.assessment.impact
    number = f"#{facts.number}" if facts.number is not None else facts.incident.id
    yield Text.assemble((f"{number}  ", "bold"), (_text(facts.title.text), "bold"))
    known = [
        (facts.status, STATUS_STYLE.get(facts.status, "")),
        *(
            (part, "")
            for part in (facts.priority, f"{facts.urgency} urgency" if facts.urgency else None)
            if part
        ),
        *((words.name_of(thing), "") for thing in (facts.service, *facts.teams) if thing),
        (f"began {instant_in_words(facts.created_at)}", ""),
    ]
    line = Text()
    for place, (said, style) in enumerate(known):
        line.append(" · " if place else "", "dim").append(_text(said), style)
    yield line
    if facts.incident.url:
        yield Text(_text(facts.incident.url), style="dim", overflow="fold")
    yield Text()
    yield Text(_text(impact.words), style="bold")
    yield from _impact(impact, min(BAR, max(width - 16, 8)))


def _impact(impact: Impact, width: int) -> View:
    if impact.score is not None:
        full = round(impact.score / 100 * width)
        style = "red" if impact.score >= 75 else "yellow" if impact.score >= 50 else "green"
        yield Text.assemble(("█" * full, style), ("░" * (width - full), "dim"), f" {impact.score:.0f}/100")
    told = [
        f"{words.factor_words(contribution)} {contribution.points:.3g}/{contribution.weight:g}"
        for contribution in impact.contributions
        if contribution.points is not None
    ]
    unknown = [
        words.factor_words(contribution)
        for contribution in impact.contributions
        if contribution.points is None
    ]
    if told:
        yield Text(_text(" · ".join(told)), style="dim")
    if unknown:
        yield Text(_text(f"not known, so not counted: {', '.join(unknown)}"), style="dim")


def _causes(found: Assessment) -> View:
    cause = found.root_cause
    for place, candidate in enumerate(cause.candidates[:MOST], 1):
        yield Text.assemble(
            (f"{place}. ", "bold"), (_text(candidate.summary.text), "bold"), (f"  {candidate.kind}", "dim")
        )
        yield from _in(3, _why(candidate))
    if not cause.candidates:
        yield Text("No candidate.", style="bold")
    if cause.reason:
        yield Text(_text(cause.reason), style="dim")


def _why(candidate: Candidate) -> View:
    # That it isn't proven, the heading says for all.
    yield Text(_text(words.candidate_words(candidate).removesuffix(f"; {words.CORRELATED}")))
    if len(candidate.path) > 1:
        yield Text(_along(candidate.path), style="yellow")
    if candidate.pagerduty_reason:
        yield Text(f"PagerDuty relates it: {_text(candidate.pagerduty_reason)}", style="dim")
    if candidate.thing.url:
        yield Text(_text(candidate.thing.url), style="dim", overflow="fold")


def _similar(found: Assessment, began: datetime) -> View:
    if found.recurrence is not None:
        style = "bold yellow" if found.recurrence.is_flapping else "dim"
        yield Text(_text(words.recurrence_words(found.recurrence)), style=style)
    for similar, *same in _alike(found.similar)[:MOST]:
        yield Text.assemble(
            (_text(similar.title.text), "bold"),
            (f"  {_name(similar.incident)} on {_name(similar.service)}", "dim"),
        )
        yield from _in(3, _handling(similar, began))
        if same:
            names = ", ".join(_name(other.incident) for other in same)
            yield from _in(3, [Text(f"{len(same)} more, handled alike: {names}", style="dim")])
    if not found.similar:
        yield Text("None was found.")


def _alike(similar: Iterable[SimilarIncident]) -> list[list[SimilarIncident]]:
    """Put those together that one would read twice, the most alike first."""
    groups: dict[tuple[str, ...], list[SimilarIncident]] = {}
    for past in similar:
        resolution = past.resolution.text if past.resolution else ""
        who = sorted({handled.who.id for handled in past.handled if handled.did == "resolved"})
        groups.setdefault((past.title.text, past.service.id, resolution, *who), []).append(past)
    return list(groups.values())


def _handling(similar: SimilarIncident, began: datetime) -> View:
    yield Text(_text(words.similar_words(similar, began)))
    did: dict[str, list[str]] = {}
    for handled in similar.handled:
        did.setdefault(_name(handled.who), []).append(handled.did)
    if did:
        yield Text("; ".join(f"{who} {words.together(what)} it" for who, what in did.items()))
    if similar.resolution is not None:
        yield Text(f"“{_text(similar.resolution.text)}”", style="italic green")


def _people(found: Assessment) -> View:
    advice = found.recommendation
    for person in advice.people[:MOST]:
        yield Text.assemble((_name(person.who), "bold"), f"  {_text(words.person_words(person))}")
    if advice.people:
        yield Text(words.tested_words(advice), style="dim")
    else:
        yield Text(f"Nobody is named. {_text(advice.reason)}".strip(), style="dim")
    for misrouted in advice.misrouting:
        yield Text(_text(misrouted.advice), style="yellow")


def _on_call(found: Assessment, began: datetime) -> View:
    for on_call in found.on_call[:MOST]:
        style = "yellow" if on_call.is_asleep else ""
        yield Text.assemble(
            f"level {on_call.level}  ", (_name(on_call.who), "bold"),
            (f"  {_text(words.on_call_words(on_call, began))}", style),
        )  # fmt: skip


def _dependencies(around: Surrounding) -> View:
    rows = {
        "business": around.business, "depend on it": around.downstream, "it depends on": around.upstream,
    }  # fmt: skip
    for title, reached in rows.items():
        if reached:
            yield Text.assemble((f"{title}  ", "dim"), _reached(reached))
    if len(around.failing_path) > 1:
        yield Text.assemble(("failure came  ", "dim"), (_along(around.failing_path), "yellow"))
    for cycle in around.cycles[:MOST]:
        yield Text.assemble(("a circle  ", "dim"), _along(cycle))
    if not around.is_whole:
        yield Text("not everything was read: more may be reached", style="dim")


def _reached(reached: tuple[Reach, ...]) -> Text:
    line = Text()
    for place, reach in enumerate(reached[: 2 * MOST]):
        line.append(", " if place else "")
        line.append(_name(reach.thing), "bold red" if reach.has_open_incident else "")
        line.append(" (open incident)" if reach.has_open_incident else "")
    more = len(reached) - 2 * MOST
    return line.append(f" and {more} more" if more > 0 else "")


def _notes(found: Assessment) -> View:
    for note in found.notes[-MOST:]:
        who = _name(note.who) if note.who else "somebody"
        yield Text.assemble((f"{note.at:%H:%M} {who}  ", "dim"), _text(note.text.text))


def _lacking(context: IncidentContext) -> View:
    for report in words.lacking_sources(context.sources):
        yield Text.assemble(("✗ ", "yellow"), f"{_text(report.title)}: {_text(words.lacking_words(report))}")
    for omitted in context.assessment.omitted:
        yield Text.assemble(("… ", "dim"), _text(omitted))


def _in(spaces: int, lines: Iterable[RenderableType]) -> View:
    return (Padding(line, (0, 0, 0, spaces), expand=False) for line in lines)


def _along(path: tuple[Thing, ...]) -> str:
    return " → ".join(map(_name, path))


def _name(thing: Thing) -> str:
    return on_one_line(words.name_of(thing), 80)


def _text(text: str) -> str:
    return on_one_line(text, LONGEST)
