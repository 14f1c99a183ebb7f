"""Schedules of shifts (v3): rotations of recurring events, custom shifts and overrides."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pagerduty_simulator.recurrence import occurrences
from pagerduty_simulator.resources import Team
from pagerduty_simulator.shifts import Shift, cut, joined, without

# A user's id, or None for a slot that is deliberately empty.
Member = str | None


@dataclass(frozen=True, slots=True)
class RotationEvent:
    """A recurring shift; `start` and `end` are those of the first shift, local to `time_zone`."""

    id: str
    name: str
    start: datetime
    end: datetime
    time_zone: str
    effective_since: datetime
    recurrence: tuple[str, ...]
    members: tuple[Member, ...]
    strategy: str = "rotating_member_assignment_strategy"
    shifts_per_member: int = 1
    effective_until: datetime | None = None

    def shifts(self, since: datetime, until: datetime, source: tuple[str, str]) -> list[Shift]:
        """Return the occurrences that overlap [since, until), each with its member on call."""
        result: list[Shift] = []
        length = self.end - self.start
        zone = ZoneInfo(self.time_zone)
        until = min(until, self.effective_until or until)
        first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (self.start, until))
        for index, wall in enumerate(occurrences(self.recurrence, first, last, zone)):
            start = wall.replace(tzinfo=zone).astimezone(UTC)
            end = (wall + length).replace(tzinfo=zone).astimezone(UTC)
            if end <= since or not self.members:
                continue
            turn = index // self.shifts_per_member % len(self.members)
            every = self.strategy.startswith("every")
            on_call = self.members if every else (self.members[turn],)
            result.extend(Shift(start, end, member, source) for member in on_call)
        last = self.effective_until or datetime.max.replace(tzinfo=UTC)
        return [shift for shift in cut(result, self.effective_since, last) if shift.start < shift.end]


@dataclass(slots=True)
class Rotation:
    """Events that follow or complement each other."""

    id: str
    events: dict[str, RotationEvent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomShift:
    """A single shift of one member, outside of any rotation."""

    id: str
    start: datetime
    end: datetime
    member: Member
    assignment_id: str


@dataclass(frozen=True, slots=True)
class ShiftOverride:
    """One member replaces another in a single rotation or custom shift."""

    id: str
    start: datetime
    end: datetime
    overridden: Member
    overriding: Member
    rotation_id: str | None = None
    custom_shift_id: str | None = None


@dataclass(slots=True)
class ShiftSchedule:
    """A schedule of the v3 kind; several people may be on call at once."""

    id: str
    name: str
    time_zone: str
    rotations: dict[str, Rotation] = field(default_factory=dict)
    description: str = ""
    teams: tuple[Team, ...] = ()
    custom_shifts: dict[str, CustomShift] = field(default_factory=dict)
    overrides: dict[str, ShiftOverride] = field(default_factory=dict)
    kind: str = "schedule_v3"

    def final_shifts(self, since: datetime, until: datetime) -> list[Shift]:
        """Return all shifts that overlap [since, until), uncut; an empty slot has the user None."""
        shifts: list[Shift] = []
        for rotation in self.rotations.values():
            source = ("schedule_rotation", rotation.id)
            for event in rotation.events.values():
                shifts += event.shifts(since, until, source)
        for custom in self.custom_shifts.values():
            if custom.start < until and custom.end > since:
                source = ("custom_shift", custom.id)
                shifts.append(Shift(custom.start, custom.end, custom.member, source))
        for override in self.overrides.values():
            shifts = _overridden(shifts, override)
        shifts.sort(key=lambda shift: (shift.start, shift.source))
        return [shift for shift in shifts if shift.start < until and shift.end > since]

    def user_ids(self) -> tuple[str, ...]:
        """Return the users of all events, each once, in order."""
        events = (event for rotation in self.rotations.values() for event in rotation.events.values())
        members = (member for event in events for member in event.members if member is not None)
        return tuple(dict.fromkeys(members))


def _overridden(shifts: list[Shift], override: ShiftOverride) -> list[Shift]:
    of_rotation = override.rotation_id is not None
    kind = "schedule_rotation" if of_rotation else "custom_shift"
    source = (kind, override.rotation_id or override.custom_shift_id or "")
    concerned = [shift for shift in shifts if shift.source == source and shift.user_id == override.overridden]
    others = [shift for shift in shifts if shift not in concerned]
    window = Shift(override.start, override.end, None)
    replaced = [
        replace(shift, user_id=override.overriding, source=(f"{kind}_override", override.id))
        for shift in cut(concerned, override.start, override.end)
        if shift.start < shift.end
    ]
    return [*others, *without(concerned, [window]), *joined(replaced)]
