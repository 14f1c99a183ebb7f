"""Token buckets: how much one sender may send."""

import time

from cachetools import LRUCache

#: Whoever was away longest begins with a full bucket again.
MAX_BUCKETS = 10_000


class TokenBuckets:
    """One bucket per key: `burst` at once, then `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._levels: LRUCache[str, tuple[float, float]] = LRUCache(MAX_BUCKETS)

    def try_acquire(self, key: str) -> bool:
        """Take one token; False if there is none left."""
        now = time.monotonic()
        level, since = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        self._levels[key] = (level - 1 if level >= 1 else level, now)
        return level >= 1
