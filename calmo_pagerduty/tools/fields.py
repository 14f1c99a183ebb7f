"""The field types of tools' arguments. They are bounded, so that invalid values never reach PagerDuty."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from calmo_pagerduty.kernel.instants import to_utc

#: Values that a program may send when it has no id.
_PLACEHOLDER_IDS = {"null", "none", "nil", "undefined", "nan", "true", "false"}

_TIME_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def _check_id(value: str) -> str:
    if value.lower() in _PLACEHOLDER_IDS:
        raise ValueError("this is no id")
    return value


def _check_time(value: object) -> object:
    # pydantic would read 5 as five seconds after 1970.
    if isinstance(value, str) and _TIME_PATTERN.match(value.strip()):
        return value.strip()
    if isinstance(value, datetime):
        return value
    raise ValueError("give a time with its time zone, such as 2026-03-01T09:00:00Z")


def _to_the_second(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2100:
        raise ValueError("give a year from 2000 to 2100")
    return to_utc(value).replace(microsecond=0)


def _check_no_control_characters(value: str) -> str:
    if any(ord(character) < 32 and character not in "\n\r\t" for character in value):
        raise ValueError("it holds control characters")
    return value


#: A PagerDuty id: never blank, "null" or quoted.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$"), AfterValidator(_check_id)]

#: An instant, in UTC, in whole seconds.
Time = Annotated[AwareDatetime, BeforeValidator(_check_time), AfterValidator(_to_the_second)]


def _without_repetition(ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


#: PagerDuty's schema wants each id once.
Ids = Annotated[tuple[Id, ...], Field(max_length=100), AfterValidator(_without_repetition)]
Limit = Annotated[int, Field(ge=1, le=1000, description="How many at most.")]
After = Annotated[
    str | None,
    StringConstraints(min_length=1, max_length=2000, pattern=r"^[!-~]+$"),
    Field(description="`next` of an earlier answer: goes on from there."),
]
Query = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_check_no_control_characters)
]
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\r\n]+$"),
    AfterValidator(_check_no_control_characters),
]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=24_900),
    AfterValidator(_check_no_control_characters),
]
#: An IANA time zone, such as Europe/Berlin.
TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{1,63}$")]

Status = Literal["triggered", "acknowledged", "resolved"]
Urgency = Literal["high", "low"]
Unit = Literal["day", "week", "month"]
