"""The register rule: the state from the newest event wins, in whatever order events arrive."""

from datetime import datetime
from typing import NamedTuple


class AsOf(NamedTuple):
    """The event that a state comes from. A newer event compares greater.

    `time` is when the event happened, in UTC. For events of the same instant, `seq`, the order of
    arrival, decides.
    """

    time: datetime
    seq: int

    @classmethod
    def of(cls, time: datetime | None, seq: int) -> "AsOf | None":
        """Return the register; None if no event has shown the incident yet."""
        return None if time is None else cls(time, seq)

    def is_newer_than(self, register: "AsOf | None") -> bool:
        """Tell whether this event's state replaces the one of `register`. None is always replaced."""
        return register is None or self > register
