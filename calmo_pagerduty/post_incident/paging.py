"""Who was paged, by what, and when they answered: from PagerDuty's log. Pure."""

from collections.abc import Iterator, Sequence

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.post_incident.model import LogFact, PartName, PostIncidentInput, ReportPart, Sentence
from calmo_pagerduty.post_incident.phrases import join_names, join_times, since_start

_NOTIFY, _ACKNOWLEDGE, _ESCALATE = "notify", "acknowledge", "escalate"
_EXHAUST = "exhaust_escalation_path"


def paged_part(given: PostIncidentInput) -> ReportPart:
    """Return a sentence for each person paged, and one for each escalation."""
    log = sorted(given.log, key=lambda fact: (fact.at, fact.id))
    sentences = [*_people(given, log), *_escalations(given, log)]
    sentences.sort(key=lambda sentence: (sentence.at or given.issue.created_at, sentence.cites))
    return ReportPart(PartName.PAGED, tuple(sentences), tuple(_lacking(given, log)))


def _people(given: PostIncidentInput, log: Sequence[LogFact]) -> Iterator[Sentence]:
    pages: dict[str, list[LogFact]] = {}
    for fact in log:
        if fact.kind == _NOTIFY:
            for person in fact.people:
                pages.setdefault(person, []).append(fact)
    for person, notified in pages.items():
        first = notified[0]
        channels = join_names(dict.fromkeys(fact.channel for fact in notified if fact.channel))
        by = f" by {channels}" if channels else ""
        paged = (
            f"{_name(given, person)} was paged {join_times(len(notified))}{by}, first"
            f" {since_start(first.at, given.issue.created_at)}"
        )
        answer = next(
            (
                fact
                for fact in log
                if fact.kind == _ACKNOWLEDGE and fact.agent_id == person and fact.at >= first.at
            ),
            None,
        )
        cites = tuple(f"log entry {fact.id}" for fact in notified)
        if answer is None:
            yield Sentence(f"{paged}; no acknowledgement of theirs is in the log.", cites, first.at)
        else:
            took = format_duration((answer.at - first.at).total_seconds())
            cites = (*cites, f"log entry {answer.id}")
            yield Sentence(f"{paged}; they acknowledged {took} later.", cites, first.at)


def _escalations(given: PostIncidentInput, log: Sequence[LogFact]) -> Iterator[Sentence]:
    for fact in log:
        when = since_start(fact.at, given.issue.created_at)
        if fact.kind == _ESCALATE:
            to = join_names(_name(given, person) for person in fact.people)
            why = " because nobody acknowledged in time" if fact.by_timeout else ""
            whom = f" to {to}" if to else ""
            yield Sentence(f"It was escalated{whom}{why}, {when}.", (f"log entry {fact.id}",), fact.at)
        elif fact.kind == _EXHAUST:
            yield Sentence(
                f"The escalation policy had nobody left to page, {when}.", (f"log entry {fact.id}",), fact.at
            )


def _lacking(given: PostIncidentInput, log: Sequence[LogFact]) -> Iterator[str]:
    if not log:
        yield (
            "PagerDuty's log of this incident is not stored. Gather its context, or take a snapshot:"
            f" calmo-pagerduty context {given.issue.ref.issue_id} --refresh;"
            f" calmo-pagerduty oncall run --connection {given.issue.ref.connection_id}."
        )
        return
    ended = given.issue.resolved_at
    is_open = given.issue.status is not IncidentStatus.RESOLVED
    if given.log_until is not None and (is_open or (ended is not None and given.log_until < ended)):
        yield (
            f"The log was read {since_start(given.log_until, given.issue.created_at)}, before the incident"
            " ended: later pages are not here. Gather its context again."
        )


def _name(given: PostIncidentInput, person: str) -> str:
    return given.names.get(person, "a responder")
