"""A schedule's coming shifts as a rostering problem: who could have which shift, at what load. Pure.

A shift is a turn: what follows each other of the same person and source. Loads are hours, weighted by the
band of the schedule's local time. What people bore in the rendered past is their history. Whoever has no hour
there is taken for new, not for someone who owes all of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import HOUR, Band, local_date, seconds_by_band
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.scheduling.account_names import find_schedule, find_user
from calmo_pagerduty.scheduling.roster import (
    Fairness,
    Limits,
    Pairing,
    Request,
    RosterPerson,
    RosterProblem,
    RosterShift,
    Unavailable,
)
from calmo_pagerduty.scheduling.roster_rules import objective_of
from calmo_pagerduty.scheduling.scenarios import DocumentPart, Named, ScenarioInvalid, Time
from calmo_pagerduty.scheduling.schedule_edits import members_of
from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry, Schedule
from calmo_pagerduty.snapshots.on_call import paged_entries

_DAY = 86_400
#: More shifts would need a bigger machine, or a shorter window.
MAX_SHIFTS = 200
MAX_PEOPLE = 40
_ROUND = 4


class Away(DocumentPart):
    """A person can't be on call in this time."""

    user: Named
    start: Time
    end: Time


class Wish(Away):
    """A person wants to be on call in this time, or wants it not. The price is in points of unfairness."""

    wants: bool = False
    price: float = Field(5.0, gt=0, le=1000)


class Pair(DocumentPart):
    """Two people who should share shifts that begin at the same time, or should not."""

    first: Named
    second: Named
    together: bool = False
    #: None: they must.
    price: float | None = Field(None, gt=0, le=1000)


class OptimiseRequest(DocumentPart):
    """What to optimise, and by which rules. Hard rules first, then wishes with their prices."""

    schedule: Named
    since: Time | None = None
    days: int = Field(56, ge=1, le=90)
    min_rest_hours: float = Field(11, ge=0, le=336)
    max_weekends: int | None = Field(None, ge=0, le=30)
    max_hours: float | None = Field(None, ge=0, le=2200)
    #: How many hours an hour of each band counts for. They are opinions: choose yours.
    business_weight: float = Field(1.0, ge=0, le=10)
    off_weight: float = Field(1.5, ge=0, le=10)
    sleep_weight: float = Field(2.0, ge=0, le=10)
    with_history: bool = True
    #: The price of giving a shift to somebody else, in points of unfairness.
    change_price: float = Field(0.5, ge=0, le=1000)
    away: Annotated[tuple[Away, ...], Field(max_length=200)] = ()
    wishes: Annotated[tuple[Wish, ...], Field(max_length=200)] = ()
    #: Shifts that begin in this time stay with the person who has them.
    keep: Annotated[tuple[Away, ...], Field(max_length=200)] = ()
    pairs: Annotated[tuple[Pair, ...], Field(max_length=50)] = ()
    without: Annotated[tuple[Named, ...], Field(max_length=40)] = ()

    @model_validator(mode="after")
    def _check_periods(self) -> Self:
        if any(period.end <= period.start for period in (*self.away, *self.wishes, *self.keep)):
            raise ValueError("end: it must be after start")
        return self


@dataclass(frozen=True, slots=True)
class OnCallRoster:
    """The problem, and the entries of the schedule that each shift consists of."""

    schedule: Schedule
    window: Span
    zone: ZoneInfo
    problem: RosterProblem
    entries_of: Mapping[str, tuple[Entry, ...]]
    notes: tuple[str, ...]


