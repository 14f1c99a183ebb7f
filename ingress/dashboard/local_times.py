"""Times that people type into forms: local, without a zone. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingress.api.errors import ResourceNotFound


def local_moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Return `2026-03-01T09:00` in this zone as UTC; None for an empty field.

    A time that the clocks skip or repeat is the first that it can be. Raises ResourceNotFound for no time.
    """
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ResourceNotFound(f"{text[:40]!r} is no time: write it as 2026-03-01T09:00") from None
