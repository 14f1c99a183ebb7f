"""Formats durations for people, and parses durations that people write."""

import re
from datetime import timedelta

#: Units, largest first: (name, seconds).
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))
#: Shorter durations are shown in seconds, because "1 min" could mean nearly two.
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

    A negative duration is `0 s`.
    """
    return " ".join(_counts(seconds)[:2])


def format_age(seconds: float) -> str:
    """Return an age in its largest unit only, for narrow columns: `3 min`, `2 h`, `1 d`."""
    return _counts(seconds)[0]


def _counts(seconds: float) -> list[str]:
    """Return the counts of consecutive units, up to the first that is zero."""
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
    """Parse `90m`, `12h`, `30d` or `8w`.

    Raises:
        ValueError: The text has another form.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is no time: write 12h, 30d or 8w")
    return int(match[1]) * _WRITTEN_UNITS[match[2]]
