"""How much Hypothesis makes up for a test: enough in each run, and much more in `make torture`."""

from hypothesis import settings

HUNTING = "by chance"


def examples(count: int) -> int:
    """Return `count`, or ten times as many when hunting."""
    return 10 * count if settings.get_current_profile_name() == HUNTING else count
