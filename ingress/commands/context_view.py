"""Show an incident's context in a terminal, with the most important parts first."""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import (
    Assessment,
    Candidate,
    DependencyNode,
    DependencyView,
    Impact,
    IncidentContext,
    SimilarIncident,
)
from calmo_pagerduty.contexts.rendering import wording
from calmo_pagerduty.kernel.instants import format_instant
from calmo_pagerduty.kernel.markdown_text import single_line
from ingress.commands.console import new_console
from ingress.commands.context_plot import timeline_plot
from ingress.commands.issue_view import STATUS_STYLE

#: At most this many rows per section. The document has all.
MAX_ROWS = 5
MAX_TEXT_LENGTH = 300
BAR_WIDTH = 30

#: Longer lines are hard to read.
MAX_PAGE_WIDTH = 110

View = Iterator[RenderableType]


def print_context(document: Mapping[str, Any]) -> None:
    """Write the REST API's document to standard output, as wide as the terminal is."""
    console = new_console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = MAX_PAGE_WIDTH
    width = min(console.width, MAX_PAGE_WIDTH)
    console.print(context_view(IncidentContext.model_validate(document), width), width=width)


def context_view(context: IncidentContext, width: int) -> Group:
    """Return the page for a window of `width` characters."""
    assessment = context.assessment
    began = assessment.incident.created_at
    sections: tuple[tuple[str, str, View], ...] = (
        ("Probable causes", wording.CORRELATED, _causes(assessment)),
        ("Incidents like it", "", _similar(assessment, began)),
        ("Whom to involve", "", _people(assessment)),
        ("On call", "", _on_call(assessment, began)),
        ("Around it", "minutes before, closer ones drawn wider", timeline_plot(assessment, width - 2)),
        ("Dependencies", "", _dependencies(assessment.surrounding)),
        ("What people wrote", "", _notes(assessment)),
        ("What is lacking", "not known is not none", _degraded_sources(context)),
    )
    parts: list[RenderableType] = [*_head(context, width)]
    for title, remark, body in sections:
        lines = list(body)
        if lines:
            parts += [
                Text(),
                Text.assemble((title, "bold underline"), (f"  {remark}", "dim")),
                *_indent(2, lines),
            ]
    return Group(*parts)


def _head(context: IncidentContext, width: int) -> View:
    facts, impact = context.assessment.incident, context.assessment.impact
    number = f"#{facts.number}" if facts.number is not None else facts.incident.id
    yield Text.assemble((f"{number}  ", "bold"), (_text(facts.title.text), "bold"))
    fields = [
        (facts.status, STATUS_STYLE.get(facts.status, "")),
        *(
            (part, "")
            for part in (facts.priority, f"{facts.urgency} urgency" if facts.urgency else None)
            if part
        ),
        *((wording.entity_name(thing), "") for thing in (facts.service, *facts.teams) if thing),
        (f"began {format_instant(facts.created_at)}", ""),
    ]
    line = Text()
    for place, (text, style) in enumerate(fields):
        line.append(" · " if place else "", "dim").append(_text(text), style)
    yield line
    if facts.incident.url:
        yield Text(_text(facts.incident.url), style="dim", overflow="fold")
    yield Text()
    yield Text(_text(impact.words), style="bold")
    yield from _impact(impact, min(BAR_WIDTH, max(width - 16, 8)))


def _impact(impact: Impact, width: int) -> View:
    if impact.score is not None:
        full = round(impact.score / 100 * width)
        style = "red" if impact.score >= 75 else "yellow" if impact.score >= 50 else "green"
        yield Text.assemble(("█" * full, style), ("░" * (width - full), "dim"), f" {impact.score:.0f}/100")
    counted = [
        f"{wording.factor_label(contribution)} {contribution.points:.3g}/{contribution.weight:g}"
        for contribution in impact.contributions
        if contribution.points is not None
    ]
    unknown = [
        wording.factor_label(contribution)
        for contribution in impact.contributions
        if contribution.points is None
    ]
    if counted:
        yield Text(_text(" · ".join(counted)), style="dim")
    if unknown:
        yield Text(_text(f"not known, so not counted: {', '.join(unknown)}"), style="dim")


def _causes(assessment: Assessment) -> View:
    cause = assessment.root_cause
    for place, candidate in enumerate(cause.candidates[:MAX_ROWS], 1):
        yield Text.assemble(
            (f"{place}. ", "bold"), (_text(candidate.summary.text), "bold"), (f"  {candidate.kind}", "dim")
        )
        yield from _indent(3, _candidate_details(candidate))
    if not cause.candidates:
        yield Text("No candidate.", style="bold")
    if cause.reason:
        yield Text(_text(cause.reason), style="dim")


def _candidate_details(candidate: Candidate) -> View:
    # The heading says for all candidates that correlation proves nothing.
    yield Text(_text(wording.candidate_text(candidate).removesuffix(f"; {wording.CORRELATED}")))
    if len(candidate.path) > 1:
        yield Text(_path_text(candidate.path), style="yellow")
    if candidate.pagerduty_reason:
        yield Text(f"PagerDuty relates it: {_text(candidate.pagerduty_reason)}", style="dim")
    if candidate.thing.url:
        yield Text(_text(candidate.thing.url), style="dim", overflow="fold")