def on_call_roster(snapshot: AccountSnapshot, request: OptimiseRequest, now: int) -> OnCallRoster:
    """Return a schedule's shifts that begin in the window as a problem. Raises ScenarioInvalid."""
    schedule = find_schedule(snapshot, request.schedule)
    entries, zone = paged_entries(schedule), time_zone(schedule.time_zone)
    if entries is None or zone is None:
        raise ScenarioInvalid(f"schedule: {schedule.name[:60]!r} could not be rendered by PagerDuty")
    start = max(int(request.since.timestamp()) if request.since else now, snapshot.rendered_since)
    window = Span(start, min(start + request.days * _DAY, snapshot.rendered_until))
    coming = [entry for entry in entries if window.start <= entry.start < window.end]
    members = members_of(schedule, window.start)
    # Who only steps in by an override keeps that time, and has no share of the rota.
    if any(entry.user_id in members for entry in coming):
        coming = [entry for entry in coming if entry.user_id in members]
    turns = _turns(coming)
    shifts = tuple(_shift(entries_of, zone, request) for entries_of in turns)
    shifts = tuple(sorted(shifts, key=lambda shift: (shift.start, shift.id)))
    present = {_shift_id(turn): frozenset({turn[0].user_id}) for turn in turns}
    people = _people(snapshot, schedule, window, zone, request, shifts, present)
    _check_size(shifts, people)
    problem = RosterProblem(
        shifts,
        people,
        int(request.min_rest_hours * HOUR),
        _kept(snapshot, request, shifts, present),
        _wishes(snapshot, request, shifts),
        tuple(_pairing(snapshot, pair) for pair in request.pairs),
        Fairness(),
        present,
        request.change_price,
    )
    return OnCallRoster(
        schedule, window, zone, problem, {_shift_id(turn): turn for turn in turns}, _notes(problem)
    )


def _turns(entries: Iterable[Entry]) -> list[tuple[Entry, ...]]:
    """Return the entries that follow each other, of one person and source, together."""
    turns: list[list[Entry]] = []
    current: dict[str, int] = {}
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.end, entry.source, entry.user_id)):
        at = current.get(entry.source)
        if at is not None and turns[at][-1].user_id == entry.user_id:
            turns[at].append(entry)
        else:
            current[entry.source] = len(turns)
            turns.append([entry])
    return [tuple(turn) for turn in turns]


def _shift_id(turn: tuple[Entry, ...]) -> str:
    return f"{turn[0].start}:{turn[0].source}:{turn[0].user_id}"


