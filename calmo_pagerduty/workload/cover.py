"""Who could cover a time for somebody: the least loaded who are free, for all of it or for parts. Pure.

Nothing is edited here: what comes out are suggestions. A person is eligible if a member of the schedule's
pool, not on call by any schedule in the time, and rested. Who sleeps then comes last; among the others the
least loaded comes first, with debts carried over.
Source: Timefold's definition of fair (minimise the most loaded, then the second most loaded …): by it,
another hour goes to the least loaded.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span, clip, intersect, subtract, total_seconds, union
from calmo_pagerduty.kernel.local_bands import DAY, HOUR, Band, seconds_by_band
from calmo_pagerduty.snapshots.model import AccountSnapshot, Schedule
from calmo_pagerduty.workload.debt import Ledger, ledger_of
from calmo_pagerduty.workload.people import OnCallTimes, Person, people_of
from calmo_pagerduty.workload.pools import memberships

#: Parts shorter than this are offered to nobody.
MIN_PART_SECONDS = HOUR
#: How long the load of the near past and future counts, on each side.
LOAD_DAYS = 28
#: A shift given in exchange is at most this part longer or shorter.
MAX_SWAP_DIFFERENCE = 0.25
#: Somebody with a shift that ends or begins within so many seconds is not rested.
REST_SECONDS = 8 * HOUR


class NotOnCall(ExplainedError):
    """The person is not on call in this time, so there is nothing to cover. The message says so."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who could cover `free` of the time. `load_hours` is 28 days back and ahead, plus the debt."""

    person: Person
    free: tuple[Span, ...]
    covers_all: bool
    sleep_hours: float
    load_hours: float
    debt_hours: float


@dataclass(frozen=True, slots=True)
class Excluded:
    """Somebody of the pool who can't cover any of it, and why."""

    person: Person
    reason: str


@dataclass(frozen=True, slots=True)
class CoverPart:
    """A part of the time, and who would cover it."""

    span: Span
    user_id: str


@dataclass(frozen=True, slots=True)
class Swap:
    """A later shift of the candidate that the person could take in exchange: about as long, and free then."""

    user_id: str
    returned: Span


@dataclass(frozen=True, slots=True)
class CoverSuggestion:
    """Whom to ask, best first; and a split among several, if nobody can cover all of it.

    `uncovered` is what no split covers. `spans` is when the person is on call within the time asked for.
    """

    schedule: Schedule
    person: Person
    spans: tuple[Span, ...]
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    split: tuple[CoverPart, ...]
    uncovered: tuple[Span, ...]
    #: One of each candidate's next shifts that the person could take in exchange.
    swaps: tuple[Swap, ...] = ()


def suggest_cover(
    snapshot: AccountSnapshot,
    schedule: Schedule,
    user_id: str,
    asked: Span,
    *,
    now: int,
    away: Mapping[str, Sequence[Span]] | None = None,
    rest_seconds: int = REST_SECONDS,
    not_these: Collection[str] = (),
) -> CoverSuggestion:
    """Suggest who covers a person's time on call in a schedule. Raises NotOnCall.

    `away` holds times in which people are absent. `not_these` were asked already.
    """
    times = OnCallTimes(snapshot, Span(now - LOAD_DAYS * DAY, max(now + LOAD_DAYS * DAY, asked.end)))
    around = OnCallTimes(snapshot, Span(asked.start - DAY, asked.end + DAY))
    needed = tuple(clip(around.by_schedule.get(schedule.id, {}).get(user_id, ()), asked))
    member_ids = {member.user_id for member in memberships(schedule, asked)} | {user_id}
    people = people_of(snapshot, member_ids)
    if not needed:
        raise NotOnCall(f"{people[user_id].name} is not on call in {schedule.name} in this time")
    ledger = ledger_of((snapshot,), now)
    candidates: list[Candidate] = []
    excluded: list[Excluded] = []
    for person in people.values():
        if person.user_id == user_id or not person.is_known or person.user_id in not_these:
            continue
        busy = _busy(around.by_person.get(person.user_id, ()), rest_seconds)
        free = [span for span in subtract(needed, busy) if span.seconds >= _least(needed)]
        present = subtract(free, (away or {}).get(person.user_id, ()))
        present = [span for span in present if span.seconds >= _least(needed)]
        if present:
            candidates.append(_candidate(person, present, needed, times, ledger, schedule.id))
        else:
            reason = "away" if free else _why_busy(around.by_person.get(person.user_id, ()), needed)
            excluded.append(Excluded(person, reason))
    ranked = tuple(sorted(candidates, key=_rank))
    split = _split(needed, ranked)
    own = _busy(times.by_person.get(user_id, ()), rest_seconds)
    return CoverSuggestion(
        schedule=schedule,
        person=people[user_id],
        spans=needed,
        candidates=ranked,
        excluded=tuple(excluded),
        split=split,
        uncovered=tuple(subtract(needed, [part.span for part in split])),
        swaps=_swaps(ranked, times.by_schedule.get(schedule.id, {}), needed, own),
    )


