"""When a service requires somebody on call: its support hours in its own zone, or always. Pure.

Source: PagerDuty's REST API, `support_hours` of a service: fixed time per day, days from 1, Monday.
"""

from calmo_pagerduty.kernel.intervals import Span, clip, union
from calmo_pagerduty.kernel.local_bands import DAY, constant_offset_spans
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import SupportHours

#: 1970-01-01 was a Thursday, ISO weekday 4.
_EPOCH_WEEKDAY = 4


def support_spans(hours: SupportHours, window: Span) -> list[Span] | None:
    """Return when the window is within support hours, by the local clock; None if the zone is unknown.

    Hours that end at or before they start run past midnight and belong to the day of their start. An hour
    that the clock repeats counts twice, and what it skips not at all.
    """
    zone = time_zone(hours.time_zone)
    if zone is None:
        return None
    length = hours.end_time - hours.start_time
    length += DAY if length <= 0 else 0
    spans: list[Span] = []
    for start, end, offset in constant_offset_spans(window, zone):
        first, last = (start + offset) // DAY - 1, (end + offset) // DAY
        for day in range(first, last + 1):
            if (day + _EPOCH_WEEKDAY - 1) % 7 + 1 in hours.days_of_week:
                begin = day * DAY + hours.start_time - offset
                spans += clip([Span(begin, begin + length)], Span(start, end))
    return union(spans)
