"""Schedules of layers (v2): turns, restrictions and overrides give the users on call."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pagerduty_simulator.resources import Team
from pagerduty_simulator.shifts import Shift, cut, joined, overlaid
from pagerduty_simulator.zones import zone_info

_ONE_DAY: Final = timedelta(days=1)
# How far an uncut shift is followed beyond the bounds of the request.
_FURTHEST_OVERHANG: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Restriction:
    """When a layer is active: daily, or weekly from `start_day_of_week` (1 is Monday)."""

    start_time_of_day: time
    duration: timedelta
    start_day_of_week: int | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """Users who take turns; later layers of the schedule take precedence."""

    id: str
    name: str
    start: datetime
    user_ids: tuple[str, ...]
    turn_length: timedelta
    virtual_start: datetime
    end: datetime | None = None
    restrictions: tuple[Restriction, ...] = ()

    def shifts(self, since: datetime, until: datetime, zone: ZoneInfo) -> list[Shift]:
        """Return the turns that overlap [since, until), in local days of the schedule's zone."""
        turns = self._turns(since, until, zone)
        if self.restrictions:
            turns = [
                part
                for start, end in self._windows(since, until, zone)
                for part in cut(turns, start, end)
                if part.start < part.end
            ]
            turns.sort(key=lambda shift: shift.start)
        first = self.start
        last = self.end or datetime.max.replace(tzinfo=UTC)
        return joined(shift for shift in cut(turns, first, last) if shift.start < until and shift.end > since)

    def _turns(self, since: datetime, until: datetime, zone: ZoneInfo) -> list[Shift]:
        if not self.user_ids:
            return []
        # Count whole days in local time, so that a handover at nine stays at nine in summer.
        by_wall = self.turn_length % _ONE_DAY == timedelta(0)
        origin = self.virtual_start.astimezone(zone).replace(tzinfo=None if by_wall else UTC)
        if not by_wall:
            origin = self.virtual_start
        here = since.astimezone(zone).replace(tzinfo=None) if by_wall else since
        index = (here - origin) // self.turn_length - 1
        turns: list[Shift] = []
        while True:
            start, end = origin + index * self.turn_length, origin + (index + 1) * self.turn_length
            if by_wall:
                start, end = _utc(start, zone), _utc(end, zone)
            if start >= until:
                return turns
            user_id = self.user_ids[index % len(self.user_ids)]
            turns.append(Shift(start, end, user_id, ("layer", self.id)))
            index += 1

    def _windows(self, since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        longest = max(restriction.duration for restriction in self.restrictions)
        day = (since - longest - _ONE_DAY).astimezone(zone).date()
        windows = []
        while datetime.combine(day, time(), zone) < until:
            for restriction in self.restrictions:
                if restriction.start_day_of_week in {None, day.isoweekday()}:
                    begin = datetime.combine(day, restriction.start_time_of_day)
                    windows.append((_utc(begin, zone), _utc(begin + restriction.duration, zone)))
            day += _ONE_DAY
        return windows


def _utc(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Override:
    """One user replaces whoever is on call for a while."""

    id: str
    start: datetime
    end: datetime
    user_id: str

    def shift(self) -> Shift:
        """Return the override as a shift."""
        return Shift(self.start, self.end, self.user_id, ("override", self.id))


@dataclass(slots=True)
class LayerSchedule:
    """A schedule of the v2 kind; one person at a time is on call."""

    id: str
    name: str
    time_zone: str
    layers: tuple[Layer, ...]
    description: str = ""
    teams: tuple[Team, ...] = ()
    overrides: dict[str, Override] = field(default_factory=dict)
    kind: str = "schedule"

    def layer_shifts(self, layer: Layer, since: datetime, until: datetime) -> list[Shift]:
        """Return one layer's shifts that overlap [since, until), uncut."""
        return layer.shifts(since, until, zone_info(self.time_zone))

    def override_shifts(self, since: datetime, until: datetime) -> list[Shift]:
        """Return the overrides that overlap [since, until), uncut; a newer override wins over an older."""
        shifts: list[Shift] = []
        for override in self.overrides.values():
            if override.start < until and override.end > since:
                shifts = overlaid(shifts, [override.shift()])
        return shifts

    def final_shifts(self, since: datetime, until: datetime) -> list[Shift]:
        """Return the resulting shifts; at the bounds they are uncut up to two weeks."""
        first, last = since - _FURTHEST_OVERHANG, until + _FURTHEST_OVERHANG
        shifts: list[Shift] = []
        for layer in self.layers:
            shifts = overlaid(shifts, self.layer_shifts(layer, first, last))
        shifts = overlaid(shifts, self.override_shifts(first, last))
        anyhow = [Shift(shift.start, shift.end, shift.user_id) for shift in shifts]
        return [shift for shift in joined(anyhow) if shift.start < until and shift.end > since]

    def user_ids(self) -> tuple[str, ...]:
        """Return the users of all layers, each once, in order."""
        return tuple(dict.fromkeys(user_id for layer in self.layers for user_id in layer.user_ids))
