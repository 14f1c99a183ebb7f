"""Find time zones by the names that PagerDuty uses, IANA's and Rails', and tell day from night there.

Source: PagerDuty's REST API (`User.time_zone` is IANA's, a schedule's is ActiveSupport's), Rails'
documentation of ActiveSupport::TimeZone.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

#: Night is from 22 to 8, in the person's local time.
NIGHT_BEGINS = 22
NIGHT_ENDS = 8

#: Zones whose Rails name is the city in their IANA name.
_NAMED_FOR_THEIR_CITY = tuple(
    """
    America/Bogota America/Caracas America/Chihuahua America/La_Paz America/Lima
    America/Mazatlan America/Mexico_City America/Montevideo America/Monterrey America/Puerto_Rico
    America/Santiago America/Tijuana Africa/Cairo Africa/Casablanca Africa/Harare Africa/Monrovia
    Africa/Nairobi Asia/Almaty Asia/Baghdad Asia/Baku Asia/Bangkok Asia/Chongqing Asia/Colombo Asia/Dhaka
    Asia/Hong_Kong Asia/Irkutsk Asia/Jakarta Asia/Jerusalem Asia/Kabul Asia/Karachi Asia/Kathmandu
    Asia/Kolkata Asia/Krasnoyarsk Asia/Kuala_Lumpur Asia/Kuwait Asia/Magadan Asia/Kamchatka Asia/Muscat
    Asia/Novosibirsk Asia/Rangoon Asia/Riyadh Asia/Seoul Asia/Singapore Asia/Srednekolymsk Asia/Taipei
    Asia/Tashkent Asia/Tbilisi Asia/Tehran Asia/Tokyo Asia/Ulaanbaatar Asia/Urumqi Asia/Vladivostok
    Asia/Yakutsk Asia/Yerevan Atlantic/Azores Australia/Adelaide Australia/Brisbane Australia/Darwin
    Australia/Hobart Australia/Melbourne Australia/Perth Australia/Sydney Europe/Amsterdam Europe/Athens
    Europe/Belgrade Europe/Berlin Europe/Bratislava Europe/Brussels Europe/Bucharest Europe/Budapest
    Europe/Copenhagen Europe/Dublin Europe/Helsinki Europe/Istanbul Europe/Kaliningrad Europe/Lisbon
    Europe/Ljubljana Europe/London Europe/Madrid Europe/Minsk Europe/Moscow Europe/Paris Europe/Prague
    Europe/Riga Europe/Rome Europe/Samara Europe/Sarajevo Europe/Skopje Europe/Sofia Europe/Stockholm
    Europe/Tallinn Europe/Vienna Europe/Vilnius Europe/Volgograd Europe/Warsaw Europe/Zagreb Europe/Zurich
    Pacific/Auckland Pacific/Fiji Pacific/Guam Pacific/Port_Moresby
    """.split()  # noqa: SIM905 (a hundred quoted names are hard to read)
)

_NAMED_OTHERWISE = {
    "America/Argentina/Buenos_Aires": ("Buenos Aires",),
    "America/Chicago": ("Central Time (US & Canada)",),
    "America/Denver": ("Mountain Time (US & Canada)",),
    "America/Guatemala": ("Central America",),
    "America/Guyana": ("Georgetown",),
    "America/Halifax": ("Atlantic Time (Canada)",),
    "America/Indiana/Indianapolis": ("Indiana (East)",),
    "America/Juneau": ("Alaska",),
    "America/Lima": ("Quito",),
    "America/Los_Angeles": ("Pacific Time (US & Canada)",),
    "America/Mexico_City": ("Guadalajara",),
    "America/New_York": ("Eastern Time (US & Canada)",),
    "America/Nuuk": ("Greenland",),
    "America/Phoenix": ("Arizona",),
    "America/Regina": ("Saskatchewan",),
    "America/Sao_Paulo": ("Brasilia",),
    "America/St_Johns": ("Newfoundland",),
    "Africa/Algiers": ("West Central Africa",),
    "Africa/Johannesburg": ("Pretoria",),
    "Asia/Almaty": ("Astana",),
    "Asia/Bangkok": ("Hanoi",),
    "Asia/Colombo": ("Sri Jayawardenepura",),
    "Asia/Karachi": ("Islamabad",),
    "Asia/Kolkata": ("Chennai", "Mumbai", "New Delhi"),
    "Asia/Muscat": ("Abu Dhabi",),
    "Asia/Shanghai": ("Beijing",),
    "Asia/Tokyo": ("Osaka", "Sapporo"),
    "Asia/Ulaanbaatar": ("Ulaan Bataar",),
    "Asia/Yekaterinburg": ("Ekaterinburg",),
    "Atlantic/Cape_Verde": ("Cape Verde Is.",),
    "Atlantic/South_Georgia": ("Mid-Atlantic",),
    "Australia/Melbourne": ("Canberra",),
    "Etc/UTC": ("UTC",),
    "Europe/Kyiv": ("Kyiv", "Kyev"),
    "Europe/London": ("Edinburgh",),
    "Europe/Moscow": ("St. Petersburg",),
    "Europe/Zurich": ("Bern",),
    "Pacific/Apia": ("Samoa",),
    "Pacific/Auckland": ("Wellington",),
    "Pacific/Chatham": ("Chatham Is.",),
    "Pacific/Fakaofo": ("Tokelau Is.",),
    "Pacific/Guadalcanal": ("Solomon Is.",),
    "Pacific/Honolulu": ("Hawaii",),
    "Pacific/Majuro": ("Marshall Is.",),
    "Pacific/Midway": ("International Date Line West", "Midway Island"),
    "Pacific/Noumea": ("New Caledonia",),
    "Pacific/Pago_Pago": ("American Samoa",),
    "Pacific/Tongatapu": ("Nuku'alofa",),
}

#: The IANA name for each Rails name.
IANA_OF_RAILS: Mapping[str, str] = MappingProxyType(
    {zone.rsplit("/", 1)[-1].replace("_", " "): zone for zone in _NAMED_FOR_THEIR_CITY}
    | {name: zone for zone, names in _NAMED_OTHERWISE.items() for name in names}
)

#: What a zone's name may be. `ZoneInfo` opens a file of this name, so no other name may reach it.
_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]{1,40}(/[A-Z][A-Za-z0-9_+-]{0,40}){0,2}")
#: A file of every zone database that is no real zone.
_NOT_A_LOCATION = "Factory"


@lru_cache(maxsize=1024)
def time_zone(name: str | None) -> ZoneInfo | None:
    """Return the zone of an IANA or a Rails name; None for any other name."""
    plain = (name or "").strip()
    iana_name = IANA_OF_RAILS.get(plain, plain)
    if not _NAME.fullmatch(iana_name) or iana_name == _NOT_A_LOCATION:
        return None
    try:
        return ZoneInfo(iana_name)
    except (KeyError, ValueError, OSError):  # no such zone, or a folder of zones
        return None


def local_time(at: datetime, zone: ZoneInfo | None) -> str | None:
    """Return a moment in local time, as `Tue 03:10 (Europe/London)`; None without a zone."""
    if zone is None:
        return None
    local = at.astimezone(UTC).astimezone(zone)
    return f"{_DAYS[local.weekday()]} {local:%H:%M} ({zone.key})"


def is_night(at: datetime, zone: ZoneInfo | None) -> bool | None:
    """Return whether it is night in the zone at that moment; None without a zone."""
    if zone is None:
        return None
    hour = at.astimezone(UTC).astimezone(zone).hour
    return hour >= NIGHT_BEGINS or hour < NIGHT_ENDS


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
