"""Durations: how people read them, and how they write them."""

import re
from datetime import timedelta

#: Units of an age or a duration, the largest first: what it is called, and its seconds.
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))
#: Below this many seconds, a duration is told in seconds: "1 min" may be one, or nearly two.
_MAX_SHOWN_AS_SECONDS = 120
_WRITTEN = re.compile(r"([1-9]\d{0,4})([mhdw])")
_WRITTEN_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def format_duration(seconds: float) -> str:
    """Return a duration in its largest unit and the next: `14 s`, `3 min`, `2 h 5 min`, `1 d 4 h`.

    Beside days, minutes say nothing. A negative duration is `0 s`.
    """
    return " ".join(_counts(seconds)[:2])


def format_age(seconds: float) -> str:
    """Return an age in its largest unit alone, which a narrow column has room for: `3 min`, `2 h`, `1 d`."""
    return _counts(seconds)[0]


def _counts(seconds: float) -> list[str]:
    """Return the counts of units that follow each other; a unit of which there is none ends them."""
    left = max(round(seconds), 0)
    if left < _MAX_SHOWN_AS_SECONDS:
        return [f"{left} s"]
    counts: list[str] = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if counts and not count:
            break
        if count:
            counts.append(f"{count} {name}")
    return counts


def parse_duration(text: str) -> timedelta:
    """Read `90m`, `12h`, `30d` or `8w`.

    Raises:
        ValueError: It is written in another way.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is no time: write 12h, 30d or 8w")
    return int(match[1]) * _WRITTEN_UNITS[match[2]]