def _swaps(
    ranked: Sequence[Candidate],
    held: Mapping[str, Sequence[Span]],
    needed: Sequence[Span],
    own: Sequence[Span],
) -> tuple[Swap, ...]:
    """Return the first later shift of each candidate who covers all, which the person could take."""
    length, end = total_seconds(needed), needed[-1].end
    swaps = []
    for candidate in ranked if length else ():
        later = (
            span
            for span in held.get(candidate.person.user_id, ())
            if span.start >= end
            and abs(span.seconds - length) <= MAX_SWAP_DIFFERENCE * length
            and not intersect([span], own)
        )
        returned = next(later, None) if candidate.covers_all else None
        if returned is not None:
            swaps.append(Swap(candidate.person.user_id, returned))
    return tuple(swaps)


def _candidate(
    person: Person,
    free: Sequence[Span],
    needed: Sequence[Span],
    times: OnCallTimes,
    ledger: Ledger,
    schedule_id: str,
) -> Candidate:
    debt = ledger.of_person(schedule_id, person.user_id)
    return Candidate(
        person=person,
        free=tuple(free),
        covers_all=total_seconds(free) == total_seconds(needed),
        sleep_hours=seconds_by_band(free, person.zone)[Band.SLEEP] / HOUR,
        load_hours=(total_seconds(times.by_person.get(person.user_id, ())) + debt) / HOUR,
        debt_hours=debt / HOUR,
    )


def _rank(candidate: Candidate) -> tuple[bool, bool, float, float, str]:
    """All of the time before parts of it, awake before asleep, then the least loaded."""
    sleeps = candidate.sleep_hours > 0
    return (
        not candidate.covers_all,
        sleeps,
        candidate.load_hours,
        candidate.sleep_hours,
        candidate.person.user_id,
    )


def _split(needed: Sequence[Span], ranked: Sequence[Candidate]) -> tuple[CoverPart, ...]:
    """Give each person the parts that are still open, the best person first."""
    missing, parts = list(needed), []
    for candidate in sorted(
        ranked, key=lambda item: (not item.covers_all, -total_seconds(item.free), _rank(item))
    ):
        taken = [span for span in intersect(missing, candidate.free) if span.seconds >= _least(needed)]
        parts += [CoverPart(span, candidate.person.user_id) for span in taken]
        missing = subtract(missing, taken)
        if not missing:
            break
    return tuple(sorted(parts, key=lambda part: part.span))


def _busy(held: Sequence[Span], rest_seconds: int) -> list[Span]:
    return union(Span(span.start - rest_seconds, span.end + rest_seconds) for span in held)


def _why_busy(held: Sequence[Span], needed: Sequence[Span]) -> str:
    return "on call then" if intersect(held, needed) else "on call shortly before or after"


def _least(needed: Sequence[Span]) -> int:
    return min(MIN_PART_SECONDS, *(span.seconds for span in needed), MIN_PART_SECONDS)
