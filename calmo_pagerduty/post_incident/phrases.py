"""Phrases that the parts of a report share. They are plain text."""

from collections.abc import Iterable
from datetime import datetime

from calmo_pagerduty.kernel.durations import format_duration


def since_start(at: datetime, began: datetime) -> str:
    """Return how long after the incident's beginning it was, or how long before."""
    seconds = (at - began).total_seconds()
    if abs(seconds) < 1:
        return "at the start"
    return f"{format_duration(abs(seconds))} {'after' if seconds > 0 else 'before'} the start"


def join_names(names: Iterable[str]) -> str:
    """Return `a, b and c`; empty for none."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def join_times(count: int) -> str:
    """Return `once`, `twice` or `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
