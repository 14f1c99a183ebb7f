"""Texts for an incident's context, which the terminal, Markdown pages and agents share.

No text claims more than the figures do: it says correlated, not caused, and unknown, not zero.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from calmo_pagerduty.contexts.facts import EntityRef, OnCallFact
from calmo_pagerduty.contexts.model import (
    Candidate,
    Contribution,
    PersonToInvolve,
    Recommendation,
    Recurrence,
    SimilarIncident,
    SourceReport,
)
from calmo_pagerduty.contexts.sources import SourceState
from calmo_pagerduty.kernel.durations import format_duration

#: Texts for the states of a degraded source.
STATE_TEXT = {
    SourceState.GATHERING: "still being read",
    SourceState.PARTIAL: "only a part of it",
    SourceState.FORBIDDEN: "not permitted",
    SourceState.NOT_IN_PLAN: "not in the account's plan",
    SourceState.UNAVAILABLE: "not available",
}
CORRELATED = "correlated, not proven"
#: A p-value from here on says nothing.
UNINFORMATIVE_CHANCE = 0.5


def join_phrases(phrases: Iterable[str]) -> str:
    """Join at least one phrase, each once: `a, b and c`."""
    *most, last = dict.fromkeys(phrases)
    return f"{', '.join(most)} and {last}" if most else last


def format_chance(chance: float) -> str:
    """Return a p-value as a text: 0.0029 is `1 in 340 by chance`."""
    if chance >= UNINFORMATIVE_CHANCE:
        return "as likely as not by chance"
    if chance < 1e-6:
        return "less than 1 in 1,000,000 by chance"
    return f"1 in {_round_to_two_digits(1 / chance):,} by chance"


def _round_to_two_digits(value: float) -> int:
    """Round to two significant digits: the estimate is no more precise."""
    return int(float(f"{value:.1e}")) if value >= 10 else max(round(value), 2)


def format_lead_time(seconds: float) -> str:
    """Return the lead (seconds before the incident, negative after it) as a text."""
    if abs(seconds) < 1:
        return "at the same time"
    return f"{format_duration(abs(seconds))} {'before' if seconds > 0 else 'after'}"


def format_percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def entity_name(entity: EntityRef) -> str:
    """Return the object's name, or its id if PagerDuty gives no name."""
    return entity.name or entity.id


def format_distance(hops: int | None) -> str:
    """Return the distance from the failing service as a text."""
    if hops is None:
        return "as PagerDuty relates it"
    return ("on this service", "1 hop upstream")[hops] if hops < 2 else f"{hops} hops upstream"


_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,19}")


def candidate_text(candidate: Candidate) -> str:
    """Return the evidence: an incident's priority and status, time, distance, p-value, rate, past.

    It has no names and no markup: a priority that is more than a short word or two is left out.
    """
    state = [part for part in (candidate.priority, candidate.status) if part and _PLAIN.fullmatch(part)]
    phrases = [
        *([", ".join(state)] if state else []),
        format_lead_time(candidate.lead_seconds),
        format_distance(candidate.hops),
        format_chance(candidate.chance),
    ]
    phrases.append(f"usually {_format_rate(candidate.rate_per_day)}")
    if candidate.lift is not None and candidate.lift > 1:
        phrases.append(f"in past incidents {candidate.lift:.1f} times as often as usual")
    phrases += candidate.because
    return "; ".join([*phrases, CORRELATED])


def _format_rate(rate: float) -> str:
    if rate >= 1:
        return f"{rate:.0f} a day"
    if rate * 7 >= 1:
        return f"{rate * 7:.0f} a week"
    return f"{rate * 30:.0f} a month" if rate * 30 >= 1 else "less than 1 a month"


def similarity_text(similar: SimilarIncident, at: datetime) -> str:
    """Return the similarity, age and duration of a past incident. `at` is the start of this incident."""
    age = format_duration((at - similar.created_at).total_seconds())
    phrases = [f"{format_percent(similar.score)} alike", f"{age} ago"]
    if similar.resolved_after_seconds is not None:
        phrases.append(f"resolved after {format_duration(similar.resolved_after_seconds)}")
    if similar.pagerduty_agrees is not None:
        phrases.append("PagerDuty names it too" if similar.pagerduty_agrees else "PagerDuty doesn't name it")
    return "; ".join(phrases)


def night_text(person: PersonToInvolve | OnCallFact) -> str:
    """Return whether it is night where the person is; empty if unknown."""
    if person.is_asleep is None:
        return ""
    local_time = f", {person.local_time}" if person.local_time else ""
    return f"{'probably asleep' if person.is_asleep else 'awake'}{local_time}"


def person_text(person: PersonToInvolve) -> str:
    """Return why to involve this person. The reasons already say `on call` and `probably asleep`."""
    phrases = list(person.reasons)
    if not person.is_on_call:
        phrases.append("not on call")
    if not person.is_asleep:
        phrases.append(night_text(person))
    return "; ".join(filter(None, phrases))


def on_call_text(on_call: OnCallFact, at: datetime) -> str:
    """Return how long the person remains on call after `at`, and whether it is night there."""
    until = (
        "always"
        if on_call.until is None
        else f"for {format_duration((on_call.until - at).total_seconds())} more"
    )
    return "; ".join(filter(None, [until, night_text(on_call)]))


def factor_label(contribution: Contribution) -> str:
    """Return the label of an impact factor."""
    return contribution.factor.replace("_", " ")


def recurrence_text(recurrence: Recurrence) -> str:
    """Return how often incidents of this kind recur."""
    window = f"in {recurrence.window_days:.0f} days"
    count = f"{recurrence.count} like it among the service's {recurrence.of} {window}"
    phrases = [f"{recurrence.label}: {count}" if recurrence.label else f"too little is known: {count}"]
    if recurrence.is_flapping:
        phrases.append(
            f"flapping: {recurrence.flap_cycles} times triggered and resolved by itself within an hour"
        )
    return "; ".join(phrases)


def backtest_text(recommendation: Recommendation) -> str:
    """Return the hit rates of the backtest on the account's own past."""
    if recommendation.hit_at_3 is None or recommendation.baseline_hit_at_3 is None:
        return "not tested on the past"
    return (
        f"tested on {recommendation.tested_on} past incidents: one of the first three handled it in"
        f" {format_percent(recommendation.hit_at_3)} of them; who is on call now did in"
        f" {format_percent(recommendation.baseline_hit_at_3)}"
    )


def degraded_sources(sources: Sequence[SourceReport]) -> tuple[SourceReport, ...]:
    """Return the sources that are degraded."""
    return tuple(source for source in sources if source.state in STATE_TEXT)


def degradation_text(report: SourceReport) -> str:
    """Return the state of a degraded source, with the reason."""
    return ": ".join(filter(None, [STATE_TEXT.get(report.state, report.state), report.reason]))
