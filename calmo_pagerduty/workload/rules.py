"""What a connection may configure of workload reports: pay, working time, holidays, rough nights. Pure.

The settings are one document, written as JSON or TOML. A draft is changed freely; a manager publishes it.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.public_holidays import public_holidays
from calmo_pagerduty.kernel.time_zones import time_zone

MAX_RULES = 50
MAX_TEXT_BYTES = 64 * 1024


class InvalidSettings(ExplainedError, ValueError):
    """The document is no valid settings. The message names the fields and what is wrong with them."""


def _known_zone(name: str) -> str:
    if time_zone(name) is None:
        raise ValueError(f"there is no time zone {name[:40]!r}; write one like Europe/Berlin")
    return name


def _clock(text: str) -> str:
    hours, _, minutes = text.partition(":")
    if not (len(text) == 5 and hours.isdecimal() and minutes.isdecimal()):
        raise ValueError("a time of day is written 09:00")
    if int(minutes) > 59 or int(hours) * 60 + int(minutes) > 24 * 60:
        raise ValueError("a time of day is between 00:00 and 24:00")
    return text


Clock = Annotated[str, Field(max_length=5), AfterValidator(_clock)]
ZoneName = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
Rate = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=12, decimal_places=4)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class _Document(BaseModel):
    """Unknown fields are refused: a mistyped one would otherwise change what somebody is paid."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class HolidayRules(_Document):
    """Whose public holidays count: by ISO 3166 codes for everybody, or by time zone; further days by date."""

    country: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    subdivision: str | None = Field(None, pattern=r"^[A-Z0-9]{1,3}$")
    #: ISO 3166 codes such as `DE` or `DE-BY`, by the IANA name of a time zone.
    by_time_zone: Mapping[ZoneName, Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]] = Field(
        default_factory=dict, max_length=MAX_RULES
    )
    extra: Mapping[date, Name] = Field(default_factory=dict, max_length=200)

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        for country, subdivision in self.places():
            public_holidays(country, subdivision, 2026, 2026)
        return self

    def places(self) -> list[tuple[str, str | None]]:
        """Return every (country, subdivision) that is named."""
        named = [] if self.country is None else [(self.country, self.subdivision)]
        for place in self.by_time_zone.values():
            country, _, subdivision = place.partition("-")
            named.append((country, subdivision or None))
        return named


class WeeklyRule(_Document):
    """A rate on some weekdays from `start` to `end`, local time. An earlier `end` is the next day's."""

    name: Name
    days: tuple[Weekday, ...] = Field(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1)
    start: Clock = "00:00"
    end: Clock = "24:00"
    rate: Rate


class OneOffRule(_Document):
    """A rate from `start` to `end`, local dates, both included. It beats holidays and weekly rules."""

    name: Name
    start: date
    end: date
    rate: Rate

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("end: it is before start")
        return self


class PayRules(_Document):
    """What an hour on call is paid: the first rule that matches, else the base rate.

    One-off rules come first, then public holidays, then weekly rules in their order.
    """

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    base_rate: Rate
    weekly_rules: tuple[WeeklyRule, ...] = Field((), max_length=MAX_RULES)
    one_off_rules: tuple[OneOffRule, ...] = Field((), max_length=MAX_RULES)
    holiday_rate: Rate | None = None
    #: None: each person's own.
    time_zone: ZoneName | None = None
    #: None: all of them.
    schedule_ids: tuple[str, ...] | None = Field(None, max_length=200)
    #: Time on two schedules at once is paid for each; otherwise once.
    pay_each_schedule: bool = False


class WorkingTimeRules(_Document):
    """A template of working-time limits. The default follows directive 2003/88/EC, articles 3, 5 and 6."""

    name: Name = "EU 2003/88/EC"
    #: Stand-by at home may count as work or not: it depends on its constraints (CJEU C-344/19).
    stand_by_is_work: bool = False
    #: If stand-by is no work, an interruption is work for so long.
    call_out_minutes: int = Field(60, ge=1, le=720)
    daily_rest_hours: int = Field(11, ge=0, le=24)
    weekly_rest_hours: int = Field(35, ge=0, le=168)
    max_average_weekly_hours: int = Field(48, ge=1, le=168)
    average_over_weeks: int = Field(17, ge=1, le=52)
    #: Contractual work beside on-call duty, in the person's zone; empty days: none.
    regular_days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    regular_start: Clock = "09:00"
    regular_end: Clock = "17:00"


class RoughNightRules(_Document):
    """After so many interruptions in sleep hours, somebody is asked to cover the next day."""

    is_enabled: bool = True
    interruptions: int = Field(2, ge=1, le=20)
    #: Hours from 08:00, local time, in which somebody else covers.
    cover_hours: int = Field(10, ge=1, le=24)
    expires_after_hours: int = Field(6, ge=1, le=24)


class WorkloadSettings(_Document):
    pay: PayRules | None = None
    working_time: WorkingTimeRules = WorkingTimeRules()
    holidays: HolidayRules = HolidayRules()
    rough_nights: RoughNightRules = RoughNightRules()


def parse_settings(text: str) -> WorkloadSettings:
    """Parse a JSON or TOML document. Raises InvalidSettings."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise InvalidSettings(f"the settings are longer than {MAX_TEXT_BYTES // 1024} KiB")
    try:
        if text.lstrip().startswith("{"):
            return WorkloadSettings.model_validate_json(text)
        return WorkloadSettings.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"the settings are no TOML: {str(error)[:200]}") from None
    except ValidationError as error:
        raise InvalidSettings(_faults(error)) from None


def seconds_of_day(clock: str) -> int:
    """Return a clock time as seconds since midnight; 24:00 is the day's end."""
    hours, _, minutes = clock.partition(":")
    return min(DAY, int(hours) * 3600 + int(minutes) * 60)


def _faults(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}" for fault in error.errors()[:8]
    ]
    return "; ".join(faults)[:1000]