def _shift(turn: tuple[Entry, ...], zone: ZoneInfo, request: OptimiseRequest) -> RosterShift:
    spans = tuple(Span(entry.start, entry.end) for entry in turn)
    start, end = spans[0].start, max(span.end for span in spans)
    begins = datetime.fromtimestamp(start, zone)
    weekends = [
        day.toordinal() // 7
        for span in spans
        for day in (local_date(span.start, zone), local_date(span.end - 1, zone))
        if day.weekday() >= 5
    ]
    # A turn of a week holds a weekend that neither its start nor its end lies in.
    if not weekends and end - start >= 6 * _DAY:
        weekends = [local_date(end - 1, zone).toordinal() // 7]
    return RosterShift(
        _shift_id(turn),
        f"{begins:%a %Y-%m-%d %H:%M}",
        start,
        end,
        begins.date().toordinal(),
        load_of(spans, zone, request),
        weekend=min(weekends, default=None),
        parts=spans if len(spans) > 1 else (),
    )


def load_of(spans: Iterable[Span], zone: ZoneInfo, request: OptimiseRequest) -> float:
    """Return the weighted hours of times on call."""
    weights = {
        Band.BUSINESS: request.business_weight,
        Band.OFF: request.off_weight,
        Band.SLEEP: request.sleep_weight,
    }
    seconds = seconds_by_band(spans, zone)
    return round(sum(weights[band] * seconds[band] for band in Band) / HOUR, _ROUND)


def _people(
    snapshot: AccountSnapshot,
    schedule: Schedule,
    window: Span,
    zone: ZoneInfo,
    request: OptimiseRequest,
    shifts: tuple[RosterShift, ...],
    present: Mapping[str, frozenset[str]],
) -> tuple[RosterPerson, ...]:
    owners = {user_id for people in present.values() for user_id in people}
    left_out = {find_user(snapshot, named).id for named in request.without}
    pool = members_of(schedule, window.start) | owners
    users = {user.id: user.name for user in snapshot.users}
    history = _history(schedule, pool - left_out, window, zone, request)
    away: dict[str, list[Span]] = {}
    for period in request.away:
        away.setdefault(find_user(snapshot, period.user).id, []).append(_span(period))
    calendars = snapshot.away()
    most = None if request.max_hours is None else int(request.max_hours * 60)
    limits = Limits(max_minutes=most, max_weekends=request.max_weekends)
    people = []
    for user_id in sorted(pool):
        unavailable = {
            shift.id: Unavailable.CALENDAR for shift in shifts if _overlaps(shift, calendars.get(user_id, ()))
        }
        unavailable |= {
            shift.id: Unavailable.NOT_IN_POOL if user_id in left_out else Unavailable.LEAVE
            for shift in shifts
            if user_id in left_out or _overlaps(shift, away.get(user_id, ()))
        }
        people.append(
            RosterPerson(
                user_id,
                users.get(user_id, user_id),
                unavailable,
                limits,
                history.get(user_id, 0.0),
                0.0 if user_id in left_out else 1.0,
            )
        )
    return tuple(people)


def _history(
    schedule: Schedule, pool: frozenset[str], window: Span, zone: ZoneInfo, request: OptimiseRequest
) -> dict[str, float]:
    """Return weighted hours of the rendered past, before the window; who is new has the others' mean."""
    if not request.with_history:
        return {}
    spans: dict[str, list[Span]] = {}
    for entry in paged_entries(schedule) or ():
        if entry.start < window.start and entry.user_id in pool:
            # A shift that runs when the window begins belongs to the past as a whole.
            spans.setdefault(entry.user_id, []).append(Span(entry.start, entry.end))
    history = {user_id: load_of(held, zone, request) for user_id, held in spans.items()}
    mean = round(sum(history.values()) / len(history), _ROUND) if history else 0.0
    return {user_id: history.get(user_id, mean) for user_id in sorted(pool)}


def _overlaps(shift: RosterShift, periods: Iterable[Span]) -> bool:
    return any(
        span.start < period.end and period.start < span.end for span in shift.spans for period in periods
    )


def _span(period: Away) -> Span:
    return Span(int(period.start.timestamp()), int(period.end.timestamp()))


def _kept(
    snapshot: AccountSnapshot,
    request: OptimiseRequest,
    shifts: tuple[RosterShift, ...],
    present: Mapping[str, frozenset[str]],
) -> frozenset[tuple[str, str]]:
    kept = set()
    for period in request.keep:
        user_id, span = find_user(snapshot, period.user).id, _span(period)
        kept |= {
            (user_id, shift.id)
            for shift in shifts
            if user_id in present[shift.id] and span.start <= shift.start < span.end
        }
    return frozenset(kept)


def _wishes(
    snapshot: AccountSnapshot, request: OptimiseRequest, shifts: tuple[RosterShift, ...]
) -> tuple[Request, ...]:
    return tuple(
        Request(find_user(snapshot, wish.user).id, shift.id, wish.wants, wish.price)
        for wish in request.wishes
        for shift in shifts
        if _overlaps(shift, [_span(wish)])
    )


def _pairing(snapshot: AccountSnapshot, pair: Pair) -> Pairing:
    first, second = (find_user(snapshot, named).id for named in (pair.first, pair.second))
    return Pairing(first, second, pair.together, pair.price)


def _check_size(shifts: tuple[RosterShift, ...], people: tuple[RosterPerson, ...]) -> None:
    if not shifts:
        raise ScenarioInvalid("schedule: no shift begins in this time")
    if len(shifts) > MAX_SHIFTS or len(people) > MAX_PEOPLE:
        raise ScenarioInvalid(
            f"days: {len(shifts)} shifts and {len(people)} people are too many;"
            f" {MAX_SHIFTS} and {MAX_PEOPLE} at most: choose fewer days"
        )


def _notes(problem: RosterProblem) -> tuple[str, ...]:
    if objective_of(problem, problem.present) is not None:
        return ()
    return ("The present roster breaks a hard rule, so its objective is unknown.",)
