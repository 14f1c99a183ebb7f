"""Rough nights: who was interrupted in sleep hours, and what somebody else could cover the next day. Pure.

Source: the practice that the team covers the next day after a bad night (incident.io, "Insights").
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds
from calmo_pagerduty.kernel.local_bands import DAY, HOUR
from calmo_pagerduty.kernel.time_zones import NIGHT_BEGINS, NIGHT_ENDS
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.hours import night_of, sleep_interruptions
from calmo_pagerduty.workload.interruptions import by_person, interruptions, known_window
from calmo_pagerduty.workload.people import OnCallTimes, Person, people_of
from calmo_pagerduty.workload.rules import RoughNightRules


@dataclass(frozen=True, slots=True)
class RoughNight:
    """A person's night with too many interruptions, and the time on call of the day after it.

    `cover` is None if the person isn't on call that day: then nothing needs to be covered.
    """

    person: Person
    morning: date
    interruptions: int
    incident_ids: tuple[str, ...]
    #: 08:00 of the morning in the person's zone: when somebody is asked.
    ask_at: int
    schedule_id: str | None
    cover: Span | None
    #: The sleep hours of the night, 22 to 8 in the person's zone.
    hours: Span

    @property
    def key(self) -> str:
        """The same night of the same person has the same key, however often it is found."""
        return f"{self.person.user_id}-{self.morning.isoformat()}"


def rough_nights(snapshot: AccountSnapshot, now: int, rules: RoughNightRules) -> tuple[RoughNight, ...]:
    """Return the nights with too many interruptions that ended within the last day, or still go on."""
    known = known_window(snapshot, Span(now - DAY - 14 * HOUR, now + 1))
    if known is None or not rules.is_enabled:
        return ()
    found = by_person(interruptions(snapshot, known))
    people = people_of(snapshot, set(found))
    times = OnCallTimes(snapshot, Span(now - 2 * DAY, now + 3 * DAY))
    nights = []
    for user_id, items in found.items():
        person = people[user_id]
        by_morning: dict[date, list[str]] = {}
        for item in sleep_interruptions(items, person.zone):
            by_morning.setdefault(night_of(item.at, person.zone), []).append(item.incident_id)
        nights += [
            _night(person, morning, incident_ids, times, rules)
            for morning, incident_ids in sorted(by_morning.items())
            if len(incident_ids) >= rules.interruptions and now < _local(morning, NIGHT_ENDS, person) + DAY
        ]
    return tuple(sorted(nights, key=lambda night: (night.ask_at, night.key)))


def on_call_in(snapshot: AccountSnapshot, hours: Span) -> frozenset[str]:
    """Return who was on call at any time of a night: they may be as tired."""
    held = OnCallTimes(snapshot, hours).by_person
    return frozenset(user_id for user_id, spans in held.items() if clip(spans, hours))


def _night(
    person: Person, morning: date, incident_ids: list[str], times: OnCallTimes, rules: RoughNightRules
) -> RoughNight:
    ask_at = _local(morning, NIGHT_ENDS, person)
    day = Span(ask_at, ask_at + rules.cover_hours * HOUR)
    held = {
        schedule_id: clip(people.get(person.user_id, ()), day)
        for schedule_id, people in times.by_schedule.items()
    }
    longest = max(sorted(held), key=lambda key: total_seconds(held[key]), default=None)
    spans = [] if longest is None else held[longest]
    return RoughNight(
        person=person,
        morning=morning,
        interruptions=len(incident_ids),
        incident_ids=tuple(sorted(set(incident_ids))),
        ask_at=ask_at,
        schedule_id=longest if spans else None,
        cover=Span(spans[0].start, spans[-1].end) if spans else None,
        hours=Span(_local(morning - timedelta(days=1), NIGHT_BEGINS, person), ask_at),
    )


def _local(day: date, hour: int, person: Person) -> int:
    """Return a local hour of a day. On a day without that hour it is the next one that exists."""
    local = datetime(day.year, day.month, day.day, tzinfo=person.zone) + timedelta(hours=hour)
    return int(local.timestamp())
