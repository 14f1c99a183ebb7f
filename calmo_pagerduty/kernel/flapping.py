"""Tell when an alert flaps: it comes, resolves itself, and comes again within minutes.

Source: the longest time for which PagerDuty can pause notifications (15 minutes) bounds the time between two
cycles, so that what is found here is what a pause could help against.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

#: A cycle is a trigger and its auto-resolve; so many cycles within FLAP_WINDOW are flapping.
MIN_FLAP_CYCLES = 3
FLAP_WINDOW = timedelta(minutes=60)
#: The longest time for which PagerDuty can pause notifications of an incident that may resolve itself.
RETRIGGER_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class FlapCycle:
    """One incident of a kind; `auto_resolved_at` is None unless it resolved itself."""

    triggered_at: datetime
    auto_resolved_at: datetime | None


def count_flap_cycles(cycles: Sequence[FlapCycle], at: datetime) -> int:
    """Return how many consecutive cycles led up to a moment. Each cycle began at most FLAP_WINDOW before
    it, resolved itself, and the next trigger (or the moment) followed within RETRIGGER_WINDOW.
    """
    count, following = 0, at
    for cycle in sorted(cycles, key=lambda cycle: cycle.triggered_at, reverse=True):
        resolved = cycle.auto_resolved_at
        if resolved is None or following - resolved > RETRIGGER_WINDOW:
            break
        if at - cycle.triggered_at > FLAP_WINDOW:
            break
        count, following = count + 1, cycle.triggered_at
    return count
