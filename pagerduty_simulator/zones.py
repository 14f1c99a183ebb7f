"""Time zones by the names that PagerDuty uses: IANA's, and Rails' for v2 schedules and support hours.

Source: PagerDuty's REST schema (formats `tzinfo`, `activesupport-time-zone`); Rails' ActiveSupport::TimeZone.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

RAILS_ZONES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Pacific Time (US & Canada)": "America/Los_Angeles",
        "Central Time (US & Canada)": "America/Chicago",
        "Eastern Time (US & Canada)": "America/New_York",
        "London": "Europe/London",
        "Berlin": "Europe/Berlin",
        "Warsaw": "Europe/Warsaw",
        "Kyiv": "Europe/Kiev",
        "New Delhi": "Asia/Kolkata",
        "Kathmandu": "Asia/Kathmandu",
        "Tokyo": "Asia/Tokyo",
        "Adelaide": "Australia/Adelaide",
        "Sydney": "Australia/Sydney",
        "Brasilia": "America/Sao_Paulo",
    }
)


def zone_info(name: str) -> ZoneInfo:
    """Return the zone of either kind of name. Raises ZoneInfoNotFoundError or ValueError for another one."""
    return ZoneInfo(RAILS_ZONES.get(name, name))
