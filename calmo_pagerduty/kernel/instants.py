"""Parses and formats instants. Inside the program, every instant is a `datetime` in UTC."""

from datetime import UTC, datetime


def parse_instant(value: object) -> datetime | None:
    """Parse an ISO 8601 text to an instant in UTC; None if it is no valid text.

    A text without an offset counts as UTC.
    """
    if not isinstance(value, str):
        return None
    try:
        return to_utc(datetime.fromisoformat(value))
    except ValueError:
        return None


def to_utc(moment: datetime) -> datetime:
    """Return the same instant in UTC. A time without a zone counts as UTC.

    Raises:
        ValueError: In UTC the time is outside the calendar, before year 1 or after 9999.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the calendar") from None


def format_iso_utc(moment: datetime) -> str:
    """Return `2026-03-01T09:00:00Z`, which all of PagerDuty's endpoints accept, cut to whole seconds."""
    return to_utc(moment).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def format_instant(moment: datetime) -> str:
    """Return `2026-03-01 09:00 UTC`, for texts that people read."""
    return f"{to_utc(moment):%Y-%m-%d %H:%M} UTC"


def format_table_instant(moment: datetime) -> str:
    """Return `2026-03-01 09:00:05`, for a column whose header says UTC."""
    return f"{to_utc(moment):%Y-%m-%d %H:%M:%S}"
