"""An incident's context, small enough for a language model: what matters, and where the rest stands.

Our own figures come first; whatever holds words or names from PagerDuty stands below `untrusted`.
"""

import json
from typing import Any

from calmo_pagerduty.domain import context_words as words
from calmo_pagerduty.domain.context_facts import Thing
from calmo_pagerduty.domain.incident_context import (
    Assessment,
    Candidate,
    IncidentContext,
    Reach,
    SimilarIncident,
    Surrounding,
)
from calmo_pagerduty.domain.markdown_text import on_one_line

Json = dict[str, Any]

MAX_BYTES = 8_000
#: How many of each, and how much of a text: the first pair that makes it small enough.
_SIZES = ((5, 240), (4, 160), (3, 100), (2, 60), (1, 40), (1, 12))
LONGEST_ADDRESS = 200
HOW_TO_READ = (
    "Causes are correlated, not proven: `chance` is how likely something of the kind is so near by chance."
    " No cause is an answer too. What `lacking` names was not read: it is not known, which is not none."
)


def context_digest(context: IncidentContext) -> Json:
    """Return the digest: at most `MAX_BYTES` as JSON."""
    for most, longest in _SIZES:
        digest = _Digest(most, longest).of(context)
        if len(json.dumps(digest)) <= MAX_BYTES:
            break
    return digest


class _Digest:
    def __init__(self, most: int, longest: int) -> None:
        self._most = most
        self._longest = longest

    def of(self, context: IncidentContext) -> Json:
        found = context.assessment
        address = f"/api/issues/{context.issue_id}/context"
        return {
            "issue": context.issue_id,
            "incident": context.incident_id,
            "version": context.version,
            "gathered_at": context.finished_at.isoformat(),
            "impact": {"score": found.impact.score, "confidence": found.impact.confidence},
            "lacking": {one.source: one.state for one in words.lacking_sources(context.sources)},
            "how_to_read": HOW_TO_READ,
            "more": {"document": address, "page": f"{address}.md", "picture": f"{address}/graph.svg"},
            "untrusted": _known(
                incident=self._incident(found),
                causes=[self._cause(one) for one in found.root_cause.candidates[: self._most]],
                about_causes=self._text(found.root_cause.reason),
                similar=[self._similar(found, one) for one in found.similar[: self._most]],
                recurrence=self._text(words.recurrence_words(found.recurrence)) if found.recurrence else None,
                **self._people(found),
                dependencies=self._dependencies(found.surrounding),
                other_incidents=[
                    self._thing(one.incident, one.title.text, where=one.where, status=self._text(one.status))
                    for one in found.others[: self._most]
                ],
                alerts=[self._text(one.summary.text) for one in found.alerts[: self._most]],
                notes=[self._text(one.text.text) for one in found.notes[-self._most :]],
            ),
        }

    def _incident(self, found: Assessment) -> Json:
        facts = found.incident
        return self._thing(
            facts.incident, facts.title.text, status=self._text(facts.status),
            priority=self._text(facts.priority or "not set"),
            urgency=self._text(facts.urgency or "not known"), began_at=facts.created_at.isoformat(),
            service=self._thing(facts.service) if facts.service else None,
        )  # fmt: skip

    def _cause(self, one: Candidate) -> Json:
        why = self._text(words.candidate_words(one))
        return self._thing(one.thing, one.summary.text, kind=one.kind, chance=one.chance, why=why)

    def _similar(self, found: Assessment, one: SimilarIncident) -> Json:
        handled = [f"{words.name_of(each.who)} {each.did} it" for each in one.handled[: self._most]]
        return self._thing(
            one.incident, one.title.text,
            how=self._text(words.similar_words(one, found.incident.created_at)),
            handled=[self._text(each) for each in handled],
            resolution=self._text(one.resolution.text) if one.resolution else None,
        )  # fmt: skip

    def _people(self, found: Assessment) -> Json:
        advice, began = found.recommendation, found.incident.created_at
        return {
            "involve": [
                self._thing(one.who, why=self._text(words.person_words(one)))
                for one in advice.people[: self._most]
            ],
            "nobody_because": None if advice.people else self._text(advice.reason),
            "on_call": [
                self._thing(one.who, level=one.level, how=self._text(words.on_call_words(one, began)))
                for one in found.on_call[: self._most]
            ],
            "misrouting": [self._text(one.advice) for one in advice.misrouting[: self._most]],
        }

    def _dependencies(self, around: Surrounding) -> Json:
        return _known(
            business=self._reached(around.business),
            depend_on_it=self._reached(around.downstream),
            it_depends_on=self._reached(around.upstream),
            failure_came_along=[self._text(words.name_of(one)) for one in around.failing_path[:4]],
            circles=len(around.cycles) or None,
        )

    def _reached(self, found: tuple[Reach, ...]) -> list[str]:
        names = [self._text(words.name_of(one.thing)) for one in found[: self._most]]
        more = len(found) - len(names)
        return [*names, f"and {more} more"] if more > 0 else names

    def _thing(self, thing: Thing, title: str | None = None, **more: Any) -> Json:
        url = thing.url if thing.url and len(thing.url) <= LONGEST_ADDRESS else None
        name = thing.name if title is None else title
        return _known(id=self._text(thing.id), name=self._text(name or ""), **more, url=url)

    def _text(self, text: str) -> str:
        return on_one_line(text, self._longest)


def _known(**fields: Any) -> Json:
    """Return what there is: an empty field tells nothing and costs room."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
