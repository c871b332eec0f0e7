"""How often a caller may ask: a bucket of tokens for each, filled at a steady rate, one token for a request."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, final

_CALLERS: Final = 10_000
"""Buckets that are remembered; the longest unused goes first, and was full again long ago or belongs to a flood of names."""


@final
class Rates:
    """Buckets by caller; any thread may take from them.

    Args:
        per_second: tokens that come back each second; 0: no limit.
        burst: how many a bucket holds, and so how many requests may come at once.
        clock: in seconds.
    """

    def __init__(self, per_second: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, max(1.0, burst), clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: Hashable) -> float:
        """Take a token; 0, or the seconds after which there will be one, where there is none now."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = self._clock()
            held, since = self._buckets.pop(caller, (self._burst, now))
            held = min(self._burst, held + (now - since) * self._rate)
            wait = 0.0 if held >= 1 else (1 - held) / self._rate
            self._buckets[caller] = (held if wait else held - 1, now)
            while len(self._buckets) > _CALLERS:
                self._buckets.popitem(last=False)
        return wait
