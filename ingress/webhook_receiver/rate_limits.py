"""Token buckets that limit how much each sender may send."""

import time

from cachetools import LRUCache

#: Beyond this number, the key that was unused longest loses its bucket and gets a full one next time.
MAX_BUCKETS = 10_000


class TokenBuckets:
    """A bucket per key. It admits `burst` requests at once, then `rate` per second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._levels: LRUCache[str, tuple[float, float]] = LRUCache(MAX_BUCKETS)

    def try_acquire(self, key: str) -> bool:
        """Take a token of the key's bucket and return True, or return False if the bucket is empty."""
        now = time.monotonic()
        level, since = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        self._levels[key] = (level - 1 if level >= 1 else level, now)
        return level >= 1
