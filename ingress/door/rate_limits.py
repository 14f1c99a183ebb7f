"""Token buckets: how much one sender may send."""

import time

MAX_BUCKETS = 10_000


class Buckets:
    """One bucket per key: `burst` at once, then `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> bool:
        """Take one token; False if there is none left."""
        now = time.monotonic()
        level, since = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        if len(self._levels) >= MAX_BUCKETS and key not in self._levels:
            self._levels.clear()
        self._levels[key] = (level - 1 if level >= 1 else level, now)
        return level >= 1
