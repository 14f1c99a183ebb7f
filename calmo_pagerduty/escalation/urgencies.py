"""The urgency that a service gives to an incident, and when support hours begin. Pure; times are UTC.

Source: PagerDuty's REST API, `incident_urgency_rule`, `support_hours` and `scheduled_actions` of a service.
"""

from datetime import UTC, datetime, time, timedelta

from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import Service, SupportHours, Urgency, UrgencyKind

DAYS_OF_A_WEEK = 7


def is_within(hours: SupportHours, at: int) -> bool | None:
    """Return whether a moment is within support hours; None if their zone is unknown.

    Hours that end at or before they start run past midnight, and belong to the day of their start.
    """
    zone = time_zone(hours.time_zone)
    if zone is None:
        return None
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    seconds = local.hour * 3600 + local.minute * 60 + local.second
    if hours.start_time < hours.end_time:
        return local.isoweekday() in hours.days_of_week and hours.start_time <= seconds < hours.end_time
    yesterday = (local.isoweekday() - 2) % DAYS_OF_A_WEEK + 1
    return (local.isoweekday() in hours.days_of_week and seconds >= hours.start_time) or (
        yesterday in hours.days_of_week and seconds < hours.end_time
    )


def next_start(hours: SupportHours, after: int) -> int | None:
    """Return when support hours begin next after a moment; None if they never do, or the zone is unknown."""
    zone = time_zone(hours.time_zone)
    if zone is None:
        return None
    today = datetime.fromtimestamp(after, UTC).astimezone(zone).date()
    minutes, second = divmod(hours.start_time, 60)
    clock = time(minutes // 60 % 24, minutes % 60, second)
    for days in range(DAYS_OF_A_WEEK + 2):
        day = today + timedelta(days=days)
        if day.isoweekday() in hours.days_of_week:
            start = int(datetime.combine(day, clock, zone).astimezone(UTC).timestamp())
            if start > after:
                return start
    return None


def urgency_at(service: Service, at: int) -> Urgency | None:
    """Return the urgency of an incident that begins then; None if unknown, as if its severity decides."""
    rule = service.urgency
    if rule is None or rule.kind is UrgencyKind.SEVERITY_BASED:
        return None
    if rule.kind is UrgencyKind.CONSTANT or service.support_hours is None:
        return rule.during
    within = is_within(service.support_hours, at)
    if within is None:
        return None
    return rule.during if within else rule.outside


def raised_at(service: Service, at: int) -> int | None:
    """Return when a low-urgency incident of that moment becomes high urgency; None if it never does."""
    if not service.raises_urgency_with_support_hours or service.support_hours is None:
        return None
    return next_start(service.support_hours, at)