def _similar(assessment: Assessment, began: datetime) -> View:
    if assessment.recurrence is not None:
        style = "bold yellow" if assessment.recurrence.is_flapping else "dim"
        yield Text(_text(wording.recurrence_text(assessment.recurrence)), style=style)
    for similar, *same in _group_similar(assessment.similar)[:MAX_ROWS]:
        yield Text.assemble(
            (_text(similar.title.text), "bold"),
            (f"  {_entity_name(similar.incident)} on {_entity_name(similar.service)}", "dim"),
        )
        yield from _indent(3, _handling(similar, began))
        if same:
            names = ", ".join(_entity_name(other.incident) for other in same)
            yield from _indent(3, [Text(f"{len(same)} more, handled alike: {names}", style="dim")])
    if not assessment.similar:
        yield Text("None was found.")


def _group_similar(similar: Iterable[SimilarIncident]) -> list[list[SimilarIncident]]:
    """Group incidents that would read the same, the most similar first."""
    groups: dict[tuple[str, ...], list[SimilarIncident]] = {}
    for past in similar:
        resolution = past.resolution.text if past.resolution else ""
        resolvers = sorted({handled.who.id for handled in past.handled if handled.did == "resolved"})
        groups.setdefault((past.title.text, past.service.id, resolution, *resolvers), []).append(past)
    return list(groups.values())


def _handling(similar: SimilarIncident, began: datetime) -> View:
    yield Text(_text(wording.similarity_text(similar, began)))
    did: dict[str, list[str]] = {}
    for handled in similar.handled:
        did.setdefault(_entity_name(handled.who), []).append(handled.did)
    if did:
        yield Text("; ".join(f"{who} {wording.join_phrases(what)} it" for who, what in did.items()))
    if similar.resolution is not None:
        yield Text(f"“{_text(similar.resolution.text)}”", style="italic green")


def _people(assessment: Assessment) -> View:
    advice = assessment.recommendation
    for person in advice.people[:MAX_ROWS]:
        yield Text.assemble((_entity_name(person.who), "bold"), f"  {_text(wording.person_text(person))}")
    if advice.people:
        yield Text(wording.backtest_text(advice), style="dim")
    else:
        yield Text(f"Nobody is named. {_text(advice.reason)}".strip(), style="dim")
    for misrouted in advice.misrouting:
        yield Text(_text(misrouted.advice), style="yellow")


def _on_call(assessment: Assessment, began: datetime) -> View:
    for on_call in assessment.on_call[:MAX_ROWS]:
        style = "yellow" if on_call.is_asleep else ""
        yield Text.assemble(
            f"level {on_call.level}  ",
            (_entity_name(on_call.who), "bold"),
            (f"  {_text(wording.on_call_text(on_call, began))}", style),
        )


def _dependencies(view: DependencyView) -> View:
    rows = {
        "business": view.business,
        "depend on it": view.downstream,
        "it depends on": view.upstream,
    }
    for title, reached in rows.items():
        if reached:
            yield Text.assemble((f"{title}  ", "dim"), _dependency_names(reached))
    if len(view.failing_path) > 1:
        yield Text.assemble(("failure came  ", "dim"), (_path_text(view.failing_path), "yellow"))
    for cycle in view.cycles[:MAX_ROWS]:
        yield Text.assemble(("a circle  ", "dim"), _path_text(cycle))
    if not view.is_whole:
        yield Text("not everything was read: more may be reached", style="dim")


def _dependency_names(reached: tuple[DependencyNode, ...]) -> Text:
    line = Text()
    for place, reach in enumerate(reached[: 2 * MAX_ROWS]):
        line.append(", " if place else "")
        line.append(_entity_name(reach.thing), "bold red" if reach.has_open_incident else "")
        line.append(" (open incident)" if reach.has_open_incident else "")
    more = len(reached) - 2 * MAX_ROWS
    return line.append(f" and {more} more" if more > 0 else "")


def _notes(assessment: Assessment) -> View:
    for note in assessment.notes[-MAX_ROWS:]:
        who = _entity_name(note.who) if note.who else "somebody"
        yield Text.assemble((f"{note.at:%H:%M} {who}  ", "dim"), _text(note.text.text))


def _degraded_sources(context: IncidentContext) -> View:
    for report in wording.degraded_sources(context.sources):
        yield Text.assemble(
            ("✗ ", "yellow"), f"{_text(report.title)}: {_text(wording.degradation_text(report))}"
        )
    for omitted in context.assessment.omitted:
        yield Text.assemble(("… ", "dim"), _text(omitted))


def _indent(spaces: int, lines: Iterable[RenderableType]) -> View:
    return (Padding(line, (0, 0, 0, spaces), expand=False) for line in lines)


def _path_text(path: tuple[EntityRef, ...]) -> str:
    return " → ".join(map(_entity_name, path))


def _entity_name(entity: EntityRef) -> str:
    return single_line(wording.entity_name(entity), 80)


def _text(text: str) -> str:
    return single_line(text, MAX_TEXT_LENGTH)
