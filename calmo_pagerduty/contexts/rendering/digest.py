"""Condense an incident's context for a language model: the most important data, and links to the rest.

Our own figures come first; all texts and names from PagerDuty are below `untrusted`.
"""

import json
from typing import Any

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import (
    Assessment,
    Candidate,
    DependencyNode,
    DependencyView,
    IncidentContext,
    SimilarIncident,
)
from calmo_pagerduty.contexts.rendering import wording
from calmo_pagerduty.kernel.markdown_text import single_line

Json = dict[str, Any]

MAX_BYTES = 8_000
#: Items per list and characters per text: the first pair that gives a digest of at most MAX_BYTES is used.
_SIZES = ((5, 240), (4, 160), (3, 100), (2, 60), (1, 40), (1, 12))
MAX_URL_LENGTH = 200
READING_NOTE = (
    "Causes are correlated, not proven: `chance` is the probability that such an event is so near by chance."
    " No cause is a valid result. The sources in `lacking` were not read: their data are unknown, not empty."
)


def context_digest(context: IncidentContext) -> Json:
    """Return the digest; as JSON, it has at most MAX_BYTES bytes."""
    for most, longest in _SIZES:
        digest = _Digest(most, longest).build(context)
        if len(json.dumps(digest)) <= MAX_BYTES:
            break
    return digest


class _Digest:
    def __init__(self, most: int, longest: int) -> None:
        self._most = most
        self._longest = longest

    def build(self, context: IncidentContext) -> Json:
        assessment = context.assessment
        address = f"/api/issues/{context.issue_id}/context"
        return {
            "issue": context.issue_id,
            "incident": context.incident_id,
            "version": context.version,
            "gathered_at": context.finished_at.isoformat(),
            "impact": {"score": assessment.impact.score, "confidence": assessment.impact.confidence},
            "lacking": {report.source: report.state for report in wording.degraded_sources(context.sources)},
            "how_to_read": READING_NOTE,
            "more": {"document": address, "page": f"{address}.md", "picture": f"{address}/graph.svg"},
            "untrusted": _without_empty(
                incident=self._incident(assessment),
                causes=[
                    self._candidate(candidate) for candidate in assessment.root_cause.candidates[: self._most]
                ],
                about_causes=self._text(assessment.root_cause.reason),
                similar=[self._similar(assessment, similar) for similar in assessment.similar[: self._most]],
                recurrence=self._text(wording.recurrence_text(assessment.recurrence))
                if assessment.recurrence
                else None,
                **self._people(assessment),
                dependencies=self._dependencies(assessment.surrounding),
                other_incidents=[
                    self._entity(
                        other.incident, other.title.text, where=other.where, status=self._text(other.status)
                    )
                    for other in assessment.others[: self._most]
                ],
                alerts=[self._text(alert.summary.text) for alert in assessment.alerts[: self._most]],
                notes=[self._text(note.text.text) for note in assessment.notes[-self._most :]],
            ),
        }

    def _incident(self, assessment: Assessment) -> Json:
        facts = assessment.incident
        return self._entity(
            facts.incident,
            facts.title.text,
            status=self._text(facts.status),
            priority=self._text(facts.priority or "not set"),
            urgency=self._text(facts.urgency or "not known"),
            began_at=facts.created_at.isoformat(),
            service=self._entity(facts.service) if facts.service else None,
        )

    def _candidate(self, candidate: Candidate) -> Json:
        why = self._text(wording.candidate_text(candidate))
        return self._entity(
            candidate.thing, candidate.summary.text, kind=candidate.kind, chance=candidate.chance, why=why
        )

    def _similar(self, assessment: Assessment, similar: SimilarIncident) -> Json:
        handled = [
            f"{wording.entity_name(action.who)} {action.did} it" for action in similar.handled[: self._most]
        ]
        return self._entity(
            similar.incident,
            similar.title.text,
            how=self._text(wording.similarity_text(similar, assessment.incident.created_at)),
            handled=[self._text(text) for text in handled],
            resolution=self._text(similar.resolution.text) if similar.resolution else None,
        )

    def _people(self, assessment: Assessment) -> Json:
        advice, began = assessment.recommendation, assessment.incident.created_at
        return {
            "involve": [
                self._entity(person.who, why=self._text(wording.person_text(person)))
                for person in advice.people[: self._most]
            ],
            "nobody_because": None if advice.people else self._text(advice.reason),
            "on_call": [
                self._entity(
                    on_call.who, level=on_call.level, how=self._text(wording.on_call_text(on_call, began))
                )
                for on_call in assessment.on_call[: self._most]
            ],
            "misrouting": [self._text(misrouting.advice) for misrouting in advice.misrouting[: self._most]],
        }

    def _dependencies(self, view: DependencyView) -> Json:
        return _without_empty(
            business=self._dependency_names(view.business),
            depend_on_it=self._dependency_names(view.downstream),
            it_depends_on=self._dependency_names(view.upstream),
            failure_came_along=[self._text(wording.entity_name(thing)) for thing in view.failing_path[:4]],
            circles=len(view.cycles) or None,
        )

    def _dependency_names(self, nodes: tuple[DependencyNode, ...]) -> list[str]:
        names = [self._text(wording.entity_name(node.thing)) for node in nodes[: self._most]]
        more = len(nodes) - len(names)
        return [*names, f"and {more} more"] if more > 0 else names

    def _entity(self, entity: EntityRef, title: str | None = None, **more: Any) -> Json:
        url = entity.url if entity.url and len(entity.url) <= MAX_URL_LENGTH else None
        name = entity.name if title is None else title
        return _without_empty(id=self._text(entity.id), name=self._text(name or ""), **more, url=url)

    def _text(self, text: str) -> str:
        return single_line(text, self._longest)


def _without_empty(**fields: Any) -> Json:
    """Return the fields without the empty ones, which would only take space."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
