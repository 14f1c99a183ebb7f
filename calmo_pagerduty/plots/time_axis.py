"""Mark a time axis with local days and hours, where they begin in the zone, and say times in local time."""

from datetime import timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.local_hours import full_hours, local_datetime, local_midnights

#: Longer windows have marks at weeks, shorter ones at days, the shortest at hours.
_WEEKS_FROM, _HOURS_BELOW = 16 * DAY, 2 * DAY


class Mark(NamedTuple):
    """A mark of the axis. `label` is empty where labels would touch each other."""

    at: int
    label: str


def time_marks(window: Span, zone: ZoneInfo, max_labels: int = 8) -> list[Mark]:
    """Return a window's marks in the zone's local time, earliest first, with about `max_labels` labels."""
    if window.seconds < _HOURS_BELOW:
        return _hour_marks(window, zone, max_labels)
    days = local_midnights(window, zone)
    if window.seconds >= _WEEKS_FROM:
        days = [day for day in days if local_datetime(day, zone).weekday() == 0]
    every = max(1, -(-len(days) // max_labels))
    return [Mark(day, day_text(day, zone) if index % every == 0 else "") for index, day in enumerate(days)]


def _hour_marks(window: Span, zone: ZoneInfo, max_labels: int) -> list[Mark]:
    hours = list(full_hours(window, zone))
    every = next(step for step in (1, 2, 3, 6, 12) if len(hours) <= max_labels * step or step == 12)
    return [
        Mark(at, f"{local:%H:%M}") for at in hours if (local := local_datetime(at, zone)).hour % every == 0
    ]


def window_text(window: Span, zone: ZoneInfo) -> str:
    """Return a window in local time: `Mon 30 Nov 2026 00:00 to Mon 7 Dec 2026 00:00, Europe/London`."""
    start, end = (f"{day_text(at, zone)} {local_datetime(at, zone):%Y %H:%M}" for at in window)
    return f"{start} to {end}, {zone.key}"


def day_text(at: int, zone: ZoneInfo) -> str:
    """Return the local day of a moment: `Mon 30 Nov`."""
    local = local_datetime(at, zone)
    return f"{local:%a} {local.day} {local:%b}"


def moment_text(at: int, zone: ZoneInfo) -> str:
    """Return a moment in local time: `Mon 30 Nov 09:00`."""
    return f"{day_text(at, zone)} {local_datetime(at, zone):%H:%M}"


def span_text(span: Span, zone: ZoneInfo) -> str:
    """Return a span in local time, its day said once: `Mon 30 Nov 09:00 to 17:00`."""
    start, end = local_datetime(span.start, zone), local_datetime(span.end, zone)
    if start.date() == end.date() or (end.time() == end.min.time() and end - start <= timedelta(days=1)):
        until = "24:00" if start.date() != end.date() else f"{end:%H:%M}"
        return f"{moment_text(span.start, zone)} to {until}"
    return f"{moment_text(span.start, zone)} to {moment_text(span.end, zone)}"
