"""Scenarios: what may change in an account, as a document that people write, save and compare.

People, schedules and policies are given by id or by their exact name. Times have a zone; a date is the whole
local day.
"""

import hashlib
import json
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.model import FrozenModel

MAX_CHANGES = 50
MAX_DAYS = 90
#: Scenarios that are compared at once: each is computed again.
MAX_COMPARED = 6
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class ScenarioInvalid(ExplainedError, ValueError):
    """The document is no scenario, or it names something that the account doesn't have."""


class DocumentPart(FrozenModel):
    """A part of a document from outside."""

    # A typo must be noticed, so unknown fields are refused.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True
    )


def _to_the_second(moment: datetime) -> datetime:
    if not 2000 <= moment.year <= 2100:
        raise ValueError("give a year from 2000 to 2100")
    return moment.astimezone(UTC).replace(microsecond=0)


Time = Annotated[AwareDatetime, AfterValidator(_to_the_second)]
#: An id, or an exact name.
Named = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\r\n\x00-\x1f]+$")]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


class Leaver(DocumentPart):
    """A person leaves: no layer, rotation, override or policy has them from `at` on.

    The turns go on with whoever would have been next.
    """

    type: Literal["leaver"] = "leaver"
    user: Named
    at: Time


class Joiner(DocumentPart):
    """A person joins a layer or a rotation's event, after `after` or as the last of the order.

    Someone whom PagerDuty doesn't know yet is given by `new_user` and their zone.
    """

    type: Literal["joiner"] = "joiner"
    user: Named | None = None
    new_user: Named | None = None
    time_zone: Named | None = None
    schedule: Named
    #: A layer or a rotation's event, by id or name; not needed if the schedule has only one.
    part: Named | None = None
    after: Named | None = None
    at: Time

    @model_validator(mode="after")
    def _check_user(self) -> Self:
        if (self.user is None) == (self.new_user is None):
            raise ValueError("user: give either user or new_user")
        return self


class TimeOff(DocumentPart):
    """A person is away. `cover` takes their shifts, in all schedules; without cover nobody does."""

    type: Literal["time_off"] = "time_off"
    user: Named
    start: Time
    end: Time
    cover: Named | None = None

    @model_validator(mode="after")
    def _check_period(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end: it must be after start")
        if self.cover == self.user:
            raise ValueError("cover: it is user")
        return self


class NewRotation(DocumentPart):
    """People take turns from `start` on, above what the schedule has, or instead of all that it has."""

    type: Literal["new_rotation"] = "new_rotation"
    schedule: Named
    name: Named = "New rotation"
    users: tuple[Named, ...] = Field(min_length=1, max_length=20)
    start: Time
    turn_days: int = Field(7, ge=1, le=90)
    #: Local times of the day between which it is active; all day without.
    from_clock: Clock | None = None
    to_clock: Clock | None = None
    days: tuple[Weekday, ...] = ()
    replaces: bool = False

    @model_validator(mode="after")
    def _check_hours(self) -> Self:
        if (self.from_clock is None) != (self.to_clock is None):
            raise ValueError("to_clock: give both from_clock and to_clock, or neither")
        if self.days and self.from_clock is None:
            raise ValueError("days: they go with from_clock and to_clock")
        if len(set(self.days)) < len(self.days):
            raise ValueError("days: a day is given twice")
        return self


class PolicyChange(DocumentPart):
    """A level of a policy changes: its delay or its targets; or it is removed, or a new one is added.

    Levels count from 1. To add a level, give the number after the last with targets and a delay.
    """

    type: Literal["policy"] = "policy"
    policy: Named
    level: int | None = Field(None, ge=1, le=50)
    delay_minutes: int | None = Field(None, ge=1, le=1440)
    #: People or schedules.
    targets: tuple[Named, ...] = Field((), max_length=10)
    remove: bool = False
    num_loops: int | None = Field(None, ge=0, le=9)

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        changes_level = self.delay_minutes is not None or bool(self.targets) or self.remove
        if changes_level and self.level is None:
            raise ValueError("level: say which")
        if not changes_level and self.num_loops is None:
            raise ValueError("delay_minutes: give at least one change")
        return self


class ClockChange(DocumentPart):
    """What the next clock change does: before is as if the schedule's clock stayed, after is real."""

    type: Literal["clock_change"] = "clock_change"
    #: Only this schedule; all that the window's clock changes concern without.
    schedule: Named | None = None


class Holiday(DocumentPart):
    """A day on which people should rest: its hours count as holiday, and `closed` schedules have nobody."""

    type: Literal["holiday"] = "holiday"
    day: date
    name: Named = "Holiday"
    closed: tuple[Named, ...] = Field((), max_length=50)


Change = Leaver | Joiner | TimeOff | NewRotation | PolicyChange | ClockChange | Holiday


class Scenario(DocumentPart):
    """Changes to an account, and the time in which to look at their effects."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\r\n\x00-\x1f]+$")]
    changes: tuple[Annotated[Change, Field(discriminator="type")], ...] = Field((), max_length=MAX_CHANGES)
    #: Where the comparison begins; at `now` without.
    since: Time | None = None
    days: int = Field(28, ge=1, le=MAX_DAYS)

    def digest(self) -> str:
        """Return a hash of the changes and the window; scenarios with the same hash ask the same."""
        document = self.model_dump(mode="json", exclude={"name"})
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def parse_scenario(document: Any) -> Scenario:
    """Return the scenario of a JSON or TOML document. Raises ScenarioInvalid, which repeats no value."""
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        messages = [
            f"{_place(detail['loc'])}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in details[:3]
        ]
        raise ScenarioInvalid("; ".join(dict.fromkeys(messages))) from None


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[:4])[:80] or "scenario"


def weekday_number(day: str) -> int:
    """Return 1 for Monday to 7 for Sunday, from RFC 5545's two letters."""
    return _DAYS.index(day) + 1
