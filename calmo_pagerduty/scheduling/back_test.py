"""Back-test advice on swaps: would it have helped in the account's own past? Pure.

For each of the last four-week periods, the same advice is chosen from what was known before it: the
schedule as its layers or rotations planned it, without overrides, and who had borne how much. Then it is
judged by what really happened: who was on call in that period, as PagerDuty rendered it, with every
override. It must have made that more even than the obvious move and than no move.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.scheduling.on_call_roster import OnCallRoster
from calmo_pagerduty.scheduling.proof import proof_window, prove
from calmo_pagerduty.scheduling.rendering import render
from calmo_pagerduty.scheduling.roster_rules import unfairness_of
from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry, Schedule
from calmo_pagerduty.snapshots.on_call import paged_entries

_DAY = 86_400
PERIOD_DAYS = 28
#: Periods that are judged, the last ones.
MAX_PERIODS = 3
#: What must be known before a period: without it, nobody's load is known.
MIN_PAST_DAYS = 28
_SMALL = 1e-6

Owners = Mapping[str, str]


class Verdict(StrEnum):
    BETTER = "better"
    NOT_BETTER = "not_better"
    #: In none of the periods was there anything to advise.
    NO_ADVICE = "no_advice"
    TOO_SHORT = "too_short"
    #: We don't render the schedule as PagerDuty does, so we don't know what was planned.
    UNPROVED = "unproved"


class Choice(NamedTuple):
    """What was known at the time, what would have been advised, and the obvious move; owners by shift."""

    roster: OnCallRoster
    advised: Owners
    obvious: Owners


#: Choose from an account that ends where a period begins, for that period; None without advice.
Adviser = Callable[[AccountSnapshot, int, int], Choice | None]


@dataclass(frozen=True, slots=True)
class Period:
    """How uneven a period was, in points of unfairness: as it was, and with the moves made."""

    window: Span
    as_it_was: float
    advised: float
    obvious: float


@dataclass(frozen=True, slots=True)
class BackTest:
    verdict: Verdict
    periods: tuple[Period, ...] = ()

    @property
    def may_be_shown(self) -> bool:
        """Tell whether the past speaks not against the advice."""
        return self.verdict is not Verdict.NOT_BETTER

    def sentence(self) -> str:
        if self.verdict in _SENTENCES:
            return _SENTENCES[self.verdict]
        was, advised, obvious = (
            round(sum(values))
            for values in zip(*((p.as_it_was, p.advised, p.obvious) for p in self.periods), strict=True)
        )
        weeks = "four weeks" if len(self.periods) == 1 else f"{len(self.periods)} periods of four weeks"
        return (
            f"In the last {weeks} with such advice, it would have changed unfairness from {was} to {advised};"
            f" the obvious move, to {obvious}."
        )

    def as_json(self) -> JsonObject:
        return {
            "verdict": str(self.verdict),
            "periods": [
                {
                    "start": period.window.start,
                    "end": period.window.end,
                    "as_it_was": period.as_it_was,
                    "advised": period.advised,
                    "obvious": period.obvious,
                }
                for period in self.periods
            ],
        }


_SENTENCES = {
    Verdict.TOO_SHORT: "The history is too short to test this advice on the past: eight weeks are needed.",
    Verdict.UNPROVED: "The advice is not tested on the past: we can't tell what was planned for it.",
    Verdict.NO_ADVICE: "In the past there was nothing to advise, so the advice is not tested on it.",
}


def back_test(snapshot: AccountSnapshot, schedule: Schedule, now: int, advise: Adviser) -> BackTest:
    """Return whether the adviser's moves would have beaten the obvious ones in the past periods."""
    windows = list(_windows(snapshot, now))
    if not windows:
        return BackTest(Verdict.TOO_SHORT)
    interpretation = prove(schedule, proof_window(snapshot)).interpretation
    if interpretation is None:
        return BackTest(Verdict.UNPROVED)
    periods = []
    for window in windows:
        try:
            planned = render(replace(schedule, overrides=(), custom_shifts=()), window, interpretation)
            choice = advise(_known_then(snapshot, schedule, planned, window), window.start, PERIOD_DAYS)
        except (ScenarioInvalid, ExplainedError):
            continue
        if choice is not None:
            periods.append(_judged(choice, paged_entries(schedule) or (), window))
    if not periods:
        return BackTest(Verdict.NO_ADVICE)
    gain = sum(period.as_it_was - period.advised for period in periods)
    obvious = sum(period.as_it_was - period.obvious for period in periods)
    is_better = gain > _SMALL and gain > obvious + _SMALL
    return BackTest(Verdict.BETTER if is_better else Verdict.NOT_BETTER, tuple(periods))


