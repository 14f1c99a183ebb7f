"""When an agent counts as having read texts of people and machines outside, which may hold instructions.

MCP keeps no sessions, so the mark is the API key's: when it last brought such texts to an agent.
"""

from datetime import datetime, timedelta

#: An agent may keep what it read for as long as this.
WINDOW = timedelta(hours=12)
#: The mark is renewed when it is older than this, so that not every read writes.
MARK_STEP = timedelta(minutes=10)


def has_read_untrusted(read_at: datetime | None, now: datetime) -> bool:
    """Tell whether a key whose mark is `read_at` may have an agent behind it that follows foreign texts."""
    return read_at is not None and now - read_at < WINDOW


def needs_mark(read_at: datetime | None, now: datetime) -> bool:
    """Tell whether a read must be saved as the key's new mark."""
    return read_at is None or now - read_at >= MARK_STEP
