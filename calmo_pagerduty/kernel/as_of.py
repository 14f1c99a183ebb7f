"""The register rule: the newest picture of an incident holds, in whatever order pictures arrive."""

from datetime import datetime
from typing import NamedTuple


class AsOf(NamedTuple):
    """Which event a picture of an incident comes from. A later one is greater.

    `time` is when the event happened, in UTC. Events of the same instant are told apart by `seq`, the
    order of their arrival.
    """

    time: datetime
    seq: int

    @classmethod
    def of(cls, time: datetime | None, seq: int) -> "AsOf | None":
        """Return the register of a picture; None if no event has shown the incident so far."""
        return None if time is None else cls(time, seq)

    def is_newer_than(self, register: "AsOf | None") -> bool:
        """Tell whether this event's picture replaces the one of `register`. Anything replaces none."""
        return register is None or self > register
