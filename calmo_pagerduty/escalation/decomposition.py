"""Where the time until the first acknowledgement goes: parts that sum exactly to the whole. Pure; seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.escalation.episodes import Episode, EpisodeEnd, Response
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import Band, split_into_bands
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.on_call import OnCallIndex


class TimePart(StrEnum):
    """A part of the time to acknowledge. They don't overlap."""

    #: From the trigger until somebody was assigned.
    UNASSIGNED = "unassigned"
    #: Assigned to a level that didn't answer before the policy moved on.
    WAITED = "waited"
    #: Assigned to people who handed it on by hand.
    REASSIGNED = "reassigned"
    #: From the last assignment until the first notification of the person who acknowledged.
    NOTIFIED = "notified"
    #: From that notification until the acknowledgement, while the person was awake by the clock.
    SEEN = "seen"
    #: The same, between 22:00 and 08:00 in the person's own zone.
    ASLEEP = "asleep"
    #: From the last assignment on, if who acknowledged had not been notified: somebody picked it up.
    PICKED_UP = "picked_up"


@dataclass(frozen=True, slots=True)
class TimeToAcknowledge:
    """One incident's parts; `waited_by_level` splits WAITED. All are whole seconds."""

    incident_id: str
    total: int
    parts: dict[TimePart, int]
    waited_by_level: dict[int, int]


def decompose(index: OnCallIndex, response: Response) -> TimeToAcknowledge | None:
    """Return the parts of an incident's time to acknowledge; None if nobody acknowledged it."""
    if response.acknowledged_at is None or response.episodes[-1].how is not EpisodeEnd.ACKNOWLEDGED:
        return None
    parts = dict.fromkeys(TimePart, 0)
    waited: dict[int, int] = {}
    position = response.created_at
    for episode in response.episodes[:-1]:
        parts[TimePart.UNASSIGNED] += episode.start - position
        seconds = episode.end - episode.start
        if episode.how is EpisodeEnd.ESCALATED:
            parts[TimePart.WAITED] += seconds
            level = episode.level or 0
            waited[level] = waited.get(level, 0) + seconds
        else:
            parts[TimePart.REASSIGNED] += seconds
        position = episode.end
    last = response.episodes[-1]
    parts[TimePart.UNASSIGNED] += last.start - position
    for part, seconds in _last_parts(index, response, last).items():
        parts[part] += seconds
    total = response.acknowledged_at - response.created_at
    return TimeToAcknowledge(response.incident_id, total, parts, dict(sorted(waited.items())))


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The sums over `count` acknowledged incidents. `total` is the sum of the parts."""

    count: int
    total: int
    parts: dict[TimePart, int]
    waited_by_level: dict[int, int]


def sum_up(times: Iterable[TimeToAcknowledge]) -> Decomposition:
    count = total = 0
    parts = dict.fromkeys(TimePart, 0)
    waited: dict[int, int] = {}
    for time in times:
        count, total = count + 1, total + time.total
        for part, seconds in time.parts.items():
            parts[part] += seconds
        for level, seconds in time.waited_by_level.items():
            waited[level] = waited.get(level, 0) + seconds
    return Decomposition(count, total, parts, dict(sorted(waited.items())))


def _last_parts(index: OnCallIndex, response: Response, last: Episode) -> dict[TimePart, int]:
    who = response.acknowledged_by
    notified = min(
        (
            notification.at
            for notification in response.notifications
            if who is not None and who in notification.user_ids and last.start <= notification.at <= last.end
        ),
        default=None,
    )
    if notified is None or who is None:
        return {TimePart.PICKED_UP: last.end - last.start}
    asleep = _sleep_seconds(index, who, Span(notified, last.end))
    return {
        TimePart.NOTIFIED: notified - last.start,
        TimePart.ASLEEP: asleep,
        TimePart.SEEN: last.end - notified - asleep,
    }


def _sleep_seconds(index: OnCallIndex, user_id: str, span: Span) -> int:
    user = index.users.get(user_id)
    zone = time_zone((user.time_zone if user else None) or index.snapshot.time_zone)
    if zone is None or span.seconds <= 0:
        return 0
    return sum(piece.end - piece.start for piece in split_into_bands(span, zone) if piece.band is Band.SLEEP)