def _windows(snapshot: AccountSnapshot, now: int) -> Iterable[Span]:
    """Yield the last periods before which enough is known, the latest first."""
    for number in range(1, MAX_PERIODS + 1):
        start = now - number * PERIOD_DAYS * _DAY
        if start - MIN_PAST_DAYS * _DAY < snapshot.rendered_since:
            return
        yield Span(start, start + PERIOD_DAYS * _DAY)


def _known_then(
    snapshot: AccountSnapshot, schedule: Schedule, planned: tuple[Entry, ...], window: Span
) -> AccountSnapshot:
    """Return the account as it was known when the window began: the past as it was, the rest as planned."""
    past = (entry for entry in schedule.entries or () if entry.start < window.start)
    entries = (*(replace(entry, end=min(entry.end, window.start)) for entry in past), *planned)
    then = replace(schedule, entries=entries)
    schedules = tuple(then if other.id == then.id else other for other in snapshot.schedules)
    return replace(snapshot, schedules=schedules, rendered_until=window.end)


def _judged(choice: Choice, entries: Iterable[Entry], window: Span) -> Period:
    borne = [
        replace(entry, start=max(entry.start, window.start), end=min(entry.end, window.end))
        for entry in entries
        if entry.start < window.end and entry.end > window.start
    ]
    sides = [_unfairness(choice.roster, borne)]
    for owners in (choice.advised, choice.obvious):
        sides.append(_unfairness(choice.roster, _moved(choice.roster, owners, borne)))
    return Period(window, *sides)


def _moved(roster: OnCallRoster, owners: Owners, borne: Iterable[Entry]) -> list[Entry]:
    """Return who would have been on call: where the planned owner of a moved shift was, the new one is."""
    moves = [
        (span, next(iter(roster.problem.present[shift.id])), owners[shift.id])
        for shift in roster.problem.shifts
        if owners.get(shift.id, "") not in ("", *roster.problem.present[shift.id])
        for span in shift.spans
    ]
    result: list[Entry] = []
    for entry in borne:
        pieces = [entry]
        for span, from_id, to_id in moves:
            if entry.user_id == from_id:
                pieces = [piece for old in pieces for piece in _split(old, span, from_id, to_id)]
        result += pieces
    return result


def _split(entry: Entry, span: Span, from_id: str, to_id: str) -> Iterable[Entry]:
    start, end = max(entry.start, span.start), min(entry.end, span.end)
    if start >= end or entry.user_id != from_id:
        yield entry
        return
    if entry.start < start:
        yield replace(entry, end=start)
    yield replace(entry, start=start, end=end, user_id=to_id)
    if end < entry.end:
        yield replace(entry, start=end)


def _unfairness(roster: OnCallRoster, borne: Iterable[Entry]) -> float:
    """Return the unfairness of history and what was borne, in hours; people out of the pool don't count."""
    load = {person.id: person.history for person in roster.problem.people}
    weights = {person.id: person.weight for person in roster.problem.people}
    for entry in borne:
        if entry.user_id in load:
            load[entry.user_id] += (entry.end - entry.start) / 3600
    share = sum(load.values()) / (sum(weights.values()) or 1.0)
    return unfairness_of(roster.problem, (load[user_id] - share * weights[user_id] for user_id in load))
