"""An incident's context in words: the same ones in the terminal, in markdown and for agents.

Nothing here says more than the figures do: what is correlated is called that, and what is not known
is not called zero.
"""

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

#: How a source ended that brought less than it could have.
STATE_TEXT = {
    SourceState.GATHERING: "still being read",
    SourceState.PARTIAL: "only a part of it",
    SourceState.FORBIDDEN: "not permitted",
    SourceState.NOT_IN_PLAN: "not in the account's plan",
    SourceState.UNAVAILABLE: "not available",
}
CORRELATED = "correlated, not proven"
#: Likelier than this by chance, it tells nothing.
UNINFORMATIVE_CHANCE = 0.5


def join_phrases(said: Iterable[str]) -> str:
    """Return several words as one reads them, each once: `a, b and c`."""
    *most, last = dict.fromkeys(said)
    return f"{', '.join(most)} and {last}" if most else last


def format_chance(chance: float) -> str:
    """Return a p-value as people say it: 0.0029 is `1 in 340 by chance`."""
    if chance >= UNINFORMATIVE_CHANCE:
        return "as likely as not by chance"
    if chance < 1e-6:
        return "less than 1 in 1,000,000 by chance"
    return f"1 in {_round_to_two_digits(1 / chance):,} by chance"


def _round_to_two_digits(value: float) -> int:
    """Return the value with two significant digits: what is estimated is no more precise."""
    return int(float(f"{value:.1e}")) if value >= 10 else max(round(value), 2)


def format_lead_time(seconds: float) -> str:
    """Return how long before the incident something was; negative is after."""
    if abs(seconds) < 1:
        return "at the same time"
    return f"{format_duration(abs(seconds))} {'before' if seconds > 0 else 'after'}"


def format_percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def entity_name(entity: EntityRef) -> str:
    return entity.name or entity.id


def format_distance(hops: int | None) -> str:
    """Return how far from the failing service something is."""
    if hops is None:
        return "as PagerDuty relates it"
    return ("on this service", "1 hop upstream")[hops] if hops < 2 else f"{hops} hops upstream"


def candidate_text(candidate: Candidate) -> str:
    """Return why a candidate is one: when, where, how likely by chance. Names nothing."""
    said = [
        format_lead_time(candidate.lead_seconds),
        format_distance(candidate.hops),
        format_chance(candidate.chance),
    ]
    said.append(f"usually {_format_rate(candidate.rate_per_day)}")
    if candidate.lift is not None and candidate.lift > 1:
        said.append(f"in past incidents {candidate.lift:.1f} times as often as usual")
    return "; ".join([*said, CORRELATED])


def _format_rate(rate: float) -> str:
    if rate >= 1:
        return f"{rate:.0f} a day"
    if rate * 7 >= 1:
        return f"{rate * 7:.0f} a week"
    return f"{rate * 30:.0f} a month" if rate * 30 >= 1 else "less than 1 a month"


def similarity_text(similar: SimilarIncident, at: datetime) -> str:
    """Return how alike it is, how old, and how long it took. `at` is when this incident began."""
    age = format_duration((at - similar.created_at).total_seconds())
    said = [f"{format_percent(similar.score)} alike", f"{age} ago"]
    if similar.resolved_after_seconds is not None:
        said.append(f"resolved after {format_duration(similar.resolved_after_seconds)}")
    if similar.pagerduty_agrees is not None:
        said.append("PagerDuty names it too" if similar.pagerduty_agrees else "PagerDuty doesn't name it")
    return "; ".join(said)


def night_text(person: PersonToInvolve | OnCallFact) -> str:
    """Return whether it is night where the person is; empty if that isn't known."""
    if person.is_asleep is None:
        return ""
    clock = f", {person.local_time}" if person.local_time else ""
    return f"{'probably asleep' if person.is_asleep else 'awake'}{clock}"


def person_text(person: PersonToInvolve) -> str:
    """Return why this person. The reasons say already if they are on call, or probably asleep."""
    said = list(person.reasons)
    if not person.is_on_call:
        said.append("not on call")
    if not person.is_asleep:
        said.append(night_text(person))
    return "; ".join(filter(None, said))


def on_call_text(on_call: OnCallFact, at: datetime) -> str:
    """Return until when, and whether they sleep."""
    until = (
        "always"
        if on_call.until is None
        else f"for {format_duration((on_call.until - at).total_seconds())} more"
    )
    return "; ".join(filter(None, [until, night_text(on_call)]))


def factor_label(contribution: Contribution) -> str:
    """Return what a factor of the impact is called."""
    return contribution.factor.replace("_", " ")


def recurrence_text(found: Recurrence) -> str:
    """Return how often incidents like this one come."""
    window = f"in {found.window_days:.0f} days"
    count = f"{found.count} like it among the service's {found.of} {window}"
    said = [f"{found.label}: {count}" if found.label else f"too little is known: {count}"]
    if found.is_flapping:
        said.append(f"flapping: {found.flap_cycles} times triggered and resolved by itself within an hour")
    return "; ".join(said)


def backtest_text(found: Recommendation) -> str:
    """Return how good such recommendations are, measured on the account's own past."""
    if found.hit_at_3 is None or found.baseline_hit_at_3 is None:
        return "not tested on the past"
    return (
        f"tested on {found.tested_on} past incidents: one of the first three handled it in"
        f" {format_percent(found.hit_at_3)} of them; who is on call now did in"
        f" {format_percent(found.baseline_hit_at_3)}"
    )


def degraded_sources(sources: Sequence[SourceReport]) -> tuple[SourceReport, ...]:
    """Return the sources that brought less than they could have."""
    return tuple(source for source in sources if source.state in STATE_TEXT)


def degradation_text(report: SourceReport) -> str:
    """Return what is lacking of a source, and why."""
    return ": ".join(filter(None, [STATE_TEXT.get(report.state, report.state), report.reason]))
