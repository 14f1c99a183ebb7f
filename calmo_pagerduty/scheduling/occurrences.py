"""When a recurring shift begins: RFC 5545's recurrence rules in a time zone. Pure.

A rule is followed in local time, so a shift that begins at nine begins at nine in summer and in winter. A
local time that a clock change skips counts with the offset before the change; of a local time that happens
twice, the first is meant (RFC 5545 §3.3.5).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any

from calmo_pagerduty.kernel.explained_error import ExplainedError

#: More than any schedule has: 10 years of hourly shifts. It bounds what a rule from outside may cost.
MAX_OCCURRENCES = 90_000

#: Parts that let a rule skip for years between two occurrences; no editor of PagerDuty's makes them.
_SPARSE = re.compile(r"\b(BYYEARDAY|BYWEEKNO|BYEASTER|BYSECOND)=", re.IGNORECASE)
_BY_MONTH = re.compile(r"\bBY(MONTH|SETPOS)", re.IGNORECASE)
_DENSE = frozenset({"HOURLY", "DAILY"})
_FREQUENCY = re.compile(r"\bFREQ=([A-Z]+)", re.IGNORECASE)
_UNTIL = re.compile(r"UNTIL=(\d{8})(?:T(\d{6})(Z)?)?", re.IGNORECASE)
FREQUENCIES = frozenset({"HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


class RuleNotUnderstood(ExplainedError):
    """A recurrence can't be read, or is of a kind that we don't follow. The message says which."""


def occurrences(recurrence: Sequence[str], first: datetime, zone: tzinfo, until: int) -> list[int]:
    """Return the starts in epoch seconds (UTC), the first shift's own on, that lie before `until`.

    `first` is the start of the first shift in local time, without zone. The lines are RFC 5545's: one RRULE,
    any number of EXDATE and RDATE; without a line there is the first shift only.
    Raises RuleNotUnderstood.
    Source: RFC 5545 §3.3.10, §3.8.5. python-dateutil.
    """
    if not recurrence:
        begins = to_epoch(first, zone)
        return [begins] if begins < until else []
    for line in recurrence:
        _check(line)
    try:
        found = list(islice(_starts(recurrence, first, zone, until), MAX_OCCURRENCES + 1))
    except (ValueError, TypeError, OverflowError) as error:
        raise RuleNotUnderstood(f"a recurrence can't be read: {str(error)[:100]}") from None
    if len(found) > MAX_OCCURRENCES:
        raise RuleNotUnderstood(f"a recurrence has more than {MAX_OCCURRENCES} shifts")
    return found


def to_epoch(local: datetime, zone: tzinfo) -> int:
    """Return a local time, which has no zone, as epoch seconds (UTC)."""
    return int(local.replace(tzinfo=zone, fold=0).astimezone(UTC).timestamp())


def to_local(at: int, zone: tzinfo) -> datetime:
    """Return the local time of a moment in epoch seconds, without zone."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)


def _check(line: str) -> None:
    if not line.isprintable():
        raise RuleNotUnderstood("a recurrence holds control characters")
    if not line.upper().startswith("RRULE:"):
        return
    frequency = _FREQUENCY.search(line)
    name = frequency.group(1).upper() if frequency else "none"
    if name not in FREQUENCIES:
        raise RuleNotUnderstood(f"the frequency {name} is not followed; {', '.join(sorted(FREQUENCIES))} are")
    if _SPARSE.search(line) or (name in _DENSE and _BY_MONTH.search(line)):
        raise RuleNotUnderstood(f"a part of the rule is not followed: {line[:100]}")


def _starts(recurrence: Sequence[str], first: datetime, zone: tzinfo, until: int) -> Iterator[int]:
    previous = None
    for moment in expand(recurrence, first, zone):
        at = to_epoch(moment.replace(tzinfo=None), zone)
        if at >= until:
            return
        if at != previous:
            yield at
        previous = at


def expand(recurrence: Sequence[str], first: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the local starts of a rule of any frequency, without end if the rule has none."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415 (a command starts without it)

    text = "\n".join(_UNTIL.sub(lambda match: _local_until(match, zone), line) for line in recurrence)
    rules: Any = rrulestr(_local_dates(text, zone), dtstart=first, forceset=True, compatible=False)
    yield from rules


def _local_until(match: re.Match[str], zone: tzinfo) -> str:
    """Return UNTIL in local time. A date without time includes its whole day (observed in calendars)."""
    date, time, is_utc = match.groups()
    if time is None:
        return f"UNTIL={date}T235959"
    return f"UNTIL={_to_local_text(date, time, is_utc, zone)}"


def _local_dates(text: str, zone: tzinfo) -> str:
    """Return the lines with the times of EXDATE and RDATE in local time, without their zones."""
    lines = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if name.upper().startswith(("EXDATE", "RDATE")):
            times = [_as_local(part.strip(), zone) for part in value.split(",")]
            lines.append(f"{name.split(';')[0].upper()}{colon}{','.join(times)}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _as_local(text: str, zone: tzinfo) -> str:
    match = re.fullmatch(r"(\d{8})(?:T(\d{6})(Z)?)?", text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no date")
    return _to_local_text(match[1], match[2] or "000000", match[3], zone)


def _to_local_text(date: str, time: str, is_utc: str | None, zone: tzinfo) -> str:
    moment = datetime.strptime(f"{date}T{time}", "%Y%m%dT%H%M%S")  # noqa: DTZ007 (its zone is local)
    if is_utc:
        moment = moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return f"{moment:%Y%m%dT%H%M%S}"
