"""Support hours, and the urgency that a service's new incident gets.

Source: PagerDuty's REST schema (SupportHours, IncidentUrgencyRule) and "Configurable Service Settings".
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from pagerduty_simulator.resources import Service, SupportHours
from pagerduty_simulator.zones import zone_info

SEVERITY_BASED: Final = "severity_based"
#: Alerts of these severities make low-urgency incidents; all others, and none, high-urgency ones.
_LOW_SEVERITIES: Final = frozenset({"warning", "info"})
_ONE_DAY: Final = timedelta(days=1)


def _window(hours: SupportHours, day: datetime) -> tuple[datetime, datetime]:
    """Return the support hours that begin on a local day, in UTC; they may end on the next day."""
    zone = zone_info(hours.time_zone)
    ends_on = day if hours.end_time > hours.start_time else day + _ONE_DAY
    start = datetime.combine(day.date(), hours.start_time, zone)
    end = datetime.combine(ends_on.date(), hours.end_time, zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def are_open(hours: SupportHours, at: datetime) -> bool:
    """Return whether a moment is within the support hours."""
    today = at.astimezone(zone_info(hours.time_zone))
    windows = (
        _window(hours, day) for day in (today, today - _ONE_DAY) if day.isoweekday() in hours.days_of_week
    )
    return any(start <= at < end for start, end in windows)


def next_start(hours: SupportHours, after: datetime) -> datetime | None:
    """Return when support hours begin next, in UTC; None if they have no day."""
    today = after.astimezone(zone_info(hours.time_zone))
    for ahead in range(8):
        day = today + ahead * _ONE_DAY
        start, _ = _window(hours, day)
        if day.isoweekday() in hours.days_of_week and start > after:
            return start
    return None


def urgency_of(service: Service, at: datetime, severity: str | None) -> str:
    """Return high or low for an incident that opens now because of an alert of this severity."""
    rule, hours = service.urgency_rule, service.support_hours
    urgency = rule.during
    if rule.outside is not None and hours is not None and not are_open(hours, at):
        urgency = rule.outside
    if urgency == SEVERITY_BASED:
        return "low" if severity in _LOW_SEVERITIES else "high"
    return urgency
